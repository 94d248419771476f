"""`FilmStore`, `HistoryStore` and `VoiceStore` on SQLite and PostgreSQL."""

import asyncio
from contextlib import asynccontextmanager
from dataclasses import asdict, replace
from datetime import timedelta
from importlib import import_module
from typing import Any

import pytest
import sqlalchemy as sa
from alembic.migration import MigrationContext
from alembic.operations import Operations
from dbos import DBOSClient

from services.common.database import Database
from services.common.errors import AlreadyEnded, Internal, NotFound, RequestConflict
from services.common.ids import new_id
from services.orchestrator import __main__ as orchestrator
from services.orchestrator.adapters import sql_films
from services.orchestrator.adapters.film_history import SqlHistory, SqlVoices
from services.orchestrator.adapters.film_tables import character_sheets
from services.orchestrator.adapters.image_tables import character_versions
from services.orchestrator.adapters.newest_films import NewestFilms
from services.orchestrator.adapters.sql_characters import SqlCharacters
from services.orchestrator.adapters.sql_edits import SqlEdits
from services.orchestrator.adapters.sql_films import SqlFilms, load
from services.orchestrator.domain.films.at_work import Dropped
from services.orchestrator.domain.films.characters import CharacterSheet
from services.orchestrator.domain.films.film import Film, FilmState
from services.orchestrator.domain.films.strategy import HISTORY, StrategyRun, StrategyType
from services.orchestrator.domain.films.tasks import Piece, Word
from services.orchestrator.domain.images.edits import ImageEdit, Subject
from services.orchestrator.domain.images.versions import MAX_VERSIONS, character_id
from services.orchestrator.domain.values import Failure
from services.orchestrator.durable.names import engine_url
from services.orchestrator.durable.orders import DurableOrders
from tests.fakes.film_parts import NOW
from tests.unit.orchestrator.films.films import film

pytestmark = pytest.mark.timeout(60)


@pytest.fixture(scope="module", params=["sqlite", "postgres"])
def url(request, tmp_path_factory):
    """A migrated database for all tests of this file: each has a tenant of its own."""
    if request.param == "sqlite":
        found = f"sqlite:///{tmp_path_factory.mktemp('films') / 'films.sqlite'}"
    else:
        found = request.getfixturevalue("postgres_server").create_database()
    asyncio.run(_migrated(found))
    return found


async def _migrated(location):
    async with Database(location, schema="orchestrator") as database:
        await orchestrator.migrate_all(database, location)


@asynccontextmanager
async def store(url):
    """A store whose committed films are kept in a list."""
    async with Database(url, schema="orchestrator") as database:
        orders = DurableOrders(url)
        told: list[Film] = []
        try:
            yield SqlFilms(database, orders, now=lambda: NOW, committed=told.append), told
        finally:
            orders.close()


@pytest.fixture
def acme():
    """A tenant of the test's own."""
    return new_id()


def wanted(tenant, **changes):
    """A film of its own."""
    return replace(film(), id=new_id(), tenant=tenant, **changes)


async def ordered(url, workflow):
    client = DBOSClient(system_database_url=engine_url(url))
    try:
        order: Any = await client.retrieve_workflow_async(workflow)
        return (await order.get_status()).status
    finally:
        client.destroy()


async def test_a_film_comes_back_as_it_was_accepted_with_its_order(url, acme):
    async with store(url) as (films, told):
        mine = wanted(acme, request_id="r1")
        assert await films.accept(mine, "print") == (mine, False)
        assert await films.get(acme, mine.id) == mine
        assert told == [mine]
        assert await ordered(url, f"make_film.{mine.id}.1") == "ENQUEUED"


async def test_the_same_request_is_the_same_film_and_another_is_refused(url, acme):
    async with store(url) as (films, told):
        twins = [wanted(acme, request_id="r1") for _ in range(10)]
        answers = await asyncio.gather(*(films.accept(twin, "print") for twin in twins))
        assert len({found.id for found, _ in answers}) == 1
        assert sorted(known for _, known in answers) == [False] + [True] * 9
        assert len(told) == 1
        with pytest.raises(RequestConflict):
            await films.accept(wanted(acme, request_id="r1"), "another")
        with pytest.raises(RequestConflict):
            await films.known(acme, "r1", "another")
        await films.accept(wanted(new_id(), request_id="r1"), "print")


