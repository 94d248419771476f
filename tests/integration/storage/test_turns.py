"""Who gets derived files first, what is told of missing ones, and who gets them later."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from services.common.database import Database
from services.common.errors import DataLoss, Unavailable
from services.common.migrate import migrate
from services.storage.__main__ import MIGRATIONS
from services.storage.adapters.sql_assets import SqlAssets
from services.storage.domain.assets import Asset
from services.storage.domain.deriving import Missing, Step
from services.storage.domain.media_ports import DerivedFile, UndrawnError
from services.storage.domain.policies import Policies, Policy
from services.storage.parts import open_parts
from services.storage.settings import Settings
from services.storage.usecases.catch_up import EVERY, CatchUp
from services.storage.usecases.trying import LEASE, TRIES, Outcome, Trying
from tests.integration.storage.test_trying import CLIP, Drawer, Room

pytestmark = pytest.mark.timeout(60)
DAY = timedelta(days=1)


@pytest.fixture
async def room(tmp_path: Path) -> AsyncIterator[Room]:
    settings = Settings(data_dir=tmp_path, min_free_bytes=0, derive="thumbnail,preview")
    async with AsyncExitStack() as stack:
        place = settings.database_location()
        database = await stack.enter_async_context(Database(place, schema="storage"))
        await migrate(database, MIGRATIONS)
        yield Room(await open_parts(settings, database, stack), settings.roles)


@pytest.fixture
def long_films(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every film counts as a long one."""
    monkeypatch.setattr("services.storage.domain.deriving.QUICK_PIXELS", 1)


@dataclass
class SlowDrawer(Drawer):
    """Draws until it is let go."""

    begun: asyncio.Event = field(default_factory=asyncio.Event)
    going: asyncio.Event = field(default_factory=asyncio.Event)

    async def make(
        self, source: Path, folder: Path, *, frames: int, roles: Sequence[str]
    ) -> Sequence[DerivedFile]:
        self.begun.set()
        await self.going.wait()
        return await super().make(source, folder, frames=frames, roles=roles)


