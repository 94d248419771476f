"""`JobStore` on SQLite and PostgreSQL, with the engine's own tables beside it."""

import asyncio
import inspect
import re
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from dbos import DBOS, DBOSClient
from dbos._queue import queue_worker_thread

from services.common.database import Database
from services.common.errors import AlreadyEnded, NotFound, RequestConflict
from services.common.ids import new_id
from services.orchestrator import __main__ as orchestrator
from services.orchestrator.adapters.request_ids import REQUEST_ID_LIFETIME
from services.orchestrator.adapters.sql_jobs import SqlJobs
from services.orchestrator.adapters.tables import job_events, jobs, requests
from services.orchestrator.domain.job import JobState
from services.orchestrator.domain.ports import JobFilter
from services.orchestrator.durable.names import engine_url
from services.orchestrator.durable.orders import DurableOrders
from tests.unit.orchestrator.examples import NOW, queued, request

pytestmark = pytest.mark.timeout(60)


class Broken:
    """An engine that refuses the order inside the transaction."""

    def generate(self, connection, job_id, place=0):
        raise RuntimeError("the engine is away")

    cancel = generate


@asynccontextmanager
async def store(database_url, now=NOW, orders=None):
    """A store on a migrated database that the engine has prepared."""
    async with Database(database_url, schema="orchestrator") as database:
        await orchestrator.migrate_all(database, database_url)
        real = DurableOrders(database_url)
        try:
            yield SqlJobs(database, orders or real, now=lambda: now), database
        finally:
            real.close()


def job(**changes):
    """A job of its own."""
    return replace(queued(), id=new_id(), **changes)


async def rows(database, *tables):
    """How many rows each table has."""
    async with database.read() as connection:
        counts = [
            await connection.execute(sa.select(sa.func.count()).select_from(t)) for t in tables
        ]
        return [count.scalar_one() for count in counts]


async def test_accepting_writes_job_event_request_and_order_at_once(database_url):
    async with store(database_url) as (found, database):
        wanted = job(request_id="r1")
        assert await found.accept(wanted) == (wanted, False)
        assert await found.get("acme", wanted.id) == wanted
        assert [e.kind for e in await found.events(wanted.id, 0)] == ["accepted"]
        assert await rows(database, jobs, job_events, requests) == [1, 1, 1]
        client = DBOSClient(system_database_url=engine_url(database_url))
        order: Any = await client.retrieve_workflow_async(f"generate_video.{wanted.id}")
        assert (await order.get_status()).status == "ENQUEUED"
        client.destroy()


async def test_an_order_that_fails_leaves_nothing(database_url):
    async with store(database_url, orders=Broken()) as (found, database):
        with pytest.raises(RuntimeError):
            await found.accept(job(request_id="r1"))
        assert await rows(database, jobs, job_events, requests) == [0, 0, 0]


async def test_concurrent_twins_become_one_job(database_url):
    async with store(database_url) as (found, database):
        twins = [job(request_id="r1") for _ in range(20)]
        answers = await asyncio.gather(*map(found.accept, twins))
        assert len({answer.id for answer, _ in answers}) == 1
        assert sorted(known for _, known in answers) == [False] + [True] * 19
        assert await rows(database, jobs, job_events, requests) == [1, 1, 1]


async def test_another_body_under_the_same_request_id_is_refused(database_url):
    async with store(database_url) as (found, database):
        await found.accept(job(request_id="r1"))
        with pytest.raises(RequestConflict):
            await found.accept(job(request_id="r1", request=request(prompt="another")))
        await found.accept(job(request_id="r1", tenant="other"))
        assert await rows(database, jobs) == [2]


async def test_a_request_id_is_free_again_after_a_day(database_url):
    async with store(database_url) as (found, _):
        first, _ = await found.accept(job(request_id="r1"))
    later = NOW + REQUEST_ID_LIFETIME + timedelta(seconds=1)
    async with store(database_url, now=later) as (found, _):
        second, known = await found.accept(job(request_id="r1", create_time=later))
        assert (known, second.id != first.id) == (False, True)