async def test_films_without_a_request_id_are_all_different(url, acme):
    async with store(url) as (films, _):
        for _ in range(3):
            await films.accept(wanted(acme), "print")
        assert len(await films.list(acme, "", 10)) == 3
        assert await films.known(acme, "", "print") is None


async def test_what_a_film_becomes_is_kept_to_the_last_field(url, acme):
    async with store(url) as (films, told):
        mine, _ = await films.accept(wanted(acme), "print")
        words = (Word(text="This", start=0.0, end=0.25),)
        piece = Piece(asset="assets/a1", sha256="00", duration_seconds=1.5, words=words)

        def move(found):
            return found.with_task(NOW, "s1.audio", lambda task: task.done(NOW, (piece,)))

        changed = await films.change(mine.id, move)
        assert await films.read(mine.id) == changed == told[-1]
        assert changed.task("s1.audio").pieces == (piece,)
        assert await films.change(mine.id, lambda _: None) == changed


async def test_another_tenants_film_is_not_found(url, acme):
    async with store(url) as (films, _):
        mine, _ = await films.accept(wanted(acme), "print")
        calls = [
            films.get("other", mine.id),
            films.request_cancel("other", mine.id),
            films.set_going("other", mine.id, lambda found: found.resumed(NOW)),
        ]
        for call in calls:
            with pytest.raises(NotFound):
                await call
        assert await films.list("other", "", 10) == []


async def test_concurrent_changes_are_made_one_after_the_other(url, acme):
    async with store(url) as (films, _):
        mine, _ = await films.accept(wanted(acme), "print")

        def bump(found):
            return found.changed(NOW, warnings=(*found.warnings, "one more"))

        await asyncio.gather(*(films.change(mine.id, bump) for _ in range(20)))
        last = await films.read(mine.id)
        assert (last.sequence, len(last.warnings)) == (21, 20)


async def test_a_state_that_is_known_is_not_read_again_and_what_others_change_is(
    url, acme, monkeypatch
):
    read = []

    def counting(plan, status):
        read.append(status)
        return load(plan, status)

    def bump(found):
        return found.changed(NOW, warnings=(*found.warnings, "one more"))

    monkeypatch.setattr(sql_films, "load", counting)
    async with store(url) as (mine, _), store(url) as (other, _):
        kept, _ = await mine.accept(wanted(acme), "print")
        for _ in range(5):
            await mine.change(kept.id, bump)
            await mine.get(acme, kept.id)
        assert len(read) == 1, "the first change reads what was accepted"
        for here, there in ((other, mine), (mine, other)):
            changed = await here.change(kept.id, bump)
            assert await there.read(kept.id) == changed
        assert len(read) == 4
        assert len((await mine.read(kept.id)).warnings) == 7
        with pytest.raises(NotFound):
            await mine.get("other", kept.id)


async def test_a_change_that_is_not_committed_is_not_known(url, acme):
    async with store(url) as (films, _):
        mine, _ = await films.accept(wanted(acme), "print")
        await films.change(mine.id, lambda found: found.started(NOW))
        before = await films.read(mine.id)

        class Away:
            def cancel_film(self, connection, film_run):
                raise ConnectionError

        films._orders, kept = Away(), films._orders
        with pytest.raises(ConnectionError):
            await films.request_cancel(acme, mine.id)
        films._orders = kept
        assert await films.read(mine.id) == before
        with pytest.raises(Internal, match="sequence"):
            await films.change(mine.id, lambda found: replace(found, warnings=("unmoved",)))
        assert await films.read(mine.id) == before


