"""Speech: a text becomes a recording, and each of its words a time."""

from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from services.common.errors import InvalidArgument
from services.generator.domain.facts import WordTime
from services.generator.domain.tasks import SpeechTask
from services.generator.media.espeak import RATE, Spoken, speak
from services.generator.media.sounds import write_flac
from services.generator.media.words import is_sound, split, spoken

_VOICES = {"en": "en-us", "sw": "sw"}
_TAIL_SECONDS = 0.1
_AUDIBLE = 0.01


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """A recording's length in seconds, and its words."""

    seconds: float
    words: tuple[WordTime, ...]


def say(task: SpeechTask, path: Path) -> Said:
    """Write the text as FLAC. Raises InvalidArgument for an unknown voice or language."""
    text = spoken(task.text)
    words = split(text)
    if not any(is_sound(word) for word in words):
        raise InvalidArgument("text", "has no word that could be spoken")
    said = speak(text, _voice(task), speed=_speed(task), pitch=_pitch(task))
    tail = np.zeros(round(_TAIL_SECONDS * RATE), np.float32)
    samples = np.concatenate([said.samples, tail])
    write_flac(path, samples[None], RATE)
    return Said(seconds=samples.size / RATE, words=tuple(timed(text, words, said)))


def voice_of(language: str) -> str:
    """Return eSpeak NG's own voice of a language, English for ""."""
    word = language.lower() or "en"
    return _VOICES.get(word.partition("-")[0], word)


def _voice(task: SpeechTask) -> str:
    """Return the voice that is asked for, else the language's own."""
    plain = voice_of(task.language)
    if not task.voice:
        return plain
    # "m2" or "f3" is a speaker of whatever language is spoken; anything else names a voice.
    speaker = task.voice[0] in "mf" and task.voice[1:].isdigit()
    return f"{plain}+{task.voice}" if speaker else task.voice


def _speed(task: SpeechTask) -> float:
    speed = 1.0 if task.speed is None else task.speed
    if not 0.5 <= speed <= 2.5:
        raise InvalidArgument("speed", "must lie between 0.5 and 2.5")
    return speed


def _pitch(task: SpeechTask) -> float:
    pitch = task.options.get("pitch", 1.0)
    if not isinstance(pitch, (int, float)) or not 0.2 <= pitch <= 1.9:
        raise InvalidArgument("options.espeak.pitch", "must lie between 0.2 and 1.9")
    return float(pitch)


def timed(text: str, words: list[str], said: Spoken) -> list[WordTime]:
    """Return when each word is heard: from its mark to the next one, less the pause between.

    Words that are said as one ("in the") share their time by their letters; a dash takes none.
    """
    groups: list[tuple[int, list[str]]] = []
    begins = _begins(text, words, said)
    for number, word in enumerate(words):
        if number in begins or not groups:
            groups.append((begins.get(number, 0), []))
        groups[-1][1].append(word)
    samples = sorted({mark.sample for mark in said.marks} | {said.samples.size})
    found: list[WordTime] = []
    for start, together in groups:
        after = samples[min(bisect_right(samples, start), len(samples) - 1)]
        found += _shared(together, start, start + _heard(said.samples[start:after]))
    return found


def _begins(text: str, words: list[str], said: Spoken) -> dict[int, int]:
    """Return the sample at which words begin that have a mark of their own."""
    places, begins, last = _places(text, words), dict[int, int](), -1
    for mark in said.marks:
        number = max(0, bisect_right(places, mark.place) - 1)
        if mark.word and number not in begins and mark.sample > last:
            begins[number] = last = mark.sample
    return begins


def _shared(words: list[str], start: int, end: int) -> Iterator[WordTime]:
    weights = [len(word) if is_sound(word) else 0 for word in words]
    total, done = sum(weights) or 1, 0
    for word, weight in zip(words, weights, strict=True):
        begin, done = done, done + weight
        yield WordTime(
            text=word,
            start_seconds=(start + (end - start) * begin / total) / RATE,
            end_seconds=(start + (end - start) * done / total) / RATE,
        )


def _heard(samples: npt.NDArray[np.float32]) -> int:
    """Return how many samples pass until the sound has died away: a pause is no part of a word."""
    loud = np.flatnonzero(np.abs(samples) > _AUDIBLE)
    return int(loud[-1]) + 1 if loud.size else samples.size


def _places(text: str, words: list[str]) -> list[int]:
    places, at = [], 0
    for word in words:
        at = text.index(word, at)
        places.append(at)
        at += len(word)
    return places
