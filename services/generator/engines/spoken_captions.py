"""Gives captions the times of their words from a model that hears them, where there is one."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Protocol

from services.generator.domain.captions import CaptionLine, CaptionsTask
from services.generator.domain.facts import Quality
from services.generator.engines.heard import Heard, quality_of


class Hears(Protocol):
    """Whoever can tell when words are heard."""

    async def words(self, identifier: str, audio: Path, text: str, language: str) -> Heard:
        """Return when each word of `text` is heard, and how many were; nothing where it cannot."""


async def timed(
    hearing: Hears,
    identifier: str,
    task: CaptionsTask,
    audio: str | None,
    lines: Sequence[str | None],
) -> tuple[CaptionsTask, Quality | None]:
    """Return the task with words in place of the recordings in which they were heard.

    With it comes how well the recordings say what is written, None where nobody could tell. `audio`
    and `lines` are the files of its recordings, None where there is none.
    """
    if audio is not None:
        heard = await hearing.words(f"{identifier}-heard", Path(audio), task.text, task.language)
        whole = (CaptionLine(words=heard.words),) if heard.words else ()
        told = replace(task, text="", audio=None, lines=whole) if whole else task
        return told, quality_of([(0.0, heard)])
    found: list[CaptionLine] = []
    listened: list[tuple[float, Heard]] = []
    for number, (line, file) in enumerate(zip(task.lines, lines, strict=True)):
        if file is None or line.words:
            found.append(line)
            continue
        name = f"{identifier}-heard-{number}"
        heard = await hearing.words(name, Path(file), line.text, task.language)
        listened.append((line.start_seconds, heard))
        found.append(replace(line, words=heard.words) if heard.words else line)
    return replace(task, lines=tuple(found)), quality_of(listened)
