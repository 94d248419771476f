"""The report of a check that is stored tells all that the check has found."""

import hashlib
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from services.generator.domain.captions import CheckTask
from services.generator.domain.facts import Quality
from services.generator.domain.media import Media
from services.generator.domain.records import to_record
from services.generator.engines.media_room import MediaRoom
from tests.fakes.generator_parts import MemoryStorage
from tests.fakes.local_work import local_work

CLIP = Media(data=b"clip", media_type="video/mp4")


class Checker:
    """A worker that finds no fault, and writes that down."""

    @asynccontextmanager
    async def one(self) -> AsyncIterator["Checker"]:
        yield self

    async def ask(self, order: dict[str, Any], _progress: object) -> dict[str, Any]:
        path, quality = Path(order["path"]), to_record(Quality(score=1.0))
        path.write_text(json.dumps(quality))
        facts = {"content_type": "application/json", "sha256": "0", "size_bytes": 1}
        return {**facts, "quality": quality, "seen": str(path.with_name("seen.png"))}


class Eyes:
    """Sees how much two pictures look alike."""

    def __init__(self, cosine: float | None) -> None:
        self.cosine = cosine

    async def likeness(self, identifier: str, picture: Path, words: str) -> float | None:
        return self.cosine

    async def resemblance(self, identifier: str, picture: Path, beside: Path) -> float | None:
        return self.cosine


@pytest.mark.parametrize(("cosine", "missing"), [(0.75, []), (None, ["likeness"])])
async def test_the_stored_report_says_how_alike_what_was_checked_is(
    tmp_path: Path, cosine: float | None, missing: list[str]
) -> None:
    checker: Any = Checker()
    room = MediaRoom(checker, MemoryStorage(), seeing=Eyes(cosine))
    work = local_work(CheckTask(media=CLIP, alike=CLIP), "media_check")
    path = tmp_path / "report.json"
    made = await room.make(work, path, on_progress=lambda _: None)
    content = path.read_bytes()
    told = json.loads(content)
    assert told["likeness"] == cosine
    assert told["not_measured"] == missing
    assert made.quality is not None
    assert told == json.loads(json.dumps(to_record(made.quality)))
    assert made.sha256 == hashlib.sha256(content).hexdigest()
    assert made.size_bytes == len(content)
