"""Cuts are measured as they play: frames by the numbers they show, sound by what is heard."""

import subprocess
from difflib import SequenceMatcher
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Any

import av
import imageio_ffmpeg
import numpy as np
import pytest

from services.common.errors import InvalidArgument
from services.generator.domain.compositions import Clip, ComposeTask, Encoding, Transition
from services.generator.domain.media import Media
from services.generator.media.compose import Composed, Inputs, compose
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
    tone,
)

ANY = Media(url="https://example.com/any")
CROSSFADE = {"transition": Transition.CROSSFADE, "transition_seconds": 0.25}

pytestmark = pytest.mark.timeout(120)


def composed(
    folder: Path, files: list[Path], *changes: dict[str, Any], **task: Any
) -> tuple[Path, Composed]:
    given = [*changes, *[{}] * (len(files) - len(changes))]
    clips = tuple(Clip(media=ANY, **change) for change in given)
    film = folder / "film.mp4"
    made = compose(ComposeTask(clips=clips, **task), Inputs(clips=files), film, lambda _: None)
    assert [each.name for each in folder.iterdir() if each.name.startswith(".")] == []
    return film, made


def strictly(film: Path) -> None:
    """FFmpeg decodes every packet and complains about nothing."""
    argv = [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "warning", "-err_detect", "explode", "-xerror"]
    ran = subprocess.run(
        [*argv, "-i", str(film), "-f", "null", "-"], capture_output=True, check=False, timeout=60
    )
    assert (ran.returncode, ran.stderr) == (0, b"")


def packets(path: Path) -> list[bytes]:
    with av.open(str(path)) as file:
        return [bytes(packet) for packet in file.demux(video=0) if packet.size]


def copied_run(film: Path, clip: Path) -> tuple[int, int]:
    """Where in the film the longest run of a clip's packets lies, bit for bit and in their order.

    It begins where decoding can begin.
    """
    made, given = packets(film), packets(clip)
    matcher = SequenceMatcher(None, made, given, autojunk=False)
    run = matcher.find_longest_match(0, len(made), 0, len(given))
    with av.open(str(clip)) as file:
        keys = [packet.is_keyframe for packet in file.demux(video=0) if packet.size]
    assert keys[run.b]
    return run.a, run.size


def evenly(film: Path, rate: Fraction | int) -> list[Any]:
    frames = list(decoded(film))
    assert frames[0].pts == 0
    steps = {(b.pts - a.pts) * b.time_base for a, b in pairwise(frames)}
    assert steps == {1 / Fraction(rate)}
    return frames


def test_a_cut_of_like_clips_copies_every_picture_bit_for_bit(tmp_path: Path) -> None:
    a = make_clip(tmp_path / "a.mp4", color=RED, sound=tone(2))
    b = make_clip(tmp_path / "b.mp4", color=BLUE, sound=tone(2, 660))
    film, made = composed(tmp_path, [a, b])
    assert (made.method, made.encoded_frames, made.frames) == ("copied", 0, 96)
    assert packets(film) == packets(a) + packets(b)
    frames = evenly(film, 24)
    assert [number_of(frame) for frame in frames] == [*range(48)] * 2
    strictly(film)


