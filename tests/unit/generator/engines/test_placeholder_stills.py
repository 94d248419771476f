"""A sketch of a still follows its words, its seed and the picture that it is made from."""

import hashlib
import io
import struct
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from zlib import crc32

import pytest
from PIL import Image

from services.common.errors import InvalidArgument
from services.generator.domain.media import Media
from services.generator.domain.tasks import ImageTask
from services.generator.engines.placeholder import Placeholder
from services.generator.engines.storyboard import StoryboardEngine
from tests.fakes.generator_parts import MemoryStorage
from tests.fakes.local_work import local_work


@pytest.fixture
async def sketcher(tmp_path: Path) -> AsyncIterator[Placeholder]:
    async with StoryboardEngine(tmp_path / "cache", workers=1) as engine:
        yield Placeholder(engine, MemoryStorage())


async def drawn(sketcher: Placeholder, path: Path, **wish: Any) -> tuple[Image.Image, Any]:
    """The picture of a task, and its receipt."""
    plain: dict[str, Any] = {"prompt": "a girl on a hill", "resolution": "480p", "seed": 7}
    task = ImageTask(**(plain | wish))
    work = local_work(task, "storyboard_still")
    assert sketcher.suffix(work) == ".png"
    made = await sketcher.make(work, path / "g1.png", on_progress=lambda _: None)
    content = (path / "g1.png").read_bytes()
    assert made.sha256 == hashlib.sha256(content).hexdigest()
    assert made.size_bytes == len(content)
    with Image.open(io.BytesIO(content)) as opened:
        assert opened.size == (made.width, made.height)
        return opened.convert("RGB"), made


def picture(color: str) -> Media:
    kept = io.BytesIO()
    Image.new("RGB", (64, 64), color).save(kept, "PNG")
    return Media(data=kept.getvalue())


async def test_other_words_are_another_picture_and_the_same_are_the_same(
    sketcher: Placeholder, tmp_path: Path
) -> None:
    noon, made = await drawn(sketcher, tmp_path)
    again, _ = await drawn(sketcher, tmp_path)
    night, _ = await drawn(sketcher, tmp_path, prompt="a forest at night")
    tall, _ = await drawn(sketcher, tmp_path, aspect_ratio="9:16")
    assert (made.content_type, made.seed, noon.size) == ("image/png", 7, (854, 480))
    assert noon.tobytes() == again.tobytes() != night.tobytes()
    assert tall.size == (480, 854)


async def test_what_it_is_made_from_is_seen_in_its_corner_and_left_nowhere(
    sketcher: Placeholder, tmp_path: Path
) -> None:
    plain, _ = await drawn(sketcher, tmp_path)
    red, _ = await drawn(sketcher, tmp_path, image=picture("red"))
    corner = (60, round(red.height * 0.72))
    assert red.getpixel(corner) == (255, 0, 0) != plain.getpixel(corner)
    for top, bottom in ((0, 0.4), (0.85, 1)):  # above it, and the words below
        rows = (0, round(red.height * top), red.width, round(red.height * bottom))
        assert red.crop(rows).tobytes() == plain.crop(rows).tobytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["cache", "g1.png"]


def sized(width: int, height: int) -> bytes:
    """The first bytes of a PNG that says it is so large."""
    head = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    parts = [head, b"IDAT" + bytes(9)]
    chunks = [struct.pack(">I", len(part) - 4) + part for part in parts]
    sums = [struct.pack(">I", crc32(part)) for part in parts]
    return b"\x89PNG\r\n\x1a\n" + b"".join(map(bytes.__add__, chunks, sums))


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"no picture", "no picture that can be read"),
        (picture("red").data[:60], "no picture that can be read"),
        (picture("red").data[:40] + b"\xff" * 200, "no picture that can be read"),
        (sized(60_000, 60_000), "no picture that can be read"),
        (sized(9_000, 9_000), "9000 x 9000 pixels"),
    ],
)
async def test_what_is_no_picture_is_refused_by_its_field(
    sketcher: Placeholder, tmp_path: Path, data: bytes, words: str
) -> None:
    with pytest.raises(InvalidArgument, match=words) as caught:
        await drawn(sketcher, tmp_path, image=Media(data=data))
    assert caught.value.violations[0].field == "image"
