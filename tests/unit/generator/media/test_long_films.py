"""Half an hour of film: nothing drifts, and memory does not grow with the length."""

import json
import subprocess
import sys
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from services.generator.domain.compositions import (
    Clip,
    ComposeTask,
    Encoding,
    Role,
    Track,
    Transition,
)
from services.generator.domain.media import Media
from services.generator.domain.records import to_record
from services.generator.media.compose import Inputs, compose
from tests.fakes.clips import (
    BLUE,
    RATE,
    RED,
    decoded,
    heard,
    make_clip,
    make_sound,
    number_of,
    tone,
)

ANY = Media(url="https://example.com/any")
NTSC = Fraction(30_000, 1001)

pytestmark = [pytest.mark.stress, pytest.mark.timeout(900)]


@pytest.mark.parametrize("keep_levels", [True, False])
def test_sound_and_picture_stay_together_for_half_an_hour(
    tmp_path: Path, keep_levels: bool
) -> None:
    """Each clip begins with a beep, at a rate and lengths that no clock divides evenly."""
    beep = np.concatenate([tone(0.05, 1000, 0.5), np.zeros(round(5 * RATE), np.float32)])
    files = [
        make_clip(tmp_path / "a.mp4", rate=NTSC, frames=151, sound=beep, color=RED, size=(96, 64)),
        make_clip(tmp_path / "b.mp4", rate=25, frames=127, sound=beep, color=BLUE, size=(96, 64)),
    ] * 180
    clips = tuple(
        Clip(
            media=ANY,
            transition=Transition.CUT if number % 3 else Transition.CROSSFADE,
            transition_seconds=None if number % 3 else 0.02,
        )
        for number in range(len(files))
    )
    film = tmp_path / "film.mp4"
    task = ComposeTask(clips=clips, keep_levels=keep_levels, check=False)
    made = compose(task, Inputs(clips=files), film, lambda _: None)
    lasting = 180 * (151 / NTSC + Fraction(127, 25)) - 119 * Fraction(2, 100)
    assert abs(made.frames - lasting * NTSC) <= 1
    shown = [number_of(frame) for frame in decoded(film)]
    # A blend may hide the first frame of every third clip; another rate may show one frame twice.
    begins = [n for n, number in enumerate(shown) if number == 0 and (n == 0 or shown[n - 1])]
    sound = np.abs(heard(film)[0])
    assert 241 <= len(begins) <= 360
    for frame in begins[:: len(begins) // 60]:
        seen = float(frame / NTSC)
        around = max(0, round((seen - 0.5) * RATE))
        loud = np.flatnonzero(sound[around : around + RATE] > 0.05)[0]
        assert abs((around + loud) / RATE - seen) < 0.04


@pytest.mark.parametrize(
    ("encoding", "room"), [(Encoding.FULL, 40 * 2**20), (Encoding.AUTO, 10 * 2**20)]
)
def test_a_long_film_takes_no_more_memory_than_a_short_one(
    tmp_path: Path, encoding: Encoding, room: int
) -> None:
    """With music that repeats, words over every clip, and captions in the picture."""
    clip = make_clip(tmp_path / "a.mp4", frames=240, sound=tone(10))
    short, long = (_highest(clip, tmp_path, count, encoding) for count in (6, 90))
    print(f"{encoding}: {(long - short) / 2**20:.1f} MiB more for fifteen minutes than for one")
    assert long - short < room


def _highest(clip: Path, folder: Path, count: int, encoding: Encoding) -> int:
    """The highest resident memory in bytes of a worker that makes one film."""
    music, words = folder / "music.flac", folder / "words.flac"
    make_sound(music, tone(12, 220.0))
    make_sound(words, tone(2, 880.0))
    captions = folder / "captions.srt"
    captions.write_text("\n".join(_caption(number) for number in range(count)))
    spoken = [Track(media=ANY, role=Role.DIALOGUE, at_seconds=10.0 * n + 1) for n in range(count)]
    task = ComposeTask(
        clips=tuple(Clip(media=ANY) for _ in range(count)),
        tracks=(Track(media=ANY, role=Role.MUSIC, loop=True, fade_out_seconds=1.5), *spoken),
        captions=ANY,
        encoding=encoding,
    )
    files = {
        "clips": [str(clip)] * count,
        "tracks": [str(music), *[str(words)] * count],
        "captions": [str(captions)],
    }
    path = str(folder / "film.mp4")
    order = {"kind": "compose", "task": to_record(task), "files": files, "path": path}
    argv = [sys.executable, "-m", "services.generator.media"]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(json.dumps(order).encode() + b"\n")
        process.stdin.flush()
        told = next(line for line in process.stdout if b'"done"' in line or b'"failed"' in line)
        status = Path(f"/proc/{process.pid}/status").read_text()
        process.stdin.close()
    assert b'"done"' in told
    highest = next(line for line in status.splitlines() if line.startswith("VmHWM"))
    return int(highest.split()[1]) * 1024


def _caption(number: int) -> str:
    minutes, seconds = divmod(10 * number + 1, 60)
    at = f"00:{minutes:02}:{seconds:02}"
    return f"{number + 1}\n{at},000 --> {at},900\nHabari {number}\n"
