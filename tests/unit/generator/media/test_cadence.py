"""Every frame of a cut shows what its clip shows at that time, whatever rate the clip has."""

from fractions import Fraction
from itertools import accumulate
from pathlib import Path

import pytest

from services.generator.domain.compositions import Clip, ComposeTask
from services.generator.domain.media import Media
from services.generator.media.compose import Inputs, compose
from tests.fakes.clips import BLUE, decoded, make_clip, number_of

ANY = Media(url="https://example.com/any")
FILM = Fraction(24_000, 1001)
UNEVEN = [*accumulate([40, 50, 40, 90, 45, 60, 120, 40, 250, 60] * 3, initial=0)]
"""When each frame begins, in thousandths of a second."""


def begins_of(rate: Fraction | int | None) -> list[Fraction]:
    """When the frames of the other clip begin: two seconds of its rate, or uneven ones."""
    if rate is None:
        return [Fraction(time, 1000) for time in UNEVEN]
    return [number / Fraction(rate) for number in range(round(2 * rate))]


@pytest.mark.parametrize(
    ("rate", "other"),
    [(30, FILM), (FILM, 30), (24, 60), (Fraction(30_000, 1001), 25), (30, None), (FILM, None)],
)
def test_what_is_shown_is_never_half_a_frame_too_soon_or_too_late(
    tmp_path: Path, rate: Fraction | int, other: Fraction | int | None
) -> None:
    """The other clip lies between two of the cut's own rate."""
    begins = begins_of(other)
    first = make_clip(tmp_path / "a.mp4", frames=15, rate=rate, size=(96, 64))
    mixed = make_clip(
        tmp_path / "b.mp4",
        frames=len(begins),
        rate=other or 24,
        size=(96, 64),
        times=None if other else UNEVEN,
        color=BLUE,
    )
    film = tmp_path / "film.mp4"
    task = ComposeTask(clips=tuple(Clip(media=ANY) for _ in range(3)), check=False)
    made = compose(task, Inputs(clips=[first, mixed, first]), film, lambda _: None)
    shown = [number_of(frame) for frame in decoded(film)]
    assert made.frames == len(shown)
    assert shown[:15] == shown[-15:] == [*range(15)]
    frame = 1 / Fraction(rate)
    between = shown[15:-15]
    assert between == sorted(between)
    for place, number in enumerate(between):
        assert begins[number] <= (place + Fraction(1, 2)) * frame
        if number + 1 < len(begins):
            assert begins[number + 1] > (place - Fraction(1, 2)) * frame
    assert begins[between[-1]] >= begins[-1] - frame
