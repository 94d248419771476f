import pytest

from services.common.errors import InvalidArgument
from services.generator.domain.segments import Segment, segments


def test_a_minute_is_made_of_runs_that_overlap_and_no_frame_is_lost() -> None:
    found = segments(60 * 24, 257, 9)
    assert len(found) == 6
    assert sum(part.new for part in found) == 1440
    assert all(part.frames <= 257 for part in found)
    assert [part.overlap for part in found] == [0, 9, 9, 9, 9, 9]


@pytest.mark.parametrize("frames", range(1, 120, 7))
@pytest.mark.parametrize(("longest", "overlap"), [(9, 1), (17, 8), (81, 5)])
def test_every_length_is_exact(frames, longest, overlap) -> None:
    assert sum(part.new for part in segments(frames, longest, overlap)) == frames


def test_one_run_is_enough_where_it_is_long_enough_or_has_no_length() -> None:
    assert segments(81, 81, 1) == (Segment(81, 0),)
    assert segments(500, 0, 0) == (Segment(500, 0),)


def test_a_model_that_cannot_go_on_refuses_what_is_too_long() -> None:
    with pytest.raises(InvalidArgument, match="at most 25 frames"):
        segments(26, 25, 0)
