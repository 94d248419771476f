"""Captions of a task: its lines, each timed by its words, its recording or its length."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from services.common.errors import InvalidArgument
from services.generator.domain.captions import CaptionLine, CaptionsTask
from services.generator.domain.facts import WordTime
from services.generator.domain.sentences import Said, said
from services.generator.media.alignment import aligned
from services.generator.media.captions import Utterance, captioned, limits_of, write
from services.generator.media.words import split, spoken


def caption(
    task: CaptionsTask, audio: Path | None, recordings: Sequence[Path | None], path: Path
) -> tuple[float, tuple[str, ...]]:
    """Write the captions; returns when the last one ends, in seconds, and warnings.

    Raises InvalidArgument naming the line at fault, or the film's length if no word begins in it.
    """
    utterances = list(_utterances(task, audio, recordings))
    text = " ".join(word.text for each in utterances for word in each.words)
    limits = limits_of(task, text)
    captions, hurried = captioned(utterances, limits, task.film_seconds)
    if not captions:
        raise InvalidArgument("film_duration", "ends before any word begins")
    write(captions, path, task.format)
    speed = f"{limits.speed / limits.language.across:g}"
    warning = said(Said.CAPTIONS_HURRIED, hurried=hurried, count=len(captions), speed=speed)
    return captions[-1].end, (warning,) if hurried else ()


def _utterances(
    task: CaptionsTask, audio: Path | None, recordings: Sequence[Path | None]
) -> Iterator[Utterance]:
    if audio is not None:
        yield Utterance(aligned(_words(task.text, "text"), audio, "audio", task.language))
    for number, (line, recording) in enumerate(zip(task.lines, recordings, strict=True)):
        words = _timed(line, recording, f"lines[{number}]", task.language)
        yield Utterance(tuple(_later(words, line.start_seconds)), line.speaker)


def _timed(
    line: CaptionLine, recording: Path | None, field: str, language: str
) -> Sequence[WordTime]:
    if line.words:
        return _clean(line.words, f"{field}.words")
    words = _words(line.text, f"{field}.text")
    if recording is not None:
        return aligned(words, recording, f"{field}.audio", language)
    seconds = line.duration_seconds or 0.0
    return _even(words, seconds)


def _clean(words: Sequence[WordTime], field: str) -> list[WordTime]:
    """Return words on one line, those of nothing left out."""
    clean = [(" ".join(word.text.split()), word) for word in words]
    found = [replace(word, text=text) for text, word in clean if text]
    if not found:
        raise InvalidArgument(field, "hold no word that could be shown")
    return found


def _words(text: str, field: str) -> list[str]:
    words = split(spoken(text))
    if not words:
        raise InvalidArgument(field, "has no word that could be shown")
    return words


def _even(words: Sequence[str], seconds: float) -> list[WordTime]:
    total, done = sum(map(len, words)), 0
    found = []
    for word in words:
        start, done = done, done + len(word)
        found.append(
            WordTime(
                text=word,
                start_seconds=seconds * start / total,
                end_seconds=seconds * done / total,
            )
        )
    return found


def _later(words: Sequence[WordTime], seconds: float) -> Iterator[WordTime]:
    for word in words:
        yield WordTime(
            text=word.text,
            start_seconds=word.start_seconds + seconds,
            end_seconds=word.end_seconds + seconds,
        )
