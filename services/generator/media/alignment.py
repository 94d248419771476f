"""Times the words of a text in its recording, from where sound is and what each word should take.

Speech is found by its level; the words are spread over it by their letters, sentence by sentence at
the pauses. Coarser than the times that a synthesiser gives of its own speech.
"""

from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path

import numpy as np
import numpy.typing as npt

from services.common.errors import InvalidArgument
from services.generator.domain.facts import WordTime
from services.generator.media.recordings import RATE, Stream, samples
from services.generator.media.words import is_sound, unspaced

_HOP = RATE // 100
_FLOOR_DB, _BELOW_PEAK_DB = -50.0, 32.0
_SHORT_PAUSE = 15  # hops that a stop within a word may last
_CLAUSE = (",", ";", ":", ".", "!", "?", "…", "—", "，", "。", "、", "！", "？", "،", "؛", "؟")
_PAUSE_LETTERS = 6.0  # what a pause is worth where one is expected


def aligned(words: Sequence[str], path: Path, field: str) -> tuple[WordTime, ...]:
    """Return each word's time in the recording; raises InvalidArgument for a silent one."""
    loud = _spans(_levels(path, field))
    if not loud:
        raise InvalidArgument(field, "holds no speech")
    clauses = list(_clauses(words))
    spans = _matched(clauses, loud)
    found: list[WordTime] = []
    for clause, (begin, end) in zip(clauses, spans, strict=True):
        found += _spread(clause, begin * _HOP / RATE, end * _HOP / RATE)
    return tuple(found)


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
