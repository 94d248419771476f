"""A cut whose pictures are compared with their words, by the room and its real worker process."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

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
        with Image.open(picture) as opened:
            red, _, blue = opened.convert("RGB").resize((1, 1)).getpixel((0, 0))  # type: ignore[misc]  # three bands
        return 0.3 if ("red" if red > blue else "blue") in words else 0.1


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
