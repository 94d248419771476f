"""Edits of pictures have a queue of their own: jobs keep no edit waiting, nor edits a job."""

import asyncio
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from services.orchestrator.durable.names import engine_url
from services.orchestrator.durable.orders import DurableOrders
from services.orchestrator.durable.queues import Bells
from services.orchestrator.durable.runtime import EngineSettings, migrate_engine, running_engine


class Steps:
    """Steps of jobs that wait until they may, and of edits, which tell that they were made."""

    def __init__(self) -> None:
        self.made: asyncio.Queue[str] = asyncio.Queue()
        self.jobs, self.edits = asyncio.Event(), asyncio.Event()

    async def prepare(self, job_id: str) -> dict[str, Any]:
        await self.jobs.wait()
        return {"models": [], "variations": 0}

    async def finish(self, job_id: str) -> None:
        self.made.put_nowait(job_id)

    async def edit(self, edit_id: str) -> None:
        await self.edits.wait()
        self.made.put_nowait(edit_id)


async def test_an_edit_waits_behind_no_job_and_a_job_behind_no_edit(tmp_path: Path):
    url = f"sqlite:///{tmp_path / 'test.sqlite'}"
    await migrate_engine(url)
    steps: Any = Steps()
    settings = EngineSettings(
        database_url=url, executor="test", jobs_at_once=1, edits_at_once=1, polling_seconds=0.2
    )
    orders, rows = DurableOrders(url), sa.create_engine(engine_url(url))
    try:
        async with asyncio.timeout(50), running_engine(settings, steps, steps, steps, Bells()):
            with rows.begin() as connection:
                for number in range(2):
                    orders.generate(connection, f"job{number}")
                    orders.edit(connection, f"edit{number}", 2 - number)
            steps.edits.set()
            assert [await steps.made.get() for _ in range(2)] == ["edit1", "edit0"], "by place"
            steps.edits.clear()
            with rows.begin() as connection:
                orders.edit(connection, "edit2")
            steps.jobs.set()
            assert {await steps.made.get() for _ in range(2)} == {"job0", "job1"}
            steps.edits.set()
            assert await steps.made.get() == "edit2"
    finally:
        orders.close()
        rows.dispose()
