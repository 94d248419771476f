"""Joins the runs of a long clip: each goes on from the frames before, blended over the overlap."""

from collections.abc import Callable, Iterator

import numpy as np

from services.generator.domain.segments import Segment
from services.generator.engines.local.family import Pixels

Run = Callable[[int, Segment, Pixels | None], Iterator[Pixels]]
"""Makes one segment: its number, what it is, and the frames before that it goes on from."""


def joined(parts: tuple[Segment, ...], run: Run) -> Iterator[Pixels]:
    """Yield the chunks of the whole clip: as many frames as the segments have new ones.

    A run may make more than its segment says; what is too much is dropped at its end. No more than
    one overlap is kept besides the chunk at hand.
    """
    lead: Pixels | None = None
    for number, part in enumerate(parts):
        following = parts[number + 1].overlap if number + 1 < len(parts) else 0
        made = _at_most(run(number, part, lead), part.frames)
        if lead is not None:
            made = _blended(made, lead)
        if following:
            held: list[Pixels] = []
            yield from _holding_back(made, following, held)
            lead = np.concatenate(held)
        else:
            yield from made


def blend(before: Pixels, after: Pixels) -> Pixels:
    """Return a cross-fade of equally many frames (n, height, width, 3)."""
    share = (np.arange(1, len(before) + 1, dtype=np.float32) / (len(before) + 1))[
        :, None, None, None
    ]
    mixed = before.astype(np.float32) * (1 - share) + after.astype(np.float32) * share
    return np.rint(mixed).astype(np.uint8)


def _at_most(chunks: Iterator[Pixels], frames: int) -> Iterator[Pixels]:
    for chunk in chunks:
        if frames <= 0:
            return
        yield chunk[:frames]
        frames -= len(chunk)


def _blended(chunks: Iterator[Pixels], lead: Pixels) -> Iterator[Pixels]:
    """Yield the chunks with their first frames faded in over `lead`, which was held back."""
    gathered: list[Pixels] = []
    for chunk in chunks:
        gathered.append(chunk)
        if sum(map(len, gathered)) >= len(lead):
            break
    start = np.concatenate(gathered)
    # Shares run over the whole overlap, so it is blended in one piece.
    yield np.concatenate([blend(lead, start[: len(lead)]), start[len(lead) :]])
    yield from chunks


def _holding_back(chunks: Iterator[Pixels], frames: int, held: list[Pixels]) -> Iterator[Pixels]:
    """Yield all but the last `frames`, which end up in `held`."""
    for chunk in chunks:
        held.append(chunk)
        gathered = np.concatenate(held)
        if len(gathered) > frames:
            yield gathered[:-frames]
        held[:] = [gathered[-frames:]]
