"""Clips whose pixels are not square, not 8 bits, not 4:2:0 or of full range, in films."""

from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from services.generator.domain.compositions import Clip, ComposeTask, Encoding, Transition
from services.generator.domain.media import Media
from services.generator.media.compose import Composed, Inputs, compose
from services.generator.media.planning import planned
from services.generator.media.probe import BT709, probe
from tests.fakes.clips import (
    BLUE,
    GREEN,
    RATE,
    RED,
    color_of,
    decibels,
    decoded,
    heard,
    make_clip,
    near,
    number_of,
)
from tests.fakes.odd_clips import (
    BT2020_OF_BT709,
    disc,
    extent,
    full_range,
    hlg,
    moving,
    patches,
    pq,
    rgb,
    sounding,
    ycgco,
)

ANY = Media(url="https://example.com/any")
FADE = {"transition": Transition.FADE_BLACK, "transition_seconds": 0.5}


def film_of(
    folder: Path, files: list[Path], change: dict[str, Any] | None = None, **task: Any
) -> tuple[Path, Composed]:
    """The film of these clips; all but the first follow as `change` says."""
    film = folder / "film.mp4"
    clips = (Clip(media=ANY), *(Clip(media=ANY, **(change or {})) for _ in files[1:]))
    made = compose(ComposeTask(clips=clips, **task), Inputs(clips=files), film, lambda _: None)
    return film, made


def size_of(made: Composed) -> tuple[int, int]:
    return made.width, made.height


@pytest.mark.parametrize(
    ("size", "ratio", "seen"),
    [
        ((144, 108), Fraction(4, 3), (192, 108)),
        ((96, 108), Fraction(2), (192, 108)),
        ((180, 120), Fraction(8, 9), (180, 134)),  # 135 is odd
    ],
)
def test_pixels_that_are_not_square_are_shown_in_their_shape(
    tmp_path: Path, size: tuple[int, int], ratio: Fraction, seen: tuple[int, int]
) -> None:
    clip = disc(tmp_path / "a.mp4", size, ratio)
    with av.open(str(clip)) as file:
        assert file.streams.video[0].sample_aspect_ratio == ratio, "the fixture's pixels are square"
    film, made = film_of(tmp_path, [clip])
    assert size_of(made) == seen
    wide, high = extent(next(decoded(film)))
    assert abs(wide - high) <= 2
    with av.open(str(film)) as file:
        assert file.streams.video[0].sample_aspect_ratio in {None, 0, 1}


def test_a_clip_of_other_pixels_is_round_in_the_middle_of_another_film(tmp_path: Path) -> None:
    files = [make_clip(tmp_path / "a.mp4"), disc(tmp_path / "b.mp4", (108, 108), Fraction(4, 3))]
    film, _ = film_of(tmp_path, files)
    *_, frame = decoded(film)
    wide, high = extent(frame)
    assert abs(wide - high) <= 2
    assert near(color_of(frame, 0.04, 0.5), (0, 0, 0)), "144 of 192 pixels, black beside them"
    assert near(color_of(frame, 0.16, 0.5), (90, 90, 90))


@pytest.mark.parametrize("encoding", list(Encoding))
def test_a_fade_of_a_full_range_clip_goes_through_black(tmp_path: Path, encoding: Encoding) -> None:
    files = [
        full_range(tmp_path / "a.mp4", color=RED, frames=24),
        make_clip(tmp_path / "b.mp4", color=BLUE, frames=24),
    ]
    with av.open(str(files[0])) as file:
        assert file.streams.video[0].codec_context.color_range == 2, (
            "the fixture is of limited range"
        )
    film, _ = film_of(tmp_path, files, FADE, encoding=encoding)
    frames = list(decoded(film))
    assert {int(frame.color_range) for frame in frames} == {1}
    assert near(color_of(frames[2]), RED)
    assert near(color_of(frames[-2]), BLUE)
    assert frames[18].to_ndarray(format="gray").min() >= 0
    assert max(color_of(frames[18])) <= 4


@pytest.mark.parametrize("matrix", [0, 8])
def test_a_film_that_begins_in_rgb_or_ycgco_says_what_its_colors_are(
    tmp_path: Path, matrix: int
) -> None:
    made = rgb if matrix == 0 else ycgco
    first = made(tmp_path / "a.mp4", color=RED)
    with av.open(str(first)) as file:
        assert file.streams.video[0].codec_context.colorspace == matrix, "the fixture is another"
    files = [first, make_clip(tmp_path / "b.mp4", color=BLUE, frames=24)]
    film, _ = film_of(tmp_path, files, encoding=Encoding.FULL, check=False)
    frames = list(decoded(film))
    assert {int(frame.colorspace) for frame in frames} == {1}
    assert near(color_of(frames[2]), RED)
    assert near(color_of(frames[-2]), BLUE)
    with av.open(str(film)) as file:
        context = file.streams.video[0].codec_context
        assert {context.color_primaries, context.color_trc, context.colorspace} == {1}


PQ_GREYS = pq(np.array([0, 5, 50, 203, 1000, 4000], float))[:, None].repeat(3, axis=1)
HLG_GREYS = np.array([0, 0.1, 0.5, 0.75, 0.9, 1.0])[:, None].repeat(3, axis=1)
PRIMARIES = np.array([[1, 0.05, 0.05], [0.05, 1, 0.05], [0.05, 0.05, 1]]) @ BT2020_OF_BT709.T
"""Light of BT.709's own red, green and blue."""