def test_films_in_use_are_kept_up_to_so_many_tasks():
    newest = NewestFilms(most_tasks=2 * len(film().tasks))
    first, second, third = (replace(film(), id=name) for name in "abc")
    for each in (first, second, first, third):
        newest.keep(each)
        newest.known("a", 1)
    assert [newest.known(name, 1) for name in "abc"] == [first, None, third]
    newer = first.changed(NOW)
    newest.keep(newer)
    newest.keep(first)
    assert (newest.known("a", 1), newest.known("a", 2)) == (None, newer)


async def test_setting_going_orders_the_new_run_and_keeps_new_words(url, acme):
    async with store(url) as (films, _):
        mine, _ = await films.accept(wanted(acme), "print")
        await films.change(mine.id, lambda found: found.started(NOW))
        await films.change(mine.id, lambda found: found.ended(NOW, FilmState.FAILED))
        told = replace(mine.shots[0], prompt="a dhow at night")
        again = await films.set_going(acme, mine.id, lambda found: found.remade(NOW, told))
        assert again.run == 2
        assert "at night" in (await films.read(mine.id)).shots[0].prompt
        assert await ordered(url, f"make_film.{mine.id}.2") == "ENQUEUED"


async def test_what_is_dropped_is_ordered_to_be_stopped_each_time_and_with_it(url, acme):
    async with store(url) as (films, _):
        mine, _ = await films.accept(wanted(acme), "print")
        for run in (1, 2):
            clip = mine.tasks[-1].id
            job = f"job-of-{run}"
            await films.change(
                mine.id,
                lambda f, job=job, clip=clip: f.started(NOW).with_task(
                    NOW, clip, lambda task: replace(task.begun(NOW), job=job)
                ),
            )
            await films.request_cancel(acme, mine.id)
            await films.change(mine.id, lambda found: found.ended(NOW, FilmState.CANCELLED))
            again = await films.set_going(acme, mine.id, lambda found: found.resumed(NOW))
            assert again.dropped[-1] == Dropped(job=job)
            stop = f"cancel_film.{mine.id}.{again.run}.{again.sequence}"
            assert await ordered(url, stop) == "ENQUEUED"
            assert (await films.read(mine.id)).dropped == again.dropped


async def test_cancelling_is_ordered_once_and_not_after_the_end(url, acme):
    async with store(url) as (films, _):
        mine, _ = await films.accept(wanted(acme), "print")
        first = await films.request_cancel(acme, mine.id)
        assert (first.state, await films.request_cancel(acme, mine.id)) == ("cancelling", first)
        assert await ordered(url, f"cancel_film.{mine.id}.1") == "ENQUEUED"
        await films.change(mine.id, lambda found: found.ended(NOW, FilmState.CANCELLED))
        with pytest.raises(AlreadyEnded):
            await films.request_cancel(acme, mine.id)


async def test_a_film_that_waits_for_approval_is_not_ordered_and_ends_at_once(url, acme):
    async with store(url) as (films, _):
        mine, _ = await films.accept(wanted(acme, state=FilmState.AWAITING_APPROVAL), "print")
        client = DBOSClient(system_database_url=engine_url(url))
        prefix = f"make_film.{mine.id}"
        assert await client.list_workflows_async(workflow_id_prefix=prefix) == []
        client.destroy()
        assert (await films.request_cancel(acme, mine.id)).state == "cancelled"


async def test_a_film_for_later_is_ordered_for_later_and_ends_at_once_when_cancelled(url, acme):
    async with store(url) as (films, _):
        later = film(start_time=NOW + timedelta(hours=8)).brief
        mine, _ = await films.accept(wanted(acme, brief=later), "print")
        assert await ordered(url, f"make_film.{mine.id}.1") == "DELAYED"
        assert (await films.request_cancel(acme, mine.id)).state == "cancelled"
        begun = film(start_time=NOW - timedelta(hours=8)).brief
        mine, _ = await films.accept(wanted(acme, brief=begun), "print")
        assert await ordered(url, f"make_film.{mine.id}.1") == "ENQUEUED"
        assert (await films.request_cancel(acme, mine.id)).state == "cancelling"


