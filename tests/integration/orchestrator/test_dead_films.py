"""Runs of films that end in the engine: whoever tidies up is told whether a part was away."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from dbos import DBOS

from services.common.database import Database
from services.common.errors import Unavailable
from services.orchestrator import __main__ as orchestrator
from services.orchestrator.durable import runtime
from services.orchestrator.durable.housekeeping import Housekeeping, Orphans
from services.orchestrator.durable.names import MAKE_FILM, engine_url
from services.orchestrator.durable.orders import DurableOrders
from services.orchestrator.durable.queues import Bells
from services.orchestrator.durable.runtime import EngineSettings, running_engine
from services.orchestrator.usecases.caching import NoCache


class Steps:
    """Films of which one finds a part of ours away for ever, and one a defect."""

    async def begin(self, film_run: str) -> dict[str, Any]:
        if film_run == "away.1":
            raise Unavailable
        msg = "a defect"
        raise ValueError(msg)


class Graves:
    """Keeps which films were given up, and whether because something was away."""

    def __init__(self) -> None:
        self.films: dict[str, bool] = {}

    async def abandon(self, film_run: str, *, away: bool) -> None:
        self.films[film_run] = away


async def test_who_tidies_up_knows_a_part_that_was_away_from_a_defect(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runtime, "MOST_TRIES", 1)
    url = f"sqlite:///{tmp_path / 'test.sqlite'}"
    steps: Any = Steps()
    graves: Any = Graves()
    nothing: Any = None
    orders, rows = DurableOrders(url), sa.create_engine(engine_url(url))
    settings = EngineSettings(database_url=url, executor="test", polling_seconds=0.2)
    async with Database(url, schema="orchestrator") as database:
        await orchestrator.migrate_all(database, url)
        tidy = Housekeeping(
            database,
            Orphans(finish=nothing, films=graves, edits=nothing),
            cache=NoCache(),
            now=lambda: datetime.now(UTC),
            deadline=timedelta(hours=1),
        )
        try:
            async with running_engine(settings, steps, steps, steps, Bells()):
                with rows.begin() as connection:
                    orders.film(connection, "away.1")
                    orders.film(connection, "broken.1")
                for film_run in ("away.1", "broken.1"):
                    over: Any = await DBOS.retrieve_workflow_async(f"{MAKE_FILM}.{film_run}")
                    with pytest.raises(RuntimeError):
                        await over.get_result()
                await tidy.tidy()
        finally:
            orders.close()
            rows.dispose()
    assert graves.films == {"away.1": True, "broken.1": False}
