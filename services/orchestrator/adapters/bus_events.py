"""Job events on the bus: published from the outbox, heard for watchers."""

from collections.abc import Sequence

from reelmesh.orchestrator.v1 import video_service_pb2
from services.common.bus import Bus
from services.common.events import Event, event_subject
from services.common.telemetry import get_logger
from services.orchestrator.adapters.feed import JobFeed
from services.orchestrator.convert.jobs import job_message
from services.orchestrator.domain.ports import JobEvent, JobStore

_log = get_logger(__name__)
KIND = "videoJob"


class BusPublisher:
    """`adapters.outbox.Publisher`: the payload is what WatchVideoJob sends."""

    def __init__(self, bus: Bus) -> None:
        """Take an open bus."""
        self._bus = bus

    async def publish(self, events: Sequence[JobEvent]) -> None:
        """Return once all are durable on the bus; it drops those that it has had before."""
        await self._bus.publish_many([_event(event) for event in events])


def _event(event: JobEvent) -> Event:
    payload = video_service_pb2.WatchVideoJobResponse(
        sequence=event.sequence, kind=event.kind, job=job_message(event.job)
    )
    return Event(
        subject=event_subject(event.job.tenant, KIND, event.job.id),
        data=payload.SerializeToString(),
        event_id=f"{event.job.id}.{event.sequence}",
    )


class BusListener:
    """Hears every job event of the deployment and hands those that are followed to the feed.

    The event says that something changed; what it is comes from the database, once per process,
    however many watchers there are.
    """

    def __init__(self, bus: Bus, jobs: JobStore, feed: JobFeed) -> None:
        """Take an open bus, the truth, and the watchers."""
        self._bus = bus
        self._jobs = jobs
        self._feed = feed
        self._heard: dict[str, int] = {}

    async def run(self) -> None:
        """Listen until cancelled. While the bus is away watchers look into the database."""
        async with self._bus.replay(event_subject("*", KIND, "*")) as events:
            async for event in events:
                job_id = event.subject.rpartition(".")[2]
                if self._feed.wanted(job_id):
                    await self._fan_out(job_id)
                else:
                    self._heard.pop(job_id, None)

    async def _fan_out(self, job_id: str) -> None:
        try:
            changes = await self._jobs.events(job_id, self._heard.get(job_id, 0))
        except Exception as error:
            # Watchers look into the database themselves; the listener must not end with this.
            _log.warning("event_not_read", job=job_id, error=repr(error))
            return
        for change in changes:
            self._feed.offer(change)
            self._heard[job_id] = change.sequence
            if change.job.state.terminal:
                self._heard.pop(job_id, None)
