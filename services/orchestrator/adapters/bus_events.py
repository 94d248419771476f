"""Job events on the bus: published from the outbox, heard for watchers."""

import hashlib
from collections.abc import Awaitable, Callable, Sequence

from google.protobuf.message import DecodeError

from reelmesh.orchestrator.v1 import budget_service_pb2, video_job_pb2, video_service_pb2
from reelmesh.storage.v1 import asset_pb2
from services.common.background import rounds
from services.common.bus import Bus
from services.common.events import Event, event_subject
from services.common.telemetry import get_logger
from services.orchestrator.adapters.feed import JobFeed
from services.orchestrator.adapters.wire import to_timestamp
from services.orchestrator.convert.budgets import budget_message
from services.orchestrator.convert.jobs import job_message
from services.orchestrator.domain.money.alerts import BudgetAlert
from services.orchestrator.domain.ports import HeardEvent, JobEvent

_log = get_logger(__name__)
KIND = "videoJob"
BUDGET = "budget"
# A listener whose reader could not be opened, or broke, begins again.
AGAIN_SECONDS = 1.0


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


class BusAlerts:
    """`adapters.sql_alerts.AlertPublisher`: the payload is `BudgetAlert`."""

    def __init__(self, bus: Bus) -> None:
        """Take an open bus."""
        self._bus = bus

    async def publish(self, alerts: Sequence[BudgetAlert]) -> None:
        """Return once all are durable on the bus."""
        await self._bus.publish_many([_alert(alert) for alert in alerts])


def _alert(alert: BudgetAlert) -> Event:
    payload = budget_service_pb2.BudgetAlert(
        budget=budget_message(alert.budget),
        percent=alert.percent,
        create_time=to_timestamp(alert.create_time),
    )
    # A subject may hold anything; a token of the bus may not.
    scope = alert.budget.scope
    name = f"{scope.kind}-{hashlib.sha256(scope.subject.encode()).hexdigest()[:16]}"
    once = f"{alert.tenant}/{scope.name}/{alert.percent}/{alert.budget.limit_micros}"
    return Event(
        subject=event_subject(alert.tenant, BUDGET, name),
        data=payload.SerializeToString(),
        event_id=hashlib.sha256(once.encode()).hexdigest(),
    )


class AssetListener:
    """Hears which assets were deleted and drops what the cache knows of them.

    One durable subscription for all workers: a deletion that happens while none runs is heard when
    one does. A clip is looked for before it is served all the same: an event may be late.
    """

    def __init__(self, bus: Bus, forget: Callable[[str, str], Awaitable[None]]) -> None:
        """Take an open bus, and who forgets an asset of a tenant."""
        self._bus = bus
        self._forget = forget

    async def start(self) -> None:
        """Listen until the bus is closed."""
        await self._bus.subscribe(event_subject("*", "asset", "*"), "cache", self._hear)

    async def _hear(self, event: Event) -> None:
        told = asset_pb2.AssetEvent.FromString(event.data)
        if told.HasField("asset_deleted"):
            await self._forget(told.tenant_name, told.asset)


class BusListener:
    """Hears every job event of the deployment and hands those that are followed to the feed."""

    def __init__(self, bus: Bus, feed: JobFeed) -> None:
        """Take an open bus and the watchers."""
        self._bus = bus
        self._feed = feed

    async def run(self) -> None:
        """Listen until cancelled. While the bus is away watchers look into the database."""
        await rounds(self._listen, AGAIN_SECONDS, failed="listener_begins_again")

    async def _listen(self) -> None:
        async with self._bus.replay(event_subject("*", KIND, "*")) as events:
            async for event in events:
                self._feed.heard()
                job_id = event.subject.rpartition(".")[2]
                if self._feed.wanted(job_id):
                    self._hear(job_id, event.data)

    def _hear(self, job_id: str, data: bytes) -> None:
        try:
            message = video_service_pb2.WatchVideoJobResponse.FromString(data)
        except DecodeError:
            # Watchers see the gap and read what is missing from the database.
            _log.warning("event_not_readable", job=job_id)
            return
        ends = message.job.stage == video_job_pb2.VideoJob.STAGE_DONE
        event = HeardEvent(job_id=job_id, sequence=message.sequence, ends=ends, message=message)
        self._feed.offer(event)