@pytest.mark.parametrize("encoding", list(Encoding))
def test_transitions_share_frames_and_nothing_else_changes(
    tmp_path: Path, encoding: Encoding
) -> None:
    colors = [RED, BLUE, GREEN]
    files = [
        make_clip(tmp_path / f"{n}.mp4", color=color, sound=tone(2))
        for n, color in enumerate(colors)
    ]
    film, made = composed(tmp_path, files, {}, CROSSFADE, CROSSFADE, encoding=encoding)
    frames = evenly(film, 24)
    assert len(frames) == made.frames == 3 * 48 - 2 * 6
    for number, color in enumerate(colors):
        at = number * 42
        for place in range(6 if number else 0, 48 if number == 2 else 42):
            assert number_of(frames[at + place]) == place
            assert near(color_of(frames[at + place]), color)
    half = tuple((a + b) // 2 for a, b in zip(RED, BLUE, strict=True))
    assert near(color_of(frames[45]), half)
    if encoding is Encoding.AUTO:
        assert made.method == "smart"
        assert made.encoded_frames <= 2 * (6 + 3 + 11)
        copied = [copied_run(film, file) for file in files]
        assert sum(size for _, size in copied) == made.frames - made.encoded_frames
        places = [at for at, _ in copied]
        assert places == sorted(places)
        assert all(size >= 24 for _, size in copied)
    else:
        assert (made.method, made.encoded_frames) == ("encoded", made.frames)
    strictly(film)
    assert heard(film).shape[1] == pytest.approx(made.seconds * RATE, abs=RATE / 24)


def test_a_fade_goes_through_black(tmp_path: Path) -> None:
    files = [
        make_clip(tmp_path / "a.mp4", color=RED, frames=24),
        make_clip(tmp_path / "b.mp4", color=BLUE, frames=24),
    ]
    film, _ = composed(
        tmp_path, files, {}, {"transition": Transition.FADE_BLACK, "transition_seconds": 0.5}
    )
    frames = list(decoded(film))
    assert near(color_of(frames[12]), RED)
    assert near(color_of(frames[18]), (0, 0, 0))
    assert near(color_of(frames[24]), BLUE)


def test_clips_of_every_kind_become_one_film(tmp_path: Path) -> None:
    uneven = [0, 40, 90, 200, 250, 410, 450, 500, 700, 960]
    files = [
        make_clip(tmp_path / "a.mp4", color=RED, sound=tone(2)),
        make_clip(tmp_path / "b.mp4", color=BLUE, rate=30, frames=60, size=(320, 240)),
        make_clip(
            tmp_path / "c.mp4",
            color=GREEN,
            rate=25,
            frames=50,
            size=(108, 192),
            sound=tone(2, rate=22_050),
            sound_rate=22_050,
        ),
        make_clip(tmp_path / "d.mp4", color=RED, pixels="yuv444p", frames=10, times=uneven),
        make_clip(tmp_path / "e.mp4", color=BLUE, rate=Fraction(30_000, 1001), frames=60),
    ]
    film, made = composed(tmp_path, files, {}, CROSSFADE, CROSSFADE, {}, CROSSFADE)
    frames = evenly(film, 24)
    lengths = [48, 48, 48, 24, 48]
    assert abs(len(frames) - (sum(lengths) - 3 * 6)) <= 1
    assert {(frame.width, frame.height) for frame in frames} == {(192, 108)}
    assert made.method == "smart"  # the first clip is as all shall be
    tall = frames[42 + 42 + 20]
    assert near(color_of(tall), GREEN)
    assert near(color_of(tall, 0.05, 0.5), (0, 0, 0))
    with av.open(str(film)) as file:
        audio = file.streams.audio[0]
        assert (audio.rate, audio.layout.name) == (48_000, "stereo")
    sound = heard(film)
    assert sound.shape[1] == pytest.approx(made.seconds * RATE, abs=RATE / 24)

    def level(begin: float, end: float) -> float:
        return decibels(sound[0][round(begin * RATE) : round(end * RATE)], 440)

    # The second clip has no sound, that of the third is at another rate and begins at 3.5 s.
    assert decibels(sound[0][round(2.1 * RATE) : round(3.4 * RATE)]) < -60
    assert level(4, 5) == pytest.approx(level(0.5, 1.5), abs=0.5)
    assert level(4, 5) > -40
    begins = np.flatnonzero(np.abs(sound[0][round(2.5 * RATE) :]) > 0.01)[0] / RATE + 2.5
    assert begins == pytest.approx(3.5, abs=0.08), "at equal power the first of it is faint"
    strictly(film)


@pytest.mark.parametrize("turned", [90, 180, 270])
def test_a_clip_on_its_side_stands_upright(tmp_path: Path, turned: int) -> None:
    """FFmpeg's own player view is the judge: it turns by the same note in the file."""
    clip = make_clip(tmp_path / "a.mp4", size=(192, 108), frames=12, turned=turned)
    upright = tmp_path / "upright.mp4"
    subprocess.run(
        [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", "-i", str(clip), str(upright)],
        check=True,
        timeout=60,
    )
    film, made = composed(tmp_path, [clip])
    expected, frame = next(decoded(upright)), next(decoded(film))
    assert (made.width, made.height) == (expected.width, expected.height)
    difference = frame.to_ndarray(format="gray") - expected.to_ndarray(format="gray").astype(int)
    assert np.abs(difference).mean() < 4


def test_part_of_a_clip_begins_at_its_frame(tmp_path: Path) -> None:
    clip = make_clip(tmp_path / "a.mp4")
    film, made = composed(tmp_path, [clip], {"start_seconds": 0.75, "duration_seconds": 1.0})
    assert [number_of(frame) for frame in decoded(film)] == [*range(18, 42)]
    assert made.method == "smart"


def test_what_is_seen_and_heard_stay_together(tmp_path: Path) -> None:
    """Each clip begins with a flash and a beep; they meet wherever the clip lands."""
    rate = Fraction(30_000, 1001)
    beep = np.concatenate([tone(0.05, 1000, 0.5), np.zeros(round(1.95 * RATE), np.float32)])
    files = [
        make_clip(tmp_path / f"{n}.mp4", rate=rate, frames=59, sound=beep, color=color)
        for n, color in enumerate([RED, BLUE] * 4)
    ]
    film, _ = composed(tmp_path, files, keep_levels=True)
    sound = heard(film)[0]
    begins = [n for n, frame in enumerate(decoded(film)) if number_of(frame) == 0]
    assert begins == [59 * n for n in range(8)]
    for frame in begins:
        seen = float(frame / rate)
        around = max(0, round((seen - 0.5) * RATE))
        loud = np.flatnonzero(np.abs(sound[around : around + RATE]) > 0.1)[0]
        assert abs((around + loud) / RATE - seen) < 0.02


def test_one_untouched_clip_with_its_own_levels_is_copied(tmp_path: Path) -> None:
    clip = make_clip(tmp_path / "a.mp4", sound=tone(2, level=0.1))
    film, made = composed(tmp_path, [clip], keep_levels=True)
    assert made.method == "copied"
    assert packets(film) == packets(clip)
    assert decibels(heard(film)[0][RATE // 2 : RATE]) == pytest.approx(-26, abs=0.5)


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"start_seconds": 9}, "clips[1].start"),
        ({"duration_seconds": 9}, "clips[1].duration"),
        (
            {"transition": Transition.CROSSFADE, "transition_seconds": 1.5},
            "clips[1].transition_duration",
        ),
    ],
)
def test_what_cannot_be_cut_is_told_by_its_field(
    tmp_path: Path, change: dict[str, Any], field: str
) -> None:
    files = [make_clip(tmp_path / name, frames=24) for name in ("a.mp4", "b.mp4")]
    with pytest.raises(InvalidArgument) as caught:
        composed(tmp_path, files, {}, change)
    assert caught.value.violations[0].field == field
    assert not (tmp_path / "film.mp4").exists()


@pytest.mark.parametrize(
    "content",
    [
        b"#EXTM3U\nfile:///etc/passwd\n",
        b"ffconcat version 1.0\nfile /etc/passwd\n",
        b"",
        b"\0\0\0\x18ftypmp42" + b"\0" * 64,
    ],
)
def test_what_is_no_clip_is_refused_and_never_followed(tmp_path: Path, content: bytes) -> None:
    bad = tmp_path / "bad"
    bad.write_bytes(content)
    good = make_clip(tmp_path / "a.mp4", frames=24)
    with pytest.raises(InvalidArgument) as caught:
        composed(tmp_path, [good, bad])
    assert caught.value.violations[0].field == "clips[1].media"
