"""Edits of pictures have a queue of their own: jobs keep no edit waiting, nor edits a job."""

import asyncio
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from reelmesh.orchestrator.v1 import character_service_pb2 as pb
from reelmesh.orchestrator.v1.character_service_pb2_grpc import CharacterServiceStub
from reelmesh.orchestrator.v1.film_service_pb2 import CharacterSheet
from reelmesh.orchestrator.v1.video_service_pb2 import Routing
from services.common.errors import FailedPrecondition, NoModel, RateLimited
from services.orchestrator import worker
from services.orchestrator.durable.names import engine_url
from services.orchestrator.durable.orders import DurableOrders
from services.orchestrator.durable.queues import Bells
from services.orchestrator.durable.runtime import EngineSettings, migrate_engine, running_engine
from tests.integration.orchestrator.conftest import house_on
from tests.integration.orchestrator.films import local
from tests.integration.orchestrator.test_admission import set_policy


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


async def test_an_edit_begins_when_its_own_process_has_accepted_it(
    tmp_path: Path, nats_url: str, monkeypatch: pytest.MonkeyPatch
):
    """Nobody would look by himself for an hour, and nothing of an edit comes over the bus."""
    monkeypatch.setattr(worker, "EngineSettings", partial(EngineSettings, polling_seconds=3600))
    async with house_on(tmp_path, nats_url) as house, house.client() as acme:
        house.generator.models += [local("painter", "image")]
        people: Any = CharacterServiceStub(acme.channel)
        sheet = CharacterSheet(name="Emma", description="a girl on a hill")
        emma = (await people.SetCharacter(pb.SetCharacterRequest(sheet=sheet))).character.name
        edit = (await people.EditImage(pb.EditImageRequest(character=emma, prompt="at sea"))).edit
        async with asyncio.timeout(50):
            while edit.state != edit.STATE_SUCCEEDED:
                await asyncio.sleep(0.05)
                found = await people.GetImageEdit(pb.GetImageEditRequest(name=edit.name))
                edit = found.edit


async def test_edits_are_counted_with_jobs_and_stop_with_their_tenants_switch(
    tmp_path: Path, nats_url: str
):
    async with house_on(tmp_path, nats_url) as house, house.client() as acme:
        house.generator.models += [local("painter", "image")]
        people: Any = CharacterServiceStub(acme.channel)
        sheet = CharacterSheet(name="Emma", description="a girl on a hill")
        emma = (await people.SetCharacter(pb.SetCharacterRequest(sheet=sheet))).character.name
        wish = pb.EditImageRequest(character=emma, prompt="at sea")
        await set_policy(house, jobs_per_minute=2)
        await acme.generate()
        await people.EditImage(wish)
        with pytest.raises(RateLimited):
            await people.EditImage(wish)
        await set_policy(house, paused=True)
        with pytest.raises(FailedPrecondition, match="paused"):
            await people.EditImage(wish)
        await set_policy(house, preferences=Routing(deny=["painter"]))
        with pytest.raises(NoModel):
            await people.EditImage(wish)
        assert len((await people.ListImageEdits(pb.ListImageEditsRequest())).edits) == 1


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
