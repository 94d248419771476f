"""What cannot be drawn is tried again, told, and given up in the end; others do not wait for it."""

import asyncio
import os
import threading
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, aclosing, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event

from services.common.database import Database
from services.common.errors import DataLoss, StorageFull
from services.common.migrate import migrate
from services.storage.__main__ import MIGRATIONS
from services.storage.domain.assets import Asset, AssetState, Description
from services.storage.domain.deriving import Step
from services.storage.domain.intake import Intake
from services.storage.domain.media_ports import DerivedFile, UndrawnError
from services.storage.parts import Parts, open_parts
from services.storage.settings import Settings
from services.storage.usecases.compress import Compress
from services.storage.usecases.derive import Derive
from services.storage.usecases.trying import LEASE, PAUSE, TRIES
from tests.unit.storage.clips import mp4

pytestmark = pytest.mark.timeout(60)
CLIP = mp4()


@dataclass
class Drawer:
    """Makes every role in no time, except those of which it is told how they fail."""

    failing: dict[str, Exception] = field(default_factory=dict)
    drawn: list[str] = field(default_factory=list)

    async def make(
        self, source: Path, folder: Path, *, frames: int, roles: Sequence[str]
    ) -> Sequence[DerivedFile]:
        assert frames
        assert source.is_file()
        await asyncio.sleep(0)
        made = []
        for role in roles:
            self.drawn.append(role)
            if role in self.failing:
                raise self.failing[role]
            path = folder / role
            await asyncio.to_thread(path.write_bytes, CLIP)
            made.append(DerivedFile(role, "video/mp4", path))
        return made


class Room:
    """The parts of a service with a drawer, and a clock that only moves when it is told."""

    def __init__(self, parts: Parts, roles: Sequence[str]) -> None:
        self.parts, self.drawer, self.roles = parts, Drawer(), roles
        self.moment = datetime.now(UTC) + timedelta(days=1)
        self.derive = self.deriving()
        self.compress = Compress(
            assets=parts.assets,
            derive=self.derive,
            library=parts.library,
            now=lambda: self.moment,
            after=timedelta(hours=1),
        )

    def deriving(self, step: Step = Step.QUICK, drawer: Drawer | None = None) -> Derive:
        parts = self.parts
        return Derive(
            assets=parts.assets,
            blobs=parts.blobs,
            staging=parts.staging,
            ingest=parts.ingest,
            library=parts.library,
            maker=drawer or self.drawer,
            now=lambda: self.moment,
            roles=self.roles,
            step=step,
        )

    async def film(self, request_id: str, tenant: str = "acme") -> Asset:
        path = self.parts.settings.data_dir / f"{request_id}.mp4"
        path.write_bytes(CLIP)
        told = Intake(
            tenant=tenant,
            request_id=request_id,
            description=Description(content_type="video/mp4"),
        )
        return await self.parts.ingest.receive(told, aclosing(self.parts.staging.read(path)))

    async def derived(self, film: Asset) -> dict[str, str]:
        return dict((await self.found(film)).derived)

    async def found(self, film: Asset) -> Asset:
        found = await self.parts.assets.get(film.tenant, film.id)
        assert found is not None
        return found


@pytest.fixture
async def room(tmp_path: Path) -> AsyncIterator[Room]:
    settings = Settings(data_dir=tmp_path, min_free_bytes=0, derive="thumbnail,preview")
    async with AsyncExitStack() as stack:
        place = settings.database_location()
        database = await stack.enter_async_context(Database(place, schema="storage"))
        await migrate(database, MIGRATIONS)
        yield Room(await open_parts(settings, database, stack), settings.roles)


async def test_the_stills_of_a_film_survive_a_preview_that_takes_too_long(room: Room) -> None:
    film = await room.film("r1")
    room.drawer.failing = {"preview": UndrawnError("it took too long")}
    await room.derive.once()
    assert set(await room.derived(film)) == {"thumbnail"}
    room.drawer.failing, room.drawer.drawn = {}, []
    assert await room.derive.once() == 0, "it is left alone for a while"
    room.moment += LEASE
    await room.derive.once()
    assert room.drawer.drawn == ["preview"], "what is there is not drawn again"
    assert set(await room.derived(film)) == {"thumbnail", "preview"}


