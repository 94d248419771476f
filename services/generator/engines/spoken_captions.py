"""Gives captions the times of their words from a model that hears them, where there is one."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Protocol

from services.generator.domain.captions import CaptionLine, CaptionsTask
from services.generator.domain.facts import WordTime


class Hears(Protocol):
    """Whoever can tell when words are heard."""

    async def words(
        self, identifier: str, audio: Path, text: str, language: str
    ) -> tuple[WordTime, ...]:
        """Return when each word of `text` is heard; none where it cannot tell."""


async def timed(
    hearing: Hears,
    identifier: str,
    task: CaptionsTask,
    audio: str | None,
    lines: Sequence[str | None],
) -> CaptionsTask:
    """Return the task with words in place of the recordings in which they were heard.

    `audio` and `lines` are the files of its recordings, None where there is none.
    """
    if audio is not None:
        words = await hearing.words(f"{identifier}-heard", Path(audio), task.text, task.language)
        line = CaptionLine(words=words) if words else None
        return replace(task, text="", audio=None, lines=(line,)) if line else task
    found: list[CaptionLine] = []
    for number, (line, file) in enumerate(zip(task.lines, lines, strict=True)):
        if file is None or line.words:
            found.append(line)
            continue
        name = f"{identifier}-heard-{number}"
        words = await hearing.words(name, Path(file), line.text, task.language)
        found.append(replace(line, words=words) if words else line)
    return replace(task, lines=tuple(found))
