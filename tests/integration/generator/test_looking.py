"""A cut whose pictures are compared with their words, by the room and its real worker process."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from services.generator.domain.captions import CheckTask
from services.generator.domain.compositions import Clip, ComposeTask
from services.generator.domain.media import Media
from services.generator.engines.media_room import MODULE, MediaRoom
from services.generator.engines.workers import Workers
from tests.fakes.clips import BLUE, RED, make_clip
from tests.fakes.generator_parts import MemoryStorage
from tests.fakes.local_work import local_work

pytestmark = pytest.mark.timeout(90)
PALETTE = {"red": RED, "blue": BLUE}


class ColourEyes:
    """Sees whether a picture has the colour that its words name."""

    async def likeness(self, identifier: str, picture: Path, words: str) -> float | None:
        return 0.3 if colour_of(picture) in words else 0.1

    async def resemblance(self, identifier: str, picture: Path, beside: Path) -> float | None:
        return 0.9 if colour_of(picture) == colour_of(beside) else 0.4


def colour_of(picture: Path) -> str:
    with Image.open(picture) as opened:
        red, _, blue = opened.convert("RGB").resize((1, 1)).getpixel((0, 0))  # type: ignore[misc]  # three bands
    return "red" if red > blue else "blue"


@pytest.fixture
async def workers() -> AsyncIterator[Workers]:
    found = Workers(MODULE, 1)
    yield found
    await found.close()


def film(folder: Path, *words: str) -> ComposeTask:
    """Half a second of red, then half a second of blue, with words for each."""
    files = [
        make_clip(folder / f"{name}.mp4", color=color, frames=12) for name, color in PALETTE.items()
    ]
    media = [Media(data=file.read_bytes(), media_type="video/mp4") for file in files]
    return ComposeTask(
        clips=tuple(Clip(media=m, shows=w) for m, w in zip(media, words, strict=True))
    )


async def cut(workers: Workers, task: ComposeTask, folder: Path, eyes: Any = None) -> Any:
    room = MediaRoom(workers, MemoryStorage(), seeing=eyes)
    made = await room.make(
        local_work(task, "media"), folder / "film.mp4", on_progress=lambda _: None
    )
    assert [path.name for path in folder.iterdir() if path.suffix == ".work"] == []
    return made.quality


async def test_every_clip_is_compared_with_its_own_words(workers: Workers, tmp_path: Path) -> None:
    right = await cut(workers, film(tmp_path, "a red wall", "a blue sea"), tmp_path, ColourEyes())
    wrong = await cut(workers, film(tmp_path, "a red wall", "a red sea"), tmp_path, ColourEyes())
    assert (right.prompt_match, right.not_measured) == (0.75, ())
    assert wrong.prompt_match == 0.5
    assert wrong.score == pytest.approx(right.score - 0.4 / 2)
    poor = [each for each in wrong.findings if each.kind == "off_prompt"]
    assert [(each.start_seconds, each.duration_seconds) for each in poor] == [(0.5, 0.5)]
    assert "clip 2 looks little like its words" in poor[0].explanation


async def test_without_a_model_and_without_words_it_says_what_was_not_measured(
    workers: Workers, tmp_path: Path
) -> None:
    unseen = await cut(workers, film(tmp_path, "a red wall", "a blue sea"), tmp_path)
    assert (unseen.prompt_match, unseen.not_measured) == (None, ("prompt_match",))
    wordless = await cut(workers, film(tmp_path, "", ""), tmp_path, ColourEyes())
    assert (wordless.prompt_match, wordless.not_measured) == (None, ())
    assert wordless.score == unseen.score


def portrait(folder: Path, color: str) -> Media:
    path = folder / f"{color}.png"
    Image.new("RGB", (64, 36), color).save(path)
    return Media(data=path.read_bytes(), media_type="image/png")


async def check(workers: Workers, folder: Path, task: CheckTask, eyes: Any) -> Any:
    room = MediaRoom(workers, MemoryStorage(), seeing=eyes)
    work = local_work(task, "media_check")
    return (await room.make(work, folder / "seen.json", on_progress=lambda _: None)).quality


async def test_pictures_and_clips_are_held_against_a_picture(
    workers: Workers, tmp_path: Path
) -> None:
    clip = make_clip(tmp_path / "red.mp4", color=RED, frames=12).read_bytes()
    seen = {
        "a red picture": portrait(tmp_path, "red"),
        "a blue picture": portrait(tmp_path, "blue"),
        "a red clip": Media(data=clip, media_type="video/mp4"),
    }
    red = portrait(tmp_path, "red")
    tasks = {n: CheckTask(media=m, alike=red, silent_expected=True) for n, m in seen.items()}
    found = {n: await check(workers, tmp_path, task, ColourEyes()) for n, task in tasks.items()}
    assert {name: quality.likeness for name, quality in found.items()} == {
        "a red picture": 0.9,
        "a blue picture": 0.4,
        "a red clip": 0.9,
    }
    blind = await check(workers, tmp_path, tasks["a red picture"], None)
    assert (blind.likeness, blind.not_measured) == (None, ("likeness",))
    alone = await check(workers, tmp_path, CheckTask(media=red), ColourEyes())
    assert (alone.likeness, alone.not_measured) == (None, ())
