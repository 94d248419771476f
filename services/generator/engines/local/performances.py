"""Performances that a face follows: recordings beside the weights, a folder for each emotion.

`expressions/<emotion>/face.mp4` shows a cropped face, `pose.mp4` the skeleton of its body, as the
preprocessing of Wan-Animate writes them; without the latter the body is left to the model.
"""

import math
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import av
from av.error import FFmpegError
from PIL import Image

from services.common.errors import InvalidArgument
from services.generator.domain.sentences import Said, said

PLAIN = "neutral"
"""The emotion where none is asked for, or the one asked for is not installed."""

_FOLDER = "expressions"
_FACE, _POSE = "face.mp4", "pose.mp4"


@dataclass(frozen=True, slots=True)
class Performance:
    """Recordings of a face and a pose, None for what is not there; `warning` is for the caller."""

    face: Path | None = None
    pose: Path | None = None
    warning: str = ""


def performance(folder: Path, emotion: str) -> Performance:
    """Return what a face shall follow: `emotion`, else the plain one, else nothing at all.

    By the names that are there: what was asked for is never made into a path.
    """
    there = {each.parent.name: each.parent for each in folder.glob(f"{_FOLDER}/*/{_FACE}")}
    found = there.get(emotion or PLAIN, there.get(PLAIN))
    warning = ""
    if emotion and emotion not in there:
        known = ", ".join(sorted(there)) or "-"
        key = Said.EMOTION_TAKEN if found else Said.EMOTION_LEFT_OUT
        warning = said(key, emotion=emotion, known=known, taken=PLAIN)
    if found is None:
        return Performance(warning=warning)
    pose = found / _POSE
    return Performance(found / _FACE, pose if pose.is_file() else None, warning)


def followed(path: Path | None, count: int, fps: float, size: tuple[int, int]) -> list[Any]:
    """Return `count` pictures of a recording at `fps`, each (width, height); black ones for None.

    A recording that is too short goes back and forth. Raises InvalidArgument for an unreadable one.
    """
    if path is None:
        return [Image.new("RGB", size)] * count
    taken = _sampled(path, count, fps, size)
    around = max(1, 2 * (len(taken) - 1))
    turns = (number % around for number in range(count))
    return [taken[turn if turn < len(taken) else around - turn] for turn in turns]


def _sampled(path: Path, most: int, fps: float, size: tuple[int, int]) -> list[Any]:
    """Return the pictures that are shown every 1/fps seconds, at most so many."""
    taken: list[Any] = []
    try:
        with av.open(str(path)) as recording:
            stream = recording.streams.video[0]
            length = 1 / float(stream.average_rate or fps)
            shown: list[Any] = [(frame.time or 0.0, frame) for frame in recording.decode(stream)]
    except (FFmpegError, IndexError) as error:
        field = f"{_FOLDER}/{path.parent.name}"
        raise InvalidArgument(field, f"{path.name} cannot be read") from error
    ends = [after for _, (after, _) in pairwise(shown)]
    for (start, frame), end in zip(shown, [*ends, shown[-1][0] + length], strict=True):
        first, last = (math.ceil((at - shown[0][0]) * fps - 1e-6) for at in (start, end))
        wanted = min(last, most) - max(first, len(taken))
        if wanted > 0:
            taken += [frame.to_image().resize(size)] * wanted
    return taken