async def test_a_tenant_with_many_films_keeps_nobody_waiting(
    room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("services.storage.usecases.derive.BATCH", 2)
    films = [await room.film(f"r{number}") for number in range(3)]
    late = [await room.film(tenant, tenant) for tenant in ("a first", "zebra")]
    told = list[bool]()
    for _ in range(3):
        await room.derive.once()
        told.append(all([await room.derived(film) for film in late]))
    assert told == [False, True, True]
    assert all([await room.derived(film) for film in films])


@pytest.mark.usefixtures("long_films")
async def test_nobodys_stills_wait_for_a_long_film_to_be_encoded(room: Room) -> None:
    long = await room.film("r1")
    await room.derive.once()
    assert set(await room.derived(long)) == {"thumbnail"}
    slow = SlowDrawer()
    encoding = asyncio.create_task(room.deriving(Step.LONG, slow).once())
    await slow.begun.wait()
    other = await room.film("r2", "other")
    await room.derive.once()
    assert set(await room.derived(other)) == {"thumbnail"}
    slow.going.set()
    await encoding
    assert set(await room.derived(long)) == set(await room.derived(other)) == {
        "thumbnail", "preview",
    }  # fmt: skip
    assert (room.drawer.drawn, slow.drawn) == (["thumbnail"] * 2, ["preview"] * 2)
    assert await room.derive.once() == await room.deriving(Step.LONG).once() == 0


@pytest.mark.usefixtures("long_films")
async def test_a_film_that_nobody_could_wait_for_says_so_and_has_its_stills(
    room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("services.storage.domain.deriving.LONG_PIXELS", 4 * 64 * 48 - 1)
    film, long = await room.film("r1"), SlowDrawer()
    await room.derive.once()
    assert await room.deriving(Step.LONG, long).once() == 1
    found = await room.found(film)
    assert (set(found.derived), set(found.missing)) == ({"thumbnail"}, {"preview"})
    assert f"{4 * 64 * 48} pixels" in found.missing["preview"].reason
    assert not long.begun.is_set()
    room.moment += DAY * 90
    assert (await room.derive.once(), await room.deriving(Step.LONG).once()) == (0, 0)


async def test_whoever_waits_for_a_long_film_to_be_encoded_does_not_fill_the_disk(
    room: Room,
) -> None:
    """Small previews are made by the same process, of which there is one."""
    film, other = await room.film("r1"), await room.film("r2")
    slow = SlowDrawer()
    derive = room.deriving(Step.LONG, slow)
    encoding = asyncio.create_task(derive.add(film, film, ["preview"]))
    await slow.begun.wait()
    asked, staging = list[int](), derive.staging

    class Staging:
        """Tells who asks for room."""

        folder, read = staging.folder, staging.read

        def receive(self, max_bytes: int) -> Any:
            asked.append(max_bytes)
            return staging.receive(max_bytes)

    object.__setattr__(derive, "staging", Staging())
    shrinking = asyncio.create_task(derive.add(other, other, ["preview_small"]))
    for _ in range(20):
        await asyncio.sleep(0)
    assert asked == []
    slow.going.set()
    await asyncio.gather(encoding, shrinking)
    assert asked == [other.size_bytes]


async def test_a_film_that_takes_longer_than_a_lease_stays_with_whoever_began(room: Room) -> None:
    film, begun, renewed = await room.film("r1"), asyncio.Event(), asyncio.Event()
    store, moment = room.parts.assets, room.moment

    class Store:
        """Tells when the lease was renewed."""

        begin_try = store.begin_try

        async def put_off(self, *told: object, **more: object) -> bool:
            kept = await store.put_off(*told, **more)  # type: ignore[arg-type]  # handed on as is
            renewed.set()
            return kept

    async def work() -> None:
        begun.set()
        await renewed.wait()
        assert await store.begin_try(film, moment + LEASE, room.moment) == 0

    trying = Trying(
        assets=Store(),  # type: ignore[arg-type]  # all that is asked of it
        now=lambda: room.moment,
        name="test",
        renew=timedelta(milliseconds=1),
    )
    task = asyncio.create_task(trying.of(film, work))
    await begun.wait()
    room.moment += LEASE
    renewed.clear()
    assert (await task).outcome == Outcome.DONE
    assert await store.begin_try(film, room.moment + LEASE, room.moment) == 2


@dataclass
class Trouble:
    """Records that are in trouble once, before or after they have done as they were told."""

    store: SqlAssets
    room: Room
    trouble: str
    told: list[str] = field(default_factory=list)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.store, name)

    async def put_off(self, *told: Any, **more: Any) -> bool:
        trouble, self.trouble = self.trouble, ""
        if trouble == "before":
            raise Unavailable
        kept = await self.store.put_off(*told, **more)
        if trouble == "after":
            raise Unavailable
        self.told.append(f"kept {kept}")
        return kept


@pytest.mark.parametrize("trouble", ["before", "after"])
async def test_a_lease_whose_renewal_got_no_answer_is_not_taken_for_lost(
    room: Room, trouble: str
) -> None:
    film, renewed = await room.film("r1"), asyncio.Event()
    store = Trouble(room.parts.assets, room, trouble)

    def now() -> datetime:
        room.moment += timedelta(seconds=1)
        if "kept True" in store.told:
            renewed.set()
        return room.moment

    trying = Trying(
        assets=store,
        now=now,
        name="test",
        renew=timedelta(milliseconds=1),
    )
    tried = await trying.of(film, renewed.wait)  # type: ignore[arg-type]  # what it returns is nothing to us
    assert (tried.outcome, set(store.told)) == (Outcome.DONE, {"kept True"})


async def test_whoever_has_lost_its_lease_stops_and_writes_nothing(
    room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    film, slow = await room.film("r1"), SlowDrawer()
    often = partial(Trying, renew=timedelta(milliseconds=1))
    monkeypatch.setattr("services.storage.usecases.derive.Trying", often)
    stalled = asyncio.create_task(room.deriving(drawer=slow).once())
    await slow.begun.wait()
    # As if it had not come to renew anything for longer than a lease.
    until = room.moment + LEASE * 2
    async with room.parts.assets._database.begin() as connection:
        await connection.exec_driver_sql("UPDATE assets SET try_after = 1")
    assert await room.parts.assets.begin_try(film, room.moment, until) == 2
    await stalled
    assert (slow.drawn, await room.derived(film)) == ([], {})
    room.moment += LEASE * 2
    found = await room.parts.assets.underived(Step.QUICK, room.moment, after="")
    assert found is not None, "it is still the other's to end"
    await room.derive.once()
    assert set(await room.derived(film)) == {"thumbnail", "preview"}


@pytest.mark.usefixtures("long_films")
async def test_an_end_that_comes_after_another_has_begun_changes_nothing(
    room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    film = await room.film("r1")
    for step, method in ((Step.QUICK, "derive_next"), (Step.LONG, "mark_derived")):
        ending = getattr(SqlAssets, method)

        async def late(
            self: SqlAssets, *told: Any, ending: Any = ending, step: Step = step, **more: Any
        ) -> None:
            room.moment += LEASE
            taken = await self.begin_try(film, room.moment, room.moment + LEASE)
            assert taken == 2
            await ending(self, *told, **more)
            assert await self.underived(step, room.moment + LEASE, after="") is not None

        monkeypatch.setattr(SqlAssets, method, late)
        await room.deriving(step).once()
        monkeypatch.setattr(SqlAssets, method, ending)
        room.moment += LEASE
        await room.deriving(step).once()
    assert set(await room.derived(film)) == {"thumbnail", "preview"}


async def test_a_service_that_ends_puts_down_what_it_has_just_made(
    room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    await room.film("r1")
    mark = SqlAssets.mark_derived

    async def cut_off(self: SqlAssets, *told: Any, **more: Any) -> None:
        task.cancel()
        await asyncio.sleep(0)
        await mark(self, *told, **more)

    monkeypatch.setattr(SqlAssets, "mark_derived", cut_off)
    task = asyncio.create_task(room.derive.once())
    with pytest.raises(asyncio.CancelledError):
        await task
    assert await room.parts.assets.underived(Step.QUICK, room.moment + LEASE, after="") is None


@pytest.mark.usefixtures("long_films")
@pytest.mark.parametrize("role", ["thumbnail", "preview"])
async def test_what_was_given_up_says_so_and_is_tried_again_another_day(
    room: Room, role: str
) -> None:
    film = await room.film("r1")
    long = room.deriving(Step.LONG)

    async def round_of_tries(count: int) -> None:
        for _ in range(count):
            await room.derive.once()
            await long.once()
            room.moment += LEASE * 2**TRIES

    room.drawer.failing = {role: UndrawnError("it died")}
    await round_of_tries(TRIES + 2)
    assert room.drawer.drawn.count(role) == TRIES
    found = await room.found(film)
    assert found.missing == {role: Missing(f"given up after {TRIES} tries: it died", again=True)}
    assert len(found.derived) == 1
    room.moment += DAY * 3
    await round_of_tries(2)
    assert room.drawer.drawn.count(role) == TRIES + 1, "once"
    room.drawer.failing = {}
    await round_of_tries(1)
    assert room.drawer.drawn.count(role) == TRIES + 1, "ever more seldom"
    room.moment += DAY * 9
    await round_of_tries(1)
    found = await room.found(film)
    assert (set(found.derived), found.missing) == ({"thumbnail", "preview"}, {})
    room.moment += DAY * 90
    assert (await room.derive.once(), await long.once()) == (0, 0)


async def test_damaged_media_says_so_and_is_left_alone(room: Room) -> None:
    film = await room.film("r1")
    room.drawer.failing = {"preview": DataLoss("cut off")}
    await room.derive.once()
    assert (await room.found(film)).missing == {"preview": Missing("cut off")}
    room.moment += DAY * 90
    assert await room.derive.once() == 0


async def catch_up(room: Room, derive: object) -> CatchUp:
    """What goes with it, after all that it finds is done."""
    assert hasattr(derive, "once")
    finding = CatchUp(assets=room.parts.assets, now=lambda: room.moment, roles=room.roles)
    while await derive.once() or await finding.once():
        continue
    return finding


async def test_what_is_configured_later_is_made_of_what_is_there_already(
    room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("services.storage.usecases.catch_up.PAGE", 3)
    films = [await room.film(f"r{number}") for number in range(3)]
    await catch_up(room, room.derive)
    first = await room.found(films[0])
    preview = await room.parts.assets.get("acme", first.derived["preview"].removeprefix("assets/"))
    assert preview is not None
    await room.parts.library.erase(preview)
    room.drawer.drawn, room.roles = [], ("thumbnail", "preview", "poster")
    finding = await catch_up(room, room.deriving())
    assert room.drawer.drawn == ["poster"] * 3
    assert set(await room.derived(films[0])) == {"thumbnail", "poster"}, "deleted stays deleted"
    assert set(await room.derived(films[2])) == {"thumbnail", "poster", "preview"}
    mark = partial(room.parts.assets.mark_derived, missing={}, roles="poster")
    await mark(films[0], room.moment, ours=[room.moment + LEASE])
    assert await finding.once() == 0, "it has looked at all"
    room.moment += EVERY
    assert await finding.once() == 1, "and does so once a day: another replica may be older"


async def test_a_tenant_that_has_room_again_gets_what_did_not_fit(room: Room) -> None:
    film = await room.film("r1")

    def derive_with(quota: int) -> None:
        policies = Policies(Policy(quota))
        for part in (room.parts.ingest, room.parts.keeper):
            object.__setattr__(part, "policies", policies)

    async def rounds() -> Asset:
        for _ in range(TRIES):
            await room.derive.once()
            room.moment += LEASE * 2**TRIES
        return await room.found(film)

    derive_with(len(CLIP) * 2)
    found = await rounds()
    assert set(found.derived) == {"thumbnail"}
    assert "quota" in found.missing["preview"].reason
    derive_with(0)
    room.moment += DAY * 3
    found = await rounds()
    assert (set(found.derived), found.missing) == ({"thumbnail", "preview"}, {})
