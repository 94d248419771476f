"""Who is alive: every worker renews a lease; work of one whose lease has run out is taken over."""

import asyncio
from collections.abc import Callable
from datetime import datetime, timedelta

import sqlalchemy as sa

from services.common.database import Database
from services.common.telemetry import get_logger
from services.orchestrator.adapters.tables import leases
from services.orchestrator.durable.runtime import recover

_log = get_logger(__name__)
_SWEEP_LOCK = 0x5EE1  # any number, the same in all replicas
# A living worker may be slow to renew: a false alarm costs one repeated step and no money, because
# the engine fences the slow one and the generator answers the repeated step from its ledger.
LEASE = timedelta(seconds=6)
_HELD = sa.text(
    """SELECT DISTINCT w.executor_id FROM dbos.workflow_status w
       LEFT JOIN leases l ON l.executor = w.executor_id
       WHERE w.status = 'PENDING'
         AND coalesce(l.expires, to_timestamp(w.updated_at / 1000.0) + :lease) < :now"""
)


class Leases:
    """Leases on PostgreSQL. A SQLite file has one worker, which recovers its work at its start."""

    def __init__(
        self,
        database: Database,
        executor: str,
        *,
        now: Callable[[], datetime],
        lease: timedelta = LEASE,
    ) -> None:
        """`executor` is this worker's name."""
        self._database = database
        self._executor = executor
        self._now = now
        self._lease = lease

    async def run(self) -> None:
        """Renew and sweep until cancelled, then give the lease up: others take over at once."""
        try:
            while True:
                await self._beat()
                await asyncio.sleep(self._lease.total_seconds() / 4)
        finally:
            await asyncio.shield(self._write(self._now() - self._lease))

    async def renew(self) -> None:
        """Say that this worker is alive; done once before it takes its first job."""
        await self._write(self._now() + self._lease)

    async def _beat(self) -> None:
        try:
            await self.renew()
            dead = await self._sweep()
        except Exception as error:
            # Whatever it is, a worker that stopped to renew would lose its jobs for ever.
            _log.warning("lease_not_renewed", error=str(error))
            return
        if dead:
            _log.warning("work_taken_over", executors=dead)

    async def _write(self, expires: datetime) -> None:
        async with self._database.begin() as connection:
            await connection.execute(
                sa.text(
                    "INSERT INTO leases (executor, expires) VALUES (:executor, :expires) "
                    "ON CONFLICT (executor) DO UPDATE SET expires = excluded.expires"
                ),
                {"executor": self._executor, "expires": expires},
            )

    async def _sweep(self) -> list[str]:
        """Names of executors whose work was put back. One replica sweeps at a time."""
        async with self._database.begin() as connection:
            locked = sa.select(sa.func.pg_try_advisory_xact_lock(_SWEEP_LOCK))
            if not (await connection.execute(locked)).scalar_one():
                return []
            now = self._now()
            found = await connection.execute(_HELD, {"lease": self._lease, "now": now})
            dead = [row.executor_id for row in found if row.executor_id != self._executor]
            if dead:
                await asyncio.to_thread(recover, dead)
                await connection.execute(
                    sa.delete(leases).where(leases.c.expires < now - self._lease * 100)
                )
            return dead