async def test_pages_go_from_new_to_old(url, acme):
    async with store(url) as (films, _):
        made = [(await films.accept(wanted(acme), "print"))[0].id for _ in range(5)]
        page = await films.list(acme, "", 2)
        rest = await films.list(acme, page[-1].id, 10)
        assert [found.id for found in (*page, *rest)] == sorted(made, reverse=True)


async def test_a_page_reads_only_films_that_are_not_in_use_and_lets_others_work_between(
    url, acme, monkeypatch
):
    turns, read = [0], []

    def reading(plan, status):
        read.append(turns[0])
        return load(plan, status)

    async def others():
        while True:
            turns[0] += 1
            await asyncio.sleep(0)

    async with store(url) as (films, _):
        made = [(await films.accept(wanted(acme), "print"))[0] for _ in range(6)]
        used = [await films.change(one.id, lambda found: found.started(NOW)) for one in made[:2]]
        monkeypatch.setattr(sql_films, "load", reading)
        working = asyncio.create_task(others())
        page = await films.list(acme, "", 10)
        working.cancel()
        assert sorted(page, key=lambda one: one.id) == sorted(
            [*used, *made[2:]], key=lambda one: one.id
        )
        assert [one.id for one in page] == sorted((one.id for one in made), reverse=True)
    assert len(read) == 4
    assert len(set(read)) == 4, "nobody else had a turn between two films"


def run(seconds, *, succeeded=True, quality=0.5):
    spent = timedelta(seconds=seconds)
    return StrategyRun(execution_time=spent, succeeded=succeeded, quality_score=quality)


async def test_the_last_hundred_runs_of_each_strategy_are_kept_over_a_restart(url, acme):
    async with Database(url, schema="orchestrator") as database:
        history = SqlHistory(database)
        for number in range(HISTORY + 5):
            await history.record(f"{acme}{number}.1", StrategyType.PARALLEL, run(number))
        await history.record(
            f"{acme}.1", StrategyType.ADAPTIVE, run(8, succeeded=False, quality=0.0)
        )
        await history.record(f"{acme}.1", StrategyType.ADAPTIVE, run(9))  # the same run, told again
    async with Database(url, schema="orchestrator") as database:
        found = await SqlHistory(database).experience()
    parallel, adaptive = found[StrategyType.PARALLEL], found[StrategyType.ADAPTIVE]
    assert (parallel.total_executions, parallel.average_quality_score) == (100, 0.5)
    assert parallel.average_execution_time == timedelta(seconds=54.5)
    assert (adaptive.total_executions, adaptive.success_rate) == (1, 0.0)
    assert found[StrategyType.SEQUENTIAL].total_executions == 0


async def test_a_voice_is_given_once_and_belongs_to_one_tenant(url, acme):
    async with Database(url, schema="orchestrator") as database:
        voices = SqlVoices(database)
        wishes = ["en", "en+f1", "en+m1"]
        given = await asyncio.gather(*(voices.assign(acme, "m", "Emma", voice) for voice in wishes))
        assert len(set(given)) == 1
        assert await voices.voices(acme, "m") == {"Emma": given[0]}
        assert await voices.voices(new_id(), "m") == {}
        assert await voices.voices(acme, "n") == {}


async def test_of_a_characters_sheets_the_newest_is_kept_and_belongs_to_one_tenant(url, acme):
    older = CharacterSheet(name="Emma", description="ten")
    newer = CharacterSheet(name="Emma", reference="assets/emma", sha256="d1")
    tom = CharacterSheet(name="Tom", description="a fox")
    async with Database(url, schema="orchestrator") as database:
        sheets = SqlCharacters(database, now=lambda: NOW)
        for kept in ([older, tom], [newer], []):
            await sheets.keep(acme, kept)
        assert await sheets.sheets(acme, {"Emma", "Lucy"}) == [newer]
        assert await sheets.sheets(new_id(), {"Emma"}) == []