async def test_another_tenants_job_is_not_found(database_url):
    async with store(database_url) as (found, _):
        mine, _ = await found.accept(job())
        for call in (found.get, found.request_cancel):
            with pytest.raises(NotFound):
                await call("other", mine.id)
        assert await found.list("other", JobFilter(limit=10)) == []


async def test_concurrent_changes_are_made_one_after_the_other(database_url):
    async with store(database_url) as (found, _):
        mine, _ = await found.accept(job())
        await found.change(mine.id, "started", lambda j: j.started(NOW))

        def bump(j):
            return replace(j, sequence=j.sequence + 1, warnings=(*j.warnings, "one more"))

        await asyncio.gather(*(found.change(mine.id, "progress", bump) for _ in range(30)))
        last = await found.read(mine.id)
        assert (last.sequence, len(last.warnings)) == (32, 30)
        events = await found.events(mine.id, 0)
        assert [e.sequence for e in events] == list(range(1, 33))
        assert [e.sequence for e in await found.events(mine.id, 30)] == [31, 32]


async def test_a_change_from_what_is_known_is_made_on_the_newest_state(database_url):
    async with store(database_url) as (found, _):
        mine, _ = await found.accept(job())
        begun = await found.change(mine.id, "started", lambda j: j.started(NOW), known=mine)

        def bump(j):
            return replace(j, sequence=j.sequence + 1, warnings=(*j.warnings, "one more"))

        stale = (found.change(mine.id, "progress", bump, known=begun) for _ in range(10))
        await asyncio.gather(*stale)
        last = await found.read(mine.id)
        assert (last.sequence, len(last.warnings)) == (12, 10)
        events = await found.events(mine.id, 0)
        assert [e.sequence for e in events] == list(range(1, 13))
        assert events[-1].job == last
        assert [e.kind for e in events[:3]] == ["accepted", "started", "progress"]


async def test_a_change_that_stale_knowledge_would_not_make_is_decided_anew(database_url):
    async with store(database_url) as (found, _):
        mine, _ = await found.accept(job())
        await found.change(mine.id, "started", lambda j: j.started(NOW))
        asked = []

        def only_when_running(j):
            asked.append(j.state)
            return j.ended(NOW, JobState.CANCELLED) if j.state == "running" else None

        done = await found.change(mine.id, "ended", only_when_running, known=mine)
        assert asked == ["queued", "running"]
        assert done.state == "cancelled"


async def test_a_change_that_has_nothing_to_do_writes_nothing(database_url):
    async with store(database_url) as (found, database):
        mine, _ = await found.accept(job())
        assert await found.change(mine.id, "progress", lambda _: None) == mine
        assert await rows(database, job_events) == [1]


async def test_cancelling_is_ordered_once_and_not_after_the_end(database_url):
    async with store(database_url) as (found, _):
        mine, _ = await found.accept(job())
        first = await found.request_cancel("acme", mine.id)
        assert (first.state, await found.request_cancel("acme", mine.id)) == ("cancelling", first)
        await found.change(mine.id, "ended", lambda j: j.ended(NOW, JobState.CANCELLED))
        with pytest.raises(AlreadyEnded):
            await found.request_cancel("acme", mine.id)


async def test_pages_do_not_move_under_inserts(database_url):
    async with store(database_url) as (found, _):
        for _ in range(9):
            await found.accept(job())
        first = await found.list("acme", JobFilter(limit=4))
        await found.accept(job())
        second = await found.list("acme", JobFilter(limit=4, before=first[-1].id))
        third = await found.list("acme", JobFilter(limit=4, before=second[-1].id))
        seen = [j.id for j in (*first, *second, *third)]
        assert len(seen) == len(set(seen)) == 9
        assert seen == sorted(seen, reverse=True)


