"""A cut lasts the sum of its clips less what they share: edges are rounded, never lengths."""

from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import pytest

from services.common.errors import InvalidArgument
from services.generator.domain.compositions import Clip, ComposeTask, Role, Track, Transition
from services.generator.domain.media import Media
from services.generator.media.compose import Inputs, compose
from services.generator.media.planning import Cut, planned
from services.generator.media.probe import Facts, Picture
from services.generator.media.timeline import Copyable, Part, Placed, parts
from tests.fakes.clips import RATE, decoded, heard, make_clip, make_sound, number_of, tone

ANY = Media(url="https://example.com/any")
RATES = [Fraction(24_000, 1001), Fraction(25), Fraction(30_000, 1001), Fraction(30), Fraction(60)]


def clip_facts(rate: Fraction, frames: int, **more: Any) -> Facts:
    picture = Picture(
        width=192,
        height=108,
        start=0.0,
        seconds=float(frames / rate),
        frames=frames,
        rate=rate,
        average_rate=rate,
        **more,
    )
    return Facts(path=Path("never-opened.mp4"), picture=picture, sound=None)


def cut_of(clips: list[Clip], facts: list[Facts], **task: Any) -> Cut:
    return planned(ComposeTask(clips=tuple(clips), **task), facts, lambda _: [])


def any_cut(chance: Random) -> tuple[list[Clip], list[Facts], Fraction]:
    """A hundred clips of any rate, in full or in part, and how long their cut is."""
    clips: list[Clip] = []
    facts: list[Facts] = []
    lengths: list[Fraction] = []
    total = Fraction(0)
    for number in range(100):
        rate, frames = chance.choice(RATES), chance.randint(20, 400)
        part = chance.choice([None, chance.randint(300, int(frames / rate * 1000))])
        lengths.append(frames / rate if part is None else Fraction(part / 1000))
        half = int(min(lengths[-2:]) * 500) if number else 0
        overlap = chance.choice([0, chance.randint(0, half)]) / 1000
        clips.append(
            Clip(
                media=ANY,
                duration_seconds=None if part is None else part / 1000,
                transition=Transition.CROSSFADE if overlap else Transition.CUT,
                transition_seconds=overlap or None,
            )
        )
        facts.append(clip_facts(rate, frames))
        total += lengths[-1] - Fraction(overlap)
    return clips, facts, total


@pytest.mark.parametrize("seed", range(20))
def test_a_hundred_clips_of_any_rate_last_their_sum_to_the_frame(seed: int) -> None:
    clips, facts, total = any_cut(Random(seed))
    cut = cut_of(clips, facts)
    assert abs(cut.frames - total * cut.target.rate) <= 1
    ends = [0, *(part.end for part in cut.plan)]
    assert [part.start for part in cut.plan] == ends[:-1]
    assert ends[-1] == cut.frames
    for before, clip in pairwise(cut.clips):
        assert before.end - clip.at == clip.overlap
        assert clip.overlap <= min(before.frames, clip.frames)


def test_shots_that_no_rate_divides_begin_where_their_words_do() -> None:
    clips = [Clip(media=ANY, duration_seconds=2.1) for _ in range(100)]
    cut = cut_of(clips, [clip_facts(Fraction(24), 51)] * 100)
    late = [
        abs(place.at / cut.target.rate - number * 2.1) for number, place in enumerate(cut.clips)
    ]
    assert max(late) <= 1 / 48 + 1e-9
    assert cut.frames == 5040


@pytest.mark.timeout(120)
def test_words_are_heard_where_their_shots_begin_a_hundred_shots_later(tmp_path: Path) -> None:
    """Shots of 2.1 s are 50.4 frames: what is copied keeps its frames, the rest is encoded."""
    clip = make_clip(tmp_path / "clip.mp4", frames=50, size=(96, 64))
    beep = make_sound(tmp_path / "beep.flac", tone(0.05, 1000, 0.5))
    clips = tuple(Clip(media=ANY, duration_seconds=2.1, mute=True) for _ in range(100))
    spoken = range(0, 100, 11)
    tracks = tuple(Track(media=ANY, role=Role.DIALOGUE, at_seconds=2.1 * n) for n in spoken)
    task = ComposeTask(clips=clips, tracks=tracks, keep_levels=True, check=False)
    film = tmp_path / "film.mp4"
    files = Inputs(clips=[clip] * 100, tracks=[beep] * len(tracks))
    made = compose(task, files, film, lambda _: None)
    assert (made.frames, made.encoded_frames, made.method) == (5040, 40, "smart")
    begins = [n / 24 for n, frame in enumerate(decoded(film)) if number_of(frame) == 0]
    sound = np.abs(heard(film)[0])
    assert len(begins) == 100
    for number in spoken:
        around = max(0, round((begins[number] - 0.5) * RATE))
        loud = np.flatnonzero(sound[around : around + RATE] > 0.05)[0]
        assert abs((around + loud) / RATE - begins[number]) < 0.04


@pytest.mark.parametrize("rate", [12, 15, 24, 25])
def test_half_of_a_shot_may_be_half_a_frame_too_long(rate: int) -> None:
    clips = [
        Clip(media=ANY, transition=Transition.CROSSFADE, duration_seconds=1.0) for _ in range(9)
    ]
    cut = cut_of(clips, [clip_facts(Fraction(rate), rate)] * 9)
    assert abs(cut.frames - 5 * rate) <= 1
    assert all(clip.overlap in {rate // 2, (rate + 1) // 2} for clip in cut.clips[1:])


def test_more_than_a_frame_too_long_is_refused() -> None:
    clip = Clip(media=ANY, transition=Transition.CROSSFADE, transition_seconds=0.57)
    with pytest.raises(InvalidArgument, match=r"clips\[1\].transition_duration.*0.500 s"):
        cut_of([clip, clip], [clip_facts(Fraction(15), 15)] * 2)


def test_what_is_drawn_into_no_frame_parts_no_copy() -> None:
    clips = [Placed(0, 0, 48, 48, 0, Transition.CUT)]
    copyable = [Copyable((0, 12, 24, 36), frozenset(range(49)))]
    assert parts(clips, copyable, [(30, 30)], Fraction(24)) == [Part(0, 48, 0, 0)]


@pytest.mark.parametrize(("rate", "frames"), [(24, 119), (60, 297), (25, 119)])
def test_a_picture_that_is_a_little_shorter_than_asked_for_stands(rate: int, frames: int) -> None:
    """As where a file's length is that of its sound: 4.95 s of picture, 5 s asked for."""
    cut = cut_of([Clip(media=ANY, duration_seconds=5.0)], [clip_facts(Fraction(rate), frames)])
    assert cut.frames == 5 * rate


def test_a_picture_that_is_much_shorter_is_refused_by_its_field() -> None:
    with pytest.raises(InvalidArgument, match=r"clips\[0\].duration"):
        cut_of([Clip(media=ANY, duration_seconds=5.0)], [clip_facts(Fraction(24), 100)])