@pytest.mark.parametrize(
    ("transfer", "greys", "primaries"),
    [
        (16, PQ_GREYS, pq(100 * PRIMARIES)),
        # What FFmpeg tabulates for it takes seconds.
        pytest.param(18, HLG_GREYS, hlg(0.2 * PRIMARIES), marks=pytest.mark.stress),
    ],
)
def test_more_light_than_a_film_can_hold_is_bent_and_not_cut_off(
    tmp_path: Path, transfer: int, greys: np.ndarray, primaries: np.ndarray
) -> None:
    clip = patches(tmp_path / "a.mp4", np.concatenate([greys, primaries]), transfer)
    film, made = film_of(tmp_path, [clip, clip])
    frame = next(decoded(film))
    count = len(greys) + 3
    seen = [color_of(frame, (n + 0.5) / count, 0.5) for n in range(count)]
    assert all(near(color, [color[1]] * 3, 3) for color in seen[:-3]), "grey stays grey"
    levels = [color[1] for color in seen[:-3]]
    assert levels[0] <= 2
    assert all(later - sooner >= 15 for sooner, later in pairwise(levels)), levels
    for place, color in enumerate(seen[-3:]):
        others = [value for other, value in enumerate(color) if other != place]
        assert max(others) < 0.65 * color[place], "it is pale"
    assert made.method == "encoded"
    with av.open(str(film)) as file:
        context = file.streams.video[0].codec_context
        assert {context.color_primaries, context.color_trc, context.colorspace} == {1}


def test_a_clip_of_eight_bits_that_says_it_is_hlg_is_not_copied(tmp_path: Path) -> None:
    facts = probe(make_clip(tmp_path / "a.mp4", transfer=18), "a")
    assert facts.picture is not None
    cut = planned(ComposeTask(clips=(Clip(media=ANY),)), [facts], lambda _: [])
    assert (facts.picture.color.transfer, cut.method, cut.target.color) == (18, "encoded", BT709)


def test_long_parts_between_copies_are_not_encoded_in_haste(tmp_path: Path) -> None:
    """What is encoded in haste has twice the bits: it is for the frames around a transition."""
    first = make_clip(tmp_path / "a.mp4", frames=24)
    other = moving(tmp_path / "b.mp4", (176, 100))
    files = [first, *[other] * 4]
    film, made = film_of(tmp_path, files, check=False)
    assert (made.method, made.encoded_frames) == ("smart", 96)
    smart = sum(bits(film)[24:])
    film, made = film_of(tmp_path, files, encoding=Encoding.FULL, check=False)
    assert (made.method, made.encoded_frames) == ("encoded", 120)
    assert smart < 1.15 * sum(bits(film)[24:])


def bits(film: Path) -> list[int]:
    with av.open(str(film)) as file:
        return [packet.size for packet in file.demux(video=0) if packet.size]


def test_short_and_long_parts_lie_in_one_track(tmp_path: Path) -> None:
    a, b = (make_clip(tmp_path / f"{n}.mp4", color=c) for n, c in enumerate((RED, BLUE)))
    other = make_clip(tmp_path / "c.mp4", color=GREEN, frames=72, size=(176, 100))
    blend = {"transition": Transition.CROSSFADE, "transition_seconds": 0.25}
    film, made = film_of(tmp_path, [a, b, other, a], blend)
    assert made.method == "smart"
    shown = [(number_of(frame), color_of(frame)) for frame in decoded(film)]
    assert len(shown) == made.frames == 48 * 3 + 72 - 18
    for at, color in ((20, RED), (60, BLUE), (120, GREEN), (190, RED)):
        assert near(shown[at][1], color)


def test_ten_bits_all_chroma_and_every_layout_of_sound_become_one_film(tmp_path: Path) -> None:
    files = [
        sounding(tmp_path / "a.mp4", "stereo", 44_100, 440, color=RED),
        sounding(tmp_path / "b.mp4", "5.1", 48_000, 880, color=BLUE, pixels="yuv420p10le"),
        make_clip(tmp_path / "c.mp4", color=GREEN, size=(193, 109), pixels="yuv444p"),
        sounding(tmp_path / "d.mp4", "stereo", 22_050, 660, color=RED, pixels="yuv422p10le"),
    ]
    film, made = film_of(tmp_path, files, keep_levels=True)
    frames = list(decoded(film))
    assert len(frames) == made.frames == 4 * 48
    assert {(frame.width, frame.height, frame.format.name) for frame in frames} == {
        (192, 108, "yuv420p")
    }
    for number, color in enumerate((RED, BLUE, GREEN, RED)):
        part = frames[48 * number : 48 * (number + 1)]
        assert [number_of(frame) for frame in part] == [*range(48)]
        assert all(near(color_of(frame), color) for frame in part)
    sound = heard(film).mean(axis=0)
    for number, hertz in enumerate((440, 880, None, 660)):
        part = sound[round((2 * number + 0.2) * RATE) : round((2 * number + 1.8) * RATE)]
        if hertz is None:
            assert decibels(part) < -60
        else:
            assert decibels(part, hertz) > -20
            assert decibels(part, hertz) == pytest.approx(decibels(part), abs=1)
    with av.open(str(film)) as file:
        audio = file.streams.audio[0]
        assert (audio.rate, audio.layout.name) == (48_000, "stereo")
    assert np.isfinite(sound).all()