async def test_lists_filter_by_state_creative_and_project(database_url):
    async with store(database_url) as (found, _):
        a, _ = await found.accept(job(request=request(creative_id="c1", project="p1")))
        b, _ = await found.accept(job(request=request(creative_id="c2", project="p1")))
        await found.change(b.id, "started", lambda j: j.started(NOW))

        async def ids(**wanted):
            return [j.id for j in await found.list("acme", JobFilter(limit=10, **wanted))]

        assert await ids(creative_id="c1") == [a.id]
        assert await ids(project="p1") == [b.id, a.id]
        assert await ids(states=(JobState.RUNNING,)) == [b.id]
        assert await ids(states=(JobState.QUEUED, JobState.RUNNING)) == [b.id, a.id]
        assert await ids(project="p2") == []


def test_the_engine_still_has_what_we_lean_on():
    recover = inspect.signature(DBOS._recover_pending_workflows)
    assert list(recover.parameters) == ["executor_ids"]
    loop = inspect.signature(queue_worker_thread)
    assert list(loop.parameters) == ["stop_event", "dbos", "queue"]
    waits = re.findall(r"stop_event\.(\w+)", inspect.getsource(queue_worker_thread))
    assert set(waits) == {"is_set", "wait"}  # all that `durable.queues.Bell` changes or keeps
    assert list(inspect.signature(DBOS.reserve_step).parameters) == []
    enqueue = inspect.signature(DBOSClient.enqueue_in_transaction)
    assert list(enqueue.parameters) == ["self", "conn_or_session", "options", "args", "kwargs"]
    assert "patch_async" in dir(DBOS)
    assert Path(orchestrator.MIGRATIONS, "versions", "0001_jobs.py").exists()


def batch(*prompts, name="b1"):
    """Jobs of a batch, as the use case makes them."""
    return [
        replace(job(), request=request(prompt=p), request_id=f"{name}/{i}")
        for i, p in enumerate(prompts)
    ]


async def test_a_batch_is_written_once_and_whole(database_url):
    async with store(database_url) as (found, database):
        first, replayed = await found.accept_all(batch("a", "b", "c"), "b1")
        assert not replayed
        assert await rows(database, jobs, job_events, requests) == [3, 3, 4]
        assert await found.unfinished("acme") == 3
        again, replayed = await found.accept_all(batch("a", "b", "c"), "b1")
        assert replayed
        assert [j.id for j in again] == [j.id for j in first]
        assert [j.id for j in await found.known_all(batch("a", "b", "c"), "b1")] == [
            j.id for j in first
        ]
        assert await found.known_all(batch("a", name="b2"), "b2") is None
        for other in (batch("a", "b"), batch("a", "b", "x"), batch("a", "b", "c", "d")):
            with pytest.raises(RequestConflict):
                await found.accept_all(other, "b1")
            with pytest.raises(RequestConflict):
                await found.known_all(other, "b1")
        assert await rows(database, jobs, requests) == [3, 4]


async def test_a_batch_with_one_item_that_cannot_be_written_writes_nothing(database_url):
    async with store(database_url) as (found, database):
        await found.accept(replace(job(), request=request(prompt="x"), request_id="b1/2"))
        with pytest.raises(RequestConflict):
            await found.accept_all(batch("a", "b", "c"), "b1")
        assert await rows(database, jobs, requests) == [1, 1]
        assert await found.known_all(batch("a", "b", "c"), "b1") is None


async def test_ten_callers_with_one_batch_make_it_once(database_url):
    async with store(database_url) as (found, database):
        answers = await asyncio.gather(
            *(found.accept_all(batch("a", "b"), "b1") for _ in range(10))
        )
        assert sorted(replayed for _, replayed in answers) == [False] + [True] * 9
        assert len({tuple(j.id for j in made) for made, _ in answers}) == 1
        assert await rows(database, jobs) == [2]


async def test_only_what_has_not_ended_counts_as_unfinished(database_url):
    async with store(database_url) as (found, _):
        ends, stays = job(), job()
        for each in (ends, stays, replace(job(), tenant="other")):
            await found.accept(each)
        await found.change(ends.id, "ended", lambda j: j.ended(NOW, JobState.FAILED))
        assert await found.unfinished("acme") == 1
