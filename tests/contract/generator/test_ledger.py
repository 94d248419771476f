"""One contract for every ledger: the one in memory that tests use, SQLite, PostgreSQL."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from services.common.database import Database
from services.common.errors import RequestConflict
from services.common.migrate import migrate
from services.generator.__main__ import MIGRATIONS
from services.generator.domain.callbacks import Callback
from services.generator.domain.facts import (
    Cost,
    Failure,
    Finding,
    Identity,
    Output,
    Progress,
    Quality,
    WordTime,
)
from services.generator.domain.generation import State, tombstone
from services.generator.domain.ports import Entry, Ledger
from services.generator.ledger import SqlLedger
from tests.fakes.generator_parts import START, MemoryLedger, entry, order

ME, OTHER = "me/1", "other/1"
OUTPUT = Output(
    sha256="ab",
    size_bytes=9,
    content_type="video/mp4",
    fps=23.976,
    seed=2**63 - 1,
    words=(WordTime(text="Habari", start_seconds=0.25, end_seconds=0.5),),
    quality=Quality(score=0.5, findings=(Finding(kind="black", penalty=0.5),)),
)


@pytest.fixture(params=["memory", "sqlite", "postgres"])
async def ledger(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Ledger]:
    if request.param == "memory":
        yield MemoryLedger()
        return
    url = f"sqlite:///{tmp_path}/l.db"
    if request.param == "postgres":
        url = request.getfixturevalue("postgres_url")
    async with Database(url, schema="generator") as database:
        await migrate(database, MIGRATIONS)
        yield SqlLedger(database)


async def test_the_same_request_id_finds_the_same_generation(ledger: Ledger) -> None:
    first, new = await ledger.open(entry("g1", request_id="r"), ME)
    again, repeated = await ledger.open(entry("g2", request_id="r"), ME)
    assert (new, repeated) == (True, False)
    assert again.generation == first.generation


async def test_a_request_id_belongs_to_its_tenant(ledger: Ledger) -> None:
    await ledger.open(entry("g1", request_id="r"), ME)
    _, new = await ledger.open(entry("g2", request_id="r", tenant="globex"), ME)
    assert new
    assert await ledger.get("globex", "g1") is None
    assert await ledger.find("initech", "r") is None


async def test_another_body_under_the_same_id_is_a_conflict(ledger: Ledger) -> None:
    await ledger.open(entry("g1", request_id="r"), ME)
    twin = entry("g2", request_id="r")
    other = replace(twin.generation, request_hash="other hash")
    conflicting = Entry(other, order("r", "other hash"))
    with pytest.raises(RequestConflict):
        await ledger.open(conflicting, ME)


async def test_what_is_written_soon_is_a_compare_and_set_as_well(ledger: Ledger) -> None:
    rows = [(await ledger.open(entry(f"g{number}"), ME))[0].generation for number in range(4)]
    begun = [row.accepted(f"job-{row.id}", "", at=START) for row in rows]
    told = await asyncio.gather(*(ledger.save(row, owner=ME, soon=True) for row in begun))
    assert told == [True] * 4
    further = [row.progressed(Progress(percent=30, source="provider")) for row in begun]
    await ledger.save(begun[1].cancelled(at=START))  # somebody was faster
    owners = (ME, ME, ME, OTHER)
    told = await asyncio.gather(
        *(
            ledger.save(row, owner=owner, soon=True)
            for row, owner in zip(further, owners, strict=True)
        )
    )
    assert told == [True, False, True, False]
    kept = [await ledger.get("acme", row.id) for row in rows]
    assert [row.progress for row in kept if row] == [30, 0, 30, 0]
    assert kept[1] is not None
    assert kept[1].state is State.CANCELLED


async def test_of_many_twins_at_once_one_is_new(ledger: Ledger) -> None:
    opened = await asyncio.gather(
        *(ledger.open(entry(f"g{number}", request_id="r"), ME) for number in range(8))
    )
    assert sum(new for _, new in opened) == 1
    assert len({found.generation.id for found, _ in opened}) == 1


async def test_every_fact_survives(ledger: Ledger) -> None:
    await ledger.open(entry(placeholder=True, warnings=("one",)), ME)
    present = entry(placeholder=True, warnings=("one",)).generation
    for after in (
        present.submitting(START),
        present.submitting(START).accepted("job|url", "id-1", at=START),
    ):
        assert await ledger.save(after, owner=ME)
        present = after
    progress = Progress(percent=40, source="provider", eta=START + timedelta(seconds=9))
    stored = present.progressed(progress).storing(("two",))
    for after in (
        present.progressed(progress),
        stored,
        stored.succeeded("assets/a", OUTPUT, Cost(micros=12, source="reported"), at=START),
    ):
        assert await ledger.save(after, owner=ME)
        assert await ledger.get("acme", "g1") == after
        present = after
    loaded = await ledger.load("g1")
    assert loaded == Entry(present, entry().order)


async def test_a_failure_survives(ledger: Ledger) -> None:
    await ledger.open(entry(), ME)
    why = Failure(
        reason="RATE_LIMITED", message="no", retryable=True, retry_after=2.5, metadata={"a": "b"}
    )
    failed = entry().generation.failed(why, at=START, cost=Cost(micros=0, source="free"))
    assert await ledger.save(failed, owner=ME, release=True)
    assert await ledger.get("acme", "g1") == failed


async def test_a_change_that_was_based_on_an_older_state_is_refused(ledger: Ledger) -> None:
    await ledger.open(entry(), ME)
    present = entry().generation
    assert await ledger.save(present.cancelled(at=START))
    assert not await ledger.save(present.submitting(START), owner=ME)
    found = await ledger.get("acme", "g1")
    assert found is not None
    assert (found.state, found.submissions) == (State.CANCELLED, 0)


async def test_of_two_changes_at_once_one_is_written(ledger: Ledger) -> None:
    await ledger.open(entry(), ME)
    present = entry().generation
    results = await asyncio.gather(
        *(ledger.save(present.cancelled(at=START)) for _ in range(4)),
        *(ledger.save(present.submitting(START), owner=ME) for _ in range(4)),
    )
    assert sum(results) == 1


async def test_only_the_owner_writes_as_the_owner(ledger: Ledger) -> None:
    await ledger.open(entry(), ME)
    assert not await ledger.save(entry().generation.submitting(START), owner=OTHER)


async def test_a_tombstone_keeps_a_later_request_from_being_sent(ledger: Ledger) -> None:
    assert await ledger.bury(tombstone("t1", "acme", "r-g1", at=START)) is None
    assert await ledger.find("acme", "r-g1") is None
    assert await ledger.get("acme", "t1") is None
    opened, new = await ledger.open(entry(), ME)
    assert not new
    assert (opened.generation.id, opened.generation.state) == ("t1", State.CANCELLED)
    again, _ = await ledger.open(entry("g9", request_id="r-g1"), ME)
    assert again.generation == opened.generation
    assert await ledger.get("acme", "t1") == opened.generation


async def test_a_tombstone_over_a_known_request_returns_it(ledger: Ledger) -> None:
    await ledger.open(entry(), ME)
    assert await ledger.bury(tombstone("t1", "acme", "r-g1", at=START)) == entry().generation


async def test_rows_of_the_dead_are_taken_over_once(ledger: Ledger) -> None:
    await ledger.heartbeat(OTHER, now=START)
    await ledger.open(entry("g1"), OTHER)
    await ledger.open(entry("g2"), ME)
    await ledger.heartbeat(ME, now=START)
    assert await ledger.claim(ME, dead_before=START) == []
    await ledger.heartbeat(ME, now=START + timedelta(seconds=10))
    cut = START + timedelta(seconds=4)
    claimed = await ledger.claim(ME, dead_before=cut)
    assert [found.generation.id for found in claimed] == ["g1"]
    assert await ledger.claim(ME, dead_before=cut) == []
    assert not await ledger.save(entry("g1").generation.submitting(START), owner=OTHER)


async def test_of_many_replicas_one_takes_a_row_over(ledger: Ledger) -> None:
    names = [f"replica{number}/1" for number in range(5)]
    for name in names:
        await ledger.heartbeat(name, now=START)
    for number in range(10):
        await ledger.open(entry(f"g{number}"), "dead/1")
    found = await asyncio.gather(*(ledger.claim(name, dead_before=START) for name in names))
    taken = [row.generation.id for rows in found for row in rows]
    assert sorted(taken) == sorted(f"g{number}" for number in range(10))


async def test_ended_and_released_rows_are_nobodys(ledger: Ledger) -> None:
    await ledger.open(entry("g1"), "dead/1")
    await ledger.open(entry("g2"), "dead/1")
    ended = entry("g1").generation.cancelled(at=START)
    assert await ledger.save(ended, owner="dead/1", release=True)
    await ledger.release("g2", "dead/1")
    await ledger.heartbeat(ME, now=START)
    assert await ledger.claim(ME, dead_before=START) == []
    assert await ledger.adopt("g2", ME)
    assert not await ledger.adopt("g2", OTHER)


async def test_a_heartbeat_tells_what_others_cancelled(ledger: Ledger) -> None:
    await ledger.open(entry("g1"), ME)
    await ledger.open(entry("g2"), ME)
    assert list(await ledger.heartbeat(ME, now=START)) == []
    assert await ledger.save(entry("g1").generation.cancelled(at=START))
    assert list(await ledger.heartbeat(ME, now=START)) == ["g1"]


async def test_a_restarted_replica_inherits_at_once(ledger: Ledger) -> None:
    await ledger.heartbeat("pod-1/old", now=START)
    await ledger.heartbeat("pod-10/x", now=START)
    await ledger.open(entry("g1"), "pod-1/old")
    await ledger.open(entry("g2"), "pod-10/x")
    await ledger.succeed("pod-1", "pod-1/new")
    await ledger.heartbeat("pod-1/new", now=START)
    claimed = await ledger.claim("pod-1/new", dead_before=START - timedelta(seconds=6))
    assert [found.generation.id for found in claimed] == ["g1"]


async def test_a_replica_that_ends_leaves_its_rows_to_others_at_once(ledger: Ledger) -> None:
    await ledger.heartbeat(ME, now=START)
    await ledger.heartbeat(OTHER, now=START)
    await ledger.open(entry("g1"), OTHER)
    await ledger.retire(OTHER)
    assert len(await ledger.claim(ME, dead_before=START - timedelta(seconds=6))) == 1


async def test_a_credential_never_has_more_jobs_under_way_than_its_limit(ledger: Ledger) -> None:
    for number in range(8):
        await ledger.open(entry(f"g{number}"), ME)

    async def send(number: int) -> bool | None:
        after = entry(f"g{number}").generation.submitting(START)
        return await ledger.save_within(after, owner=ME, limit=3)

    results = await asyncio.gather(*(send(number) for number in range(8)))
    assert sorted(map(str, results)) == ["None"] * 5 + ["True"] * 3
    sent = [number for number, result in enumerate(results) if result]
    running = entry(f"g{sent[0]}").generation.submitting(START)
    assert await ledger.save(running.cancelled(at=START))
    left = next(number for number in range(8) if number not in sent)
    assert await send(left) is None  # cancelled, and not yet known to have stopped at the vendor
    await ledger.release(running.id, ME)
    assert await send(left) is True


async def test_a_limit_holds_for_one_credential(ledger: Ledger) -> None:
    await ledger.open(entry("g1"), ME)
    other = Identity(provider="vendor", credential="OTHER_KEY")
    await ledger.open(entry("g2", identity=other), ME)
    first, second = entry("g1").generation, entry("g2", identity=other).generation
    assert await ledger.save_within(first.submitting(START), owner=ME, limit=1)
    assert await ledger.save_within(second.submitting(START), owner=ME, limit=1)
    assert await ledger.save_within(first.submitting(START), owner=ME, limit=9) is False


async def test_a_call_whose_answer_was_lost_counts_for_a_while(ledger: Ledger) -> None:
    """The vendor may be at work on it: one more would be one too many."""
    lost, other = entry("g1").generation.submitting(START), entry("g2").generation
    await ledger.open(entry("g1"), ME)
    await ledger.open(entry("g2"), ME)
    assert await ledger.save_within(lost, owner=ME, limit=1)
    why = Failure(reason="UNKNOWN_OUTCOME", message="lost")
    assert await ledger.save(lost.unknown(why), owner=ME)
    soon, later = START + timedelta(minutes=9), START + timedelta(minutes=11)
    assert await ledger.save_within(other.submitting(soon), owner=ME, limit=1) is None
    assert await ledger.save_within(other.submitting(later), owner=ME, limit=1)


async def test_what_was_sent_in_a_time_is_found_by_its_provider(ledger: Ledger) -> None:
    await ledger.open(entry("g1"), ME)
    await ledger.open(entry("g2"), ME)
    assert await ledger.save(entry("g1").generation.submitting(START), owner=ME)
    day = START - timedelta(hours=1), START + timedelta(hours=1)
    assert [one.id for one in await ledger.sent("vendor", *day)] == ["g1"]
    assert await ledger.sent("nobody", *day) == []
    assert await ledger.sent("vendor", day[0], START) == []


async def test_a_callback_is_kept_once_and_told_once_to_whoever_drives(ledger: Ledger) -> None:
    await ledger.open(entry("g1"), ME)
    await ledger.open(entry("g2", request_id="r2"), OTHER)
    progress, end = Callback(message="m1"), Callback(message="m2", job="job-7")
    assert await ledger.note("g1", progress, now=START)
    assert await ledger.called_back("g1") == ""
    assert await ledger.note("g1", end, now=START + timedelta(seconds=1))
    assert not await ledger.note("g1", end, now=START + timedelta(seconds=2))
    assert await ledger.note("g2", end, now=START)  # another generation's message of that name
    assert await ledger.called_back("g1") == "job-7"
    assert list(await ledger.news(ME)) == ["g1"]
    assert list(await ledger.news(ME)) == []
    assert list(await ledger.news(OTHER)) == ["g2"]