async def test_every_version_of_a_sheet_is_kept_once_and_the_newest_is_what_films_find(url, acme):
    red = CharacterSheet(name="Emma", description="in red")
    blue = CharacterSheet(name="Emma", description="in blue", reference="assets/blue", sha256="d1")
    async with Database(url, schema="orchestrator") as database:
        book = SqlCharacters(database, now=lambda: NOW)
        await book.keep(acme, [red, CharacterSheet(name="Tom", description="a fox")])
        assert await book.put(acme, red) == 1
        assert await book.put(acme, blue, "e1") == 2
        await book.keep(acme, [red])
        # A commit that a crash repeats does not take back what came after it.
        assert await book.put(acme, blue, "e1") == 2
        emma = character_id("Emma")
        versions = await book.versions(acme, emma)
        assert [(v.version, v.sheet, v.edit) for v in versions] == [
            (1, red, ""),
            (2, blue, "e1"),
            (3, red, ""),
        ]
        assert versions[0].create_time == NOW
        assert await book.sheets(acme, {"Emma"}) == [red]
        assert (await book.character(acme, emma)).version == 3
        everybody = await book.characters(acme, "", 9)
        assert {c.sheet.name: c.version for c in everybody} == {"Emma": 3, "Tom": 1}
        assert await book.characters(acme, everybody[0].id, 9) == everybody[1:]
        assert await book.characters(new_id(), "", 9) == []
        with pytest.raises(NotFound):
            await book.character(new_id(), emma)


async def test_characters_are_listed_by_name_page_after_page(url, acme):
    names = ["Anna", "Bea", "Cleo", "Dora", "Emma", "Flo"]
    async with Database(url, schema="orchestrator") as database:
        book = SqlCharacters(database, now=lambda: NOW)
        await book.keep(acme, [CharacterSheet(name=n, description="old") for n in names[::-1]])
        await book.put(acme, CharacterSheet(name="Bea", description="new"))
        told, after = [], ""
        while page := await book.characters(acme, after, 2):
            told += [(c.sheet.name, c.version) for c in page]
            after = page[-1].id
        assert told == [(name, 2 if name == "Bea" else 1) for name in names]
        anna = character_id("Anna")
        assert await book.characters(new_id(), anna, 9) == []
        assert len(await book.characters(acme, anna, 9)) == 5


async def test_versions_that_are_kept_at_once_have_numbers_of_their_own(url, acme):
    async with Database(url, schema="orchestrator") as database:
        book = SqlCharacters(database, now=lambda: NOW)
        looks = [CharacterSheet(name="Emma", description=f"look {n}") for n in range(6)]
        numbers = await asyncio.gather(*(book.put(acme, look) for look in looks))
        assert sorted(numbers) == [1, 2, 3, 4, 5, 6]
        newest = (await book.versions(acme, character_id("Emma")))[-1].sheet
        assert await book.sheets(acme, {"Emma"}) == [newest]


async def test_an_edits_sheet_without_words_keeps_those_of_the_newest_version(url, acme):
    green = CharacterSheet(name="Emma", description="in green")
    seen = CharacterSheet(name="Emma", reference="assets/seen", sha256="d1")
    async with Database(url, schema="orchestrator") as database:
        book = SqlCharacters(database, now=lambda: NOW)
        await book.put(acme, green)
        assert await book.put(acme, seen, "e1") == 2
        kept = replace(seen, description="in green")
        assert list(await book.sheets(acme, ["Emma"])) == [kept]
        assert (await book.character(acme, character_id("Emma"))).sheet == kept
        assert await book.put(acme, seen) == 3, "a sheet that is set has the words that it has"
        assert await book.put(acme, seen, "e1") == 2, "known by its edit"
        assert list(await book.sheets(acme, ["Emma"])) == [seen], "an old edit changes nothing"


async def test_a_sheet_that_is_set_again_is_the_one_that_films_find(url, acme):
    red = CharacterSheet(name="Emma", description="in red")
    mine = character_sheets.c.tenant == acme
    async with Database(url, schema="orchestrator") as database:
        book = SqlCharacters(database, now=lambda: NOW)
        await book.put(acme, red)
        async with database.begin() as connection:  # as a replica does that knows no versions
            await connection.execute(
                sa.update(character_sheets).where(mine).values(description="in blue")
            )
        assert await book.put(acme, red) == 1
        assert list(await book.sheets(acme, ["Emma"])) == [red]


