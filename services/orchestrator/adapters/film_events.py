"""Films on the bus: every newest state is published at least once, and heard for watchers."""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta

import sqlalchemy as sa
from google.protobuf.message import DecodeError
from typing_extensions import override

from reelmesh.orchestrator.v1 import film_service_pb2 as pb
from services.common.background import rounds
from services.common.bus import Bus
from services.common.database import Database
from services.common.events import Event, event_subject
from services.common.telemetry import get_logger
from services.orchestrator.adapters.feed import JobFeed
from services.orchestrator.adapters.film_tables import films
from services.orchestrator.adapters.relay import Relay
from services.orchestrator.adapters.sql_films import load
from services.orchestrator.convert.films import film_message
from services.orchestrator.domain.films.film import Film
from services.orchestrator.domain.ports import HeardEvent

_log = get_logger(__name__)
KIND = "film"
BATCH = 20
# A listener whose reader could not be opened, or broke, begins again.
AGAIN_SECONDS = 1.0
# A young change is left to the process that made it.
YOUNG = timedelta(seconds=1)


class FilmRelay(Relay):
    """Publishes films that this process has just changed, and sweeps up what others left."""

    def __init__(self, database: Database, bus: Bus, *, now: Callable[[], datetime]) -> None:
        """Take the database, an open bus and the clock."""
        super().__init__(name="films", batch=BATCH)
        self._database = database
        self._bus = bus
        self._now = now
        self._changed: dict[str, Film] = {}

    def written(self, film: Film) -> None:
        """Tell that a change was committed in this process."""
        self._changed[film.id] = film  # a newer state tells all that an older one does
        self.wake()

    @override
    async def relay_written(self) -> None:
        changed, self._changed = list(self._changed.values()), {}
        if changed:
            await self._publish(changed)

    @override
    async def sweep(self) -> int:
        """Publish films whose newest state nobody has published; returns how many."""
        waiting = (
            sa.select(films.c.plan, films.c.status)
            .where(films.c.published < films.c.sequence)
            .where(films.c.update_time < self._now() - YOUNG)
            .limit(BATCH)
        )
        async with self._database.read() as connection:
            rows = (await connection.execute(waiting)).all()
        await self._publish([load(row.plan, row.status) for row in rows])
        return len(rows)

    async def _publish(self, changed: Sequence[Film]) -> None:
        if not changed:
            return
        await self._bus.publish_many([_event(film) for film in changed])
        async with self._database.begin() as connection:
            for film in changed:
                older = (films.c.id == film.id) & (films.c.published < film.sequence)
                done = sa.update(films).where(older).values(published=film.sequence)
                await connection.execute(done)


def _event(film: Film) -> Event:
    payload = pb.WatchFilmResponse(sequence=film.sequence, film=film_message(film))
    return Event(
        subject=event_subject(film.tenant, KIND, film.id),
        data=payload.SerializeToString(),
        event_id=f"{film.id}.{film.sequence}",
    )


class FilmListener:
    """Hears of every film of the deployment; who follows one is told to look."""

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
                film_id = event.subject.rpartition(".")[2]
                if self._feed.wanted(film_id):
                    self._hear(film_id, event.data)

    def _hear(self, film_id: str, data: bytes) -> None:
        try:
            message = pb.WatchFilmResponse.FromString(data)
        except DecodeError:
            _log.warning("event_not_readable", film=film_id)
            return
        self._feed.offer(
            HeardEvent(job_id=film_id, sequence=message.sequence, ends=False, message=message)
        )
