"""How films were made before, and the voices of their characters, on SQLite or PostgreSQL."""

from collections.abc import Mapping
from datetime import timedelta

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from services.common.database import Database
from services.orchestrator.adapters.film_tables import strategy_runs, voices
from services.orchestrator.domain.films.strategy import (
    HISTORY,
    Experience,
    StrategyPerformance,
    StrategyRun,
    StrategyType,
)


class SqlHistory:
    """`domain.films.ports.HistoryStore`."""

    def __init__(self, database: Database) -> None:
        """Take the database."""
        self._database = database
        self._insert = sqlite.insert if database.is_sqlite else postgresql.insert

    async def record(self, film_run: str, strategy: StrategyType, run: StrategyRun) -> None:
        """See `HistoryStore.record`: what is older than the last 100 of its strategy goes."""
        row = {
            "film_run": film_run,
            "strategy": strategy,
            "execution_seconds": run.execution_time.total_seconds(),
            "succeeded": run.succeeded,
            "quality_score": run.quality_score,
        }
        mine = strategy_runs.c.strategy == strategy
        kept = sa.select(strategy_runs.c.position).where(mine)
        kept = kept.order_by(strategy_runs.c.position.desc()).limit(HISTORY)
        async with self._database.begin() as connection:
            insert = self._insert(strategy_runs).values(row).on_conflict_do_nothing()
            await connection.execute(insert)
            old = sa.delete(strategy_runs).where(mine & strategy_runs.c.position.not_in(kept))
            await connection.execute(old)

    async def experience(self) -> Experience:
        """See `HistoryStore.experience`."""
        statement = sa.select(strategy_runs).order_by(strategy_runs.c.position)
        found: dict[StrategyType, list[StrategyRun]] = {each: [] for each in StrategyType}
        async with self._database.read() as connection:
            for row in await connection.execute(statement):
                run = StrategyRun(
                    execution_time=timedelta(seconds=row.execution_seconds),
                    succeeded=row.succeeded,
                    quality_score=row.quality_score,
                )
                found[StrategyType(row.strategy)].append(run)
        return {strategy: StrategyPerformance.of(runs) for strategy, runs in found.items()}


class SqlVoices:
    """`domain.films.ports.VoiceStore`."""

    def __init__(self, database: Database) -> None:
        """Take the database."""
        self._database = database
        self._insert = sqlite.insert if database.is_sqlite else postgresql.insert

    async def voices(self, tenant: str, model: str) -> Mapping[str, str]:
        """See `VoiceStore.voices`."""
        mine = (voices.c.tenant == tenant) & (voices.c.model == model)
        async with self._database.read() as connection:
            rows = await connection.execute(sa.select(voices).where(mine))
            return {row.character: row.voice for row in rows}

    async def assign(self, tenant: str, model: str, character: str, voice: str) -> str:
        """See `VoiceStore.assign`: of two films that meet a character at once the first wins."""
        row = {"tenant": tenant, "model": model, "character": character, "voice": voice}
        insert = self._insert(voices).values(row).on_conflict_do_nothing()
        async with self._database.begin() as connection:
            await connection.execute(insert)
        return (await self.voices(tenant, model))[character]