async def test_of_very_many_versions_the_newest_are_told(url, acme):
    row = {
        "tenant": acme,
        "id": character_id("Emma"),
        **asdict(CharacterSheet(name="Emma", description="in red")),
        "edit": "",
        "create_time": NOW,
    }
    async with Database(url, schema="orchestrator") as database:
        book = SqlCharacters(database, now=lambda: NOW)
        async with database.begin() as connection:
            rows = [row | {"version": n + 1} for n in range(MAX_VERSIONS + 2)]
            await connection.execute(sa.insert(character_versions), rows)
        versions = await book.versions(acme, character_id("Emma"))
        assert [v.version for v in versions] == list(range(3, MAX_VERSIONS + 3))
        assert await book.put(acme, CharacterSheet(name="Emma", description="new")) == (
            MAX_VERSIONS + 3
        )


async def test_an_edit_is_written_with_its_order_and_is_the_same_for_the_same_request(url, acme):
    edit = ImageEdit(
        id=new_id(),
        tenant=acme,
        prompt="in blue",
        model="m",
        provider="p",
        subject=Subject(name="Emma", description="ten"),
        warnings=("w",),
        create_time=NOW,
    )
    async with Database(url, schema="orchestrator") as database:
        orders = DurableOrders(url)
        rung: list[int] = []
        edits = SqlEdits(database, orders, lambda: rung.append(1))
        assert await edits.accept(edit, "r1", "print") == (edit, False)
        assert await edits.accept(replace(edit, id=new_id()), "r1", "print") == (edit, True)
        assert await edits.known(acme, "r1", "print") == edit
        with pytest.raises(RequestConflict):
            await edits.accept(replace(edit, id=new_id()), "r1", "another")
        assert rung == [1], "once, for what is new"
        second = replace(edit, id=new_id(), prompt='"end_time":1', place=7)
        other, _ = await edits.accept(second, "", "print")
        ended = await edits.change(
            edit.id, lambda e: e.failed(NOW, Failure(reason="R", message="m"))
        )
        assert await edits.get(acme, edit.id) == await edits.read(edit.id) == ended
        assert (await edits.unfinished(acme), await edits.unfinished(new_id())) == (1, 0)
        assert await edits.change(edit.id, lambda _: None) == ended
        assert await edits.list(acme, "", 9) == [other, ended]
        assert await edits.list(acme, other.id, 9) == [ended]
        with pytest.raises(NotFound):
            await edits.get(new_id(), edit.id)
        orders.close()
    client = DBOSClient(system_database_url=engine_url(url))
    try:
        found = client.list_workflows(name="edit_image")
        ordered = {w.workflow_id for w in found}
        assert {w.queue_name for w in found} == {"edits"}, "no job is waited for"
    finally:
        client.destroy()
    assert {f"edit_image.{edit.id}", f"edit_image.{other.id}"} <= ordered


async def test_sheets_of_before_there_were_versions_are_first_versions(tmp_path):
    location = f"sqlite:///{tmp_path / 'old.sqlite'}"
    async with Database(location, schema="orchestrator") as database:
        await orchestrator.migrate_all(database, location)
        sheet = CharacterSheet(name="Emma", description="in red")
        async with database.begin() as connection:
            await connection.run_sync(_moved, "downgrade")
            row = {"tenant": "acme", "reference": "", "sha256": ""}
            row |= {"name": sheet.name, "description": sheet.description}
            await connection.execute(character_sheets.insert(), row)
            await connection.run_sync(_moved, "upgrade")
        book = SqlCharacters(database, now=lambda: NOW)
        [only] = await book.versions("acme", character_id("Emma"))
        assert (only.version, only.sheet) == (1, sheet)
        assert await book.put("acme", sheet) == 1


def _moved(connection, way):
    """Take the newest step of the migrations back, or take it again."""
    step = import_module("services.orchestrator.adapters.migrations.versions.0012_image_edits")
    with Operations.context(MigrationContext.configure(connection)):
        getattr(step, way)()
