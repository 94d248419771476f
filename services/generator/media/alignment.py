"""Times the words of a text in its recording.

The text is spoken once more by eSpeak NG, which tells when each word is heard, and the recording
laid over that. Where this cannot be done (a language that it has not, a recording of another text,
or a long one) speech is found by its level, and the words are spread over it by their letters,
sentence by sentence at the pauses: coarser by far.
"""

from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path

import numpy as np
import numpy.typing as npt

from services.common.errors import InvalidArgument
from services.generator.domain.facts import WordTime
from services.generator.media.espeak import RATE as SPOKEN_RATE
from services.generator.media.espeak import speak
from services.generator.media.recordings import RATE, Stream, samples
from services.generator.media.speech import timed, voice_of
from services.generator.media.warping import HOP_SECONDS, Signal, warped
from services.generator.media.words import is_sound, unspaced

_HOP = RATE // 100
_LONGEST_SECONDS = 40.0  # the work grows with the square of it
_AUDIBLE = 0.01
_ANOTHER_TEXT = 0.69  # of how unlike any two moments are; the same words have about a half
_FLOOR_DB, _BELOW_PEAK_DB = -50.0, 32.0
_SHORT_PAUSE = 15  # hops that a stop within a word may last
_CLAUSE = (",", ";", ":", ".", "!", "?", "…", "—", "，", "。", "、", "！", "？", "،", "؛", "؟")
_PAUSE_LETTERS = 6.0  # what a pause is worth where one is expected


def aligned(
    words: Sequence[str], path: Path, field: str, language: str = ""
) -> tuple[WordTime, ...]:
    """Return each word's time in the recording; raises InvalidArgument for a silent one."""
    loud = _spans(_levels(path, field))
    if not loud:
        raise InvalidArgument(field, "holds no speech")
    begin, end = loud[0][0] * _HOP, loud[-1][1] * _HOP
    if end - begin <= _LONGEST_SECONDS * RATE:
        found = _beside(words, _heard(path, field, begin, end), language)
        if found:
            return tuple(_later(found, begin / RATE))
    return tuple(_by_letters(words, loud))


def _heard(path: Path, field: str, begin: int, end: int) -> Signal:
    """Return samples [begin, end) of a recording, mono."""
    stream = Stream(samples(path, field, origin=0.0))
    stream.read(begin)
    mono: Signal = stream.read(end - begin).mean(axis=0)
    return mono


def _beside(words: Sequence[str], heard: Signal, language: str) -> list[WordTime]:
    """Return the words' times from the beginning of speech; none where it is another text."""
    text = " ".join(words)
    try:
        said = speak(text, voice_of(language))
    except InvalidArgument:
        return []
    known = timed(text, list(words), said)
    loud = np.flatnonzero(np.abs(said.samples) > _AUDIBLE)
    if not loud.size or loud.size > _LONGEST_SECONDS * SPOKEN_RATE:
        return []
    begin, end = int(loud[0]), int(loud[-1]) + 1
    warp = warped(said.samples[begin:end], heard, SPOKEN_RATE, RATE)
    if warp.unlikeness > _ANOTHER_TEXT:
        return []

    def moment(seconds: float) -> float:
        return warp.moment(round((seconds - begin / SPOKEN_RATE) / HOP_SECONDS)) * HOP_SECONDS

    return [
        WordTime(
            text=each.text,
            start_seconds=moment(each.start_seconds),
            end_seconds=moment(each.end_seconds),
        )
        for each in known
    ]


def _later(words: Sequence[WordTime], seconds: float) -> Iterator[WordTime]:
    for word in words:
        yield WordTime(
            text=word.text,
            start_seconds=word.start_seconds + seconds,
            end_seconds=word.end_seconds + seconds,
        )


def _by_letters(words: Sequence[str], loud: list[tuple[int, int]]) -> list[WordTime]:
    clauses = list(_clauses(words))
    spans = _matched(clauses, loud)
    found: list[WordTime] = []
    for clause, (begin, end) in zip(clauses, spans, strict=True):
        found += _spread(clause, begin * _HOP / RATE, end * _HOP / RATE)
    return found


def _levels(path: Path, field: str) -> npt.NDArray[np.float64]:
    stream = Stream(samples(path, field, origin=0.0))
    found: list[float] = []
    while (piece := stream.read(RATE)).shape[1]:
        whole = piece[:, : piece.shape[1] // _HOP * _HOP].reshape(2, -1, _HOP)
        found += np.mean(whole**2, axis=(0, 2)).tolist()
    return 10 * np.log10(np.maximum(found, 1e-12))


def _spans(levels: npt.NDArray[np.float64]) -> list[tuple[int, int]]:
    """Return where somebody speaks, in hops; short stops are no pauses."""
    if not levels.size:
        return []
    heard = np.flatnonzero(levels > max(_FLOOR_DB, float(levels.max()) - _BELOW_PEAK_DB))
    spans: list[tuple[int, int]] = []
    for hop in heard.tolist():
        if spans and hop - spans[-1][1] <= _SHORT_PAUSE:
            spans[-1] = (spans[-1][0], hop + 1)
        else:
            spans.append((hop, hop + 1))
    return spans


def _clauses(words: Sequence[str]) -> Iterator[list[str]]:
    clause: list[str] = []
    for word in words:
        clause.append(word)
        if word.endswith(_CLAUSE):
            yield clause
            clause = []
    if clause:
        yield clause


def _weight(word: str) -> float:
    if not is_sound(word):
        return 0.0
    return sum(3.0 if unspaced(letter) else 1.0 for letter in word if letter.isalnum()) + 1


def _matched(clauses: Sequence[list[str]], loud: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """Return each clause's span: they change at the pause nearest to where they should."""
    weights = [sum(map(_weight, clause)) + _PAUSE_LETTERS for clause in clauses]
    begin, end = loud[0][0], loud[-1][1]
    pauses = [(before[1], after[0]) for before, after in pairwise(loud)]
    hops = (end - begin) / sum(weights)
    marks, done = [(begin, begin)], 0.0
    for weight in weights[:-1]:
        done += weight * hops
        due = max(round(begin + done), marks[-1][1])
        left = [pause for pause in pauses if pause[0] >= marks[-1][1]]
        close = [pause for pause in left if abs(sum(pause) / 2 - due) < weight * hops]
        marks.append(min(close, key=lambda pause: abs(sum(pause) / 2 - due), default=(due, due)))
    marks.append((end, end))
    return [(before[1], max(after[0], before[1])) for before, after in pairwise(marks)]


def _spread(words: Sequence[str], begin: float, end: float) -> Iterator[WordTime]:
    weights = [_weight(word) for word in words]
    total, done = sum(weights) or 1.0, 0.0
    for word, weight in zip(words, weights, strict=True):
        start, done = done, done + weight
        first = begin + (end - begin) * start / total
        last = begin + (end - begin) * done / total
        yield WordTime(text=word, start_seconds=first, end_seconds=last)
