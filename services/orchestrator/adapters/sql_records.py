"""How models have done, shared by all replicas through one small row for each model."""

import asyncio
import time
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime

import sqlalchemy as sa
from pydantic import TypeAdapter
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

from services.common.database import Database
from services.common.telemetry import get_logger
from services.orchestrator.adapters.policy_tables import model_records
from services.orchestrator.domain.records import Sample, TrackRecord, newest

_log = get_logger(__name__)
_SAMPLES = TypeAdapter(tuple[Sample, ...])
FLUSH_SECONDS = 1.0
REFRESH_SECONDS = 5.0


class SqlRecords:
    """`domain.policy_ports.RecordsPort`: samples wait in memory for a second, then go in one write.

    A process that is killed loses its last second of measurements and nothing else.
    """

    def __init__(self, database: Database, *, now: Callable[[], datetime]) -> None:
        """Take the database and the clock."""
        self._database = database
        self._now = now
        self._insert = sqlite.insert if database.is_sqlite else postgresql.insert
        self._waiting: dict[str, list[Sample]] = defaultdict(list)
        self._known: Mapping[str, tuple[Sample, ...]] = {}
        self._records: Mapping[str, TrackRecord] = {}

    def ended(self, model: str, sample: Sample) -> None:
        """See `RecordsPort.ended`."""
        self._waiting[model].append(sample)

    def records(self) -> Mapping[str, TrackRecord]:
        """See `RecordsPort.records`."""
        return self._records

    async def run(self) -> None:
        """Write and read again until cancelled."""
        refreshed = float("-inf")
        while True:
            try:
                await self.flush()
                if time.monotonic() - refreshed >= REFRESH_SECONDS:
                    await self.refresh()
                    refreshed = time.monotonic()
            except Exception as error:
                # The database is away: measurements can wait, and jobs do not wait for them.
                _log.warning("records_wait", error=repr(error))
            await asyncio.sleep(FLUSH_SECONDS)

    async def close(self) -> None:
        """Write what is left; a database that is away keeps it from nobody."""
        try:
            await self.flush()
        except Exception as error:
            _log.warning("records_lost", error=repr(error))

    async def flush(self) -> None:
        """Write what has been measured since the last time."""
        waiting, self._waiting = self._waiting, defaultdict(list)
        if not waiting:
            return
        try:
            async with self._database.begin() as connection:
                for model in sorted(waiting):  # in one order, so that two replicas do not deadlock
                    await self._merge(connection, model, waiting[model])
        except BaseException:
            for model, samples in waiting.items():
                self._waiting[model] = [*newest((*samples, *self._waiting[model]))]
            raise

    async def refresh(self) -> None:
        """Read what all replicas have measured."""
        async with self._database.read() as connection:
            rows = await connection.execute(sa.select(model_records))
            self._known = {row.model: _SAMPLES.validate_json(row.samples) for row in rows}
        now = self._now()
        self._records = {model: TrackRecord.of(s, now) for model, s in self._known.items()}

    async def _merge(
        self, connection: AsyncConnection, model: str, samples: Sequence[Sample]
    ) -> None:
        row = {"model": model, "samples": b"[]", "update_time": self._now()}
        await connection.execute(self._insert(model_records).values(row).on_conflict_do_nothing())
        mine = model_records.c.model == model
        locked = sa.select(model_records.c.samples).where(mine).with_for_update()
        known = _SAMPLES.validate_json((await connection.execute(locked)).scalar_one())
        kept = _SAMPLES.dump_json(newest((*known, *samples)))
        await connection.execute(
            sa.update(model_records).where(mine).values(samples=kept, update_time=self._now())
        )
