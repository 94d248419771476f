"""Long clips of several runs: every frame is there, and the seams are faded."""

import numpy as np
import pytest

from services.generator.domain.segments import segments
from services.generator.engines.local.continuing import blend, joined


def grey(values, size=2):
    return np.stack([np.full((size, size, 3), value, np.uint8) for value in values])


@pytest.mark.parametrize("chunk", [1, 3, 16])
@pytest.mark.parametrize(("frames", "longest", "overlap"), [(30, 9, 1), (30, 9, 4), (9, 9, 1)])
def test_each_run_goes_on_from_the_last_frames_of_the_one_before(
    frames, longest, overlap, chunk
) -> None:
    leads = []
    at = 0

    def run(number, part, lead):
        nonlocal at
        leads.append(lead)
        at -= part.overlap
        # A run makes more than it was asked for: models round up.
        made = grey(range(at, at + part.frames + 3))
        at += part.frames
        return (made[start : start + chunk] for start in range(0, len(made), chunk))

    parts = segments(frames, longest, overlap)
    clip = np.concatenate(list(joined(parts, run)))
    assert clip[:, 0, 0, 0].tolist() == list(range(frames))
    assert leads[0] is None
    assert all(len(lead) == overlap for lead in leads[1:])


def test_a_seam_fades_from_the_one_to_the_other() -> None:
    mixed = blend(grey([0, 0, 0]), grey([200, 200, 200]))
    assert mixed[:, 0, 0, 0].tolist() == [50, 100, 150]


def test_what_the_runs_disagree_on_is_faded_over_the_whole_overlap() -> None:
    def run(number, part, lead):
        yield grey([0 if number == 0 else 200] * part.frames)

    clip = np.concatenate(list(joined(segments(7, 5, 3), run)))[:, 0, 0, 0]
    assert clip.tolist() == [0, 0, 50, 100, 150, 200, 200]