async def test_what_was_made_is_read_and_removed_in_threads(
    room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It may be as large as the film: whoever is being answered does not wait for that."""
    film = await room.film("r1")
    reads, removals = list[str](), list[str]()
    opening, removing = Path.open, os.rmdir

    def opened(path: Path, mode: str = "r", *rest: Any, **more: Any) -> Any:
        if path.name in room.roles and mode == "rb":
            reads.append(threading.current_thread().name)
        return opening(path, mode, *rest, **more)

    def removed(*told: Any, **more: Any) -> None:
        removals.append(threading.current_thread().name)
        removing(*told, **more)

    monkeypatch.setattr(Path, "open", opened)
    monkeypatch.setattr(os, "rmdir", removed)
    await room.derive.once()
    assert set(await room.derived(film)) == {"thumbnail", "preview"}
    assert len(reads) == len(removals) == 2
    assert threading.main_thread().name not in {*reads, *removals}
    assert not list((room.parts.settings.data_dir / "staging").iterdir())


async def test_a_film_is_given_up_after_the_last_try(room: Room) -> None:
    film = await room.film("r1")
    room.drawer.failing = {"thumbnail": UndrawnError("it died")}
    for number in range(TRIES + 2):
        await room.derive.once()
        assert room.drawer.drawn.count("thumbnail") == min(number + 1, TRIES)
        room.moment += LEASE * 2**TRIES
    assert set(await room.derived(film)) == {"preview"}


async def test_tries_that_took_the_service_along_are_counted(room: Room) -> None:
    film = await room.film("r1")
    for _ in range(TRIES):
        assert await room.parts.assets.begin_try(film, room.moment, room.moment)
    assert await room.derive.once() == 1
    assert (room.drawer.drawn, await room.derive.once()) == ([], 0)


async def test_a_film_that_was_being_drawn_at_the_end_of_a_service_waits_for_nothing(
    room: Room,
) -> None:
    film = await room.film("r1")
    drawing = asyncio.create_task(room.derive.once())
    while not room.drawer.drawn:  # noqa: ASYNC110 - the drawer is asked by another task
        await asyncio.sleep(0)
    drawing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await drawing
    await room.derive.once()
    assert set(await room.derived(film)) == {"thumbnail", "preview"}


@pytest.mark.parametrize("error", [ValueError("a defect"), UndrawnError("it died")], ids=repr)
async def test_one_film_that_cannot_be_drawn_does_not_keep_other_tenants_from_theirs(
    room: Room, error: Exception
) -> None:
    await room.film("r1")
    room.drawer.failing = {"thumbnail": error}
    await room.derive.once()
    other = await room.film("r2", "other")
    room.drawer.failing = {}
    await room.derive.once()
    assert set(await room.derived(other)) == {"thumbnail", "preview"}


async def test_a_full_disk_counts_as_nobodys_try(room: Room) -> None:
    film = await room.film("r1")
    room.drawer.failing = {"thumbnail": StorageFull()}
    for _ in range(TRIES + 1):
        with pytest.raises(StorageFull):
            await room.derive.once()
        assert await room.derive.once() == 0
        room.moment += PAUSE
    room.drawer.failing = {}
    await room.derive.once()
    assert set(await room.derived(film)) == {"thumbnail", "preview"}


async def test_damaged_media_is_tried_once(room: Room) -> None:
    film = await room.film("r1")
    room.drawer.failing = {role: DataLoss("cut off") for role in room.roles}
    await room.derive.once()
    room.moment += timedelta(days=1)
    assert (await room.derive.once(), await room.derived(film)) == (0, {})


async def test_two_replicas_draw_every_film_once(room: Room) -> None:
    films = [await room.film(f"r{number}") for number in range(4)]
    await asyncio.gather(*(room.deriving().once() for _ in range(2)))
    assert sorted(room.drawer.drawn) == ["preview"] * 4 + ["thumbnail"] * 4
    assert all([await room.derived(film) for film in films])


@pytest.mark.parametrize(
    "error", [UndrawnError("it died"), DataLoss("cut off"), StorageFull()], ids=repr
)
async def test_an_old_preview_stays_while_there_is_no_smaller_one(
    room: Room, error: Exception
) -> None:
    film = await room.film("r1")
    await room.derive.once()
    room.drawer.failing = {"preview_small": error}
    for _ in range(TRIES + 2):
        room.moment += timedelta(days=2)
        with suppress(StorageFull):
            await room.compress.once()
        derived = await room.derived(film)
        assert set(derived) == {"thumbnail", "preview"}
        preview = await room.parts.assets.get("acme", derived["preview"].removeprefix("assets/"))
        assert preview is not None
        assert preview.state == AssetState.STORED
    assert await room.compress.once() == 0, "it is not looked at again and again"


async def test_a_full_database_says_so_and_loses_nothing(room: Room) -> None:
    kept = [await room.film("r0")]
    engine = room.parts.assets._database.engine.sync_engine

    def full(connection: Any, *_: object) -> None:
        # SQLite's own bound on its file: what is there is all that there may be.
        cursor = connection.cursor()
        cursor.execute("PRAGMA max_page_count=1")
        cursor.close()

    async def fill() -> None:
        for number in range(1, 400):
            kept.append(await room.film(f"r{number}"))

    event.listen(engine, "checkout", full)
    with pytest.raises(StorageFull, match="database"):
        await fill()
    event.remove(engine, "checkout", full)
    await room.parts.assets._database.close()
    objects = list(room.parts.settings.asset_folder.rglob("*.mp4"))
    assert len([path for path in objects if ".reelmesh" not in path.parts]) == len(kept)
    for film in kept:
        read = room.parts.blobs.read(str(film.key))
        assert b"".join([chunk async for chunk in read]) == CLIP
    assert (await room.film(f"r{len(kept)}")).size_bytes == len(CLIP), "the same request works then"
