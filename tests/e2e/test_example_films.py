"""The example films by the command that the README shows, each made once and looked at whole."""

import base64
import json
import re
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from itertools import pairwise
from pathlib import Path, PurePosixPath
from typing import Any

import av
import imageio_ffmpeg
import numpy as np
import pytest
from google.protobuf import json_format
from playwright.sync_api import Page

from reelmesh.orchestrator.v1 import film_service_pb2 as pb
from services.generator.media.captions import Caption, read
from tests.e2e.conftest import ROOT, Suite, reelmesh
from tests.fakes.clips import RATE, heard

pytestmark = pytest.mark.timeout(300)
# A change is tried with half the pictures; `make stress` makes them at the rate that films have.
SCRIPTS = ("five_shots.json", "scene.fountain")
RATES = [12, pytest.param(24, marks=pytest.mark.stress)]
# What the pictures are compared at; the rows at the top are where captions are burned in.
WIDTH, HEIGHT, CAPTION_ROWS = 64, 36, 6
# How far two small pictures are apart, of 255 in the mean: the same one encoded again stays below.
ALIKE = 4.0

_PLAY = """
async (source) => {
  const video = document.querySelector('video');
  const failed = new Promise((_, no) => video.onerror = () => no(video.error.message));
  const told = (name) => new Promise(yes => video.addEventListener(name, yes, {once: true}));
  video.muted = true;
  video.src = source;
  await Promise.race([failed, told('loadeddata')]);
  video.playbackRate = 8;
  const ended = told('ended');
  await video.play();
  await Promise.race([failed, ended]);
  const quality = video.getVideoPlaybackQuality();
  return {duration: video.duration, corrupted: quality.corruptedVideoFrames};
}
"""


@dataclass(frozen=True)
class Example:
    """A finished film and everything that it was made of, on this disk."""

    film: pb.Film
    path: Path
    files: dict[str, Path]
    fps: int

    @property
    def overlap(self) -> int:
        """How many pictures two shots share: half a second."""
        return self.fps // 2

    @cached_property
    def pictures(self) -> list[np.ndarray]:
        """Every picture that it shows."""
        return small(self.path)

    @cached_property
    def clips(self) -> list[list[np.ndarray]]:
        """The pictures of each of its shots, in order."""
        return [small(path) for path in self.assets("animation")]

    @cached_property
    def sound(self) -> np.ndarray:
        """What it sounds like, left and right as one."""
        return mono(self.path)

    @cached_property
    def captions(self) -> Sequence[Caption]:
        """Its captions."""
        (path,) = self.assets("captions")
        return read(path, "captions")

    def assets(self, kind: str) -> list[Path]:
        """What the tasks of a kind have made, in the order of their shots."""
        order = {shot: at for at, shot in enumerate(self.film.shots)}
        tasks = [task for task in self.film.tasks if task.type == kind]
        tasks.sort(key=lambda task: order.get(task.shot, 0))
        return [self.files[name] for task in tasks for name in task.assets or [task.asset]]


def small(path: Path) -> list[np.ndarray]:
    """Every picture of a film, by a decoder that forgives nothing."""
    with av.open(str(path)) as film:
        film.streams.video[0].codec_context.options = {"err_detect": "explode"}
        return [
            frame.reformat(WIDTH, HEIGHT, "gray", interpolation="AREA")
            .to_ndarray()
            .astype(np.float32)
            for frame in film.decode(video=0)
        ]


def mono(path: Path) -> np.ndarray:
    """The sound of a file, left and right as one."""
    mixed: np.ndarray = heard(path).mean(axis=0)
    return mixed


def apart(one: np.ndarray, other: np.ndarray) -> float:
    """How unlike two small pictures are below where captions stand."""
    return float(np.abs(one[CAPTION_ROWS:] - other[CAPTION_ROWS:]).mean())


def placed(film: np.ndarray, words: np.ndarray) -> int:
    """Where in the film the words are heard, in samples: where they fit best."""
    size = 1 << (len(film) + len(words)).bit_length()
    fit = np.fft.irfft(np.fft.rfft(film, size) * np.conj(np.fft.rfft(words, size)), size)
    return int(np.argmax(fit[: len(film)]))


def onset(words: np.ndarray) -> int:
    """The first sample of a recording that can be heard."""
    return int(np.argmax(np.abs(words) > 0.03 * np.abs(words).max()))


def assert_every_task_succeeded_and_nothing_was_found_wanting(example: Example) -> None:
    film = example.film
    assert film.state == pb.Film.STATE_SUCCEEDED, film.error.message
    assert {task.state for task in film.tasks} == {"succeeded"}
    assert not [task.warning for task in film.tasks if task.warning]
    assert list(film.cuts[-1].findings) == []


def assert_as_long_as_its_shots_without_their_overlaps(example: Example) -> None:
    shown = len(example.pictures)
    shots = sum(map(len, example.clips)) - example.overlap * (len(example.clips) - 1)
    assert abs(shown - shots) <= 1
    length = example.film.cuts[-1].duration
    assert length.seconds + length.nanos / 1e9 == pytest.approx(shown / example.fps, abs=0.001)
    assert len(example.sound) / RATE == pytest.approx(shown / example.fps, abs=0.05)


def assert_its_pictures_come_at_even_times(example: Example) -> None:
    with av.open(str(example.path)) as film:
        stream = film.streams.video[0]
        shown = sorted(packet.pts for packet in film.demux(stream) if packet.pts is not None)
        assert stream.average_rate == example.fps
        assert stream.time_base is not None
        seconds = {(after - before) * stream.time_base for before, after in pairwise(shown)}
    assert seconds == {Fraction(1, example.fps)}


def assert_every_picture_outside_transitions_is_the_one_of_its_shot(example: Example) -> None:
    begin = 0
    for number, clip in enumerate(example.clips):
        first = example.overlap if number else 0
        last = len(clip) - (example.overlap if number < len(example.clips) - 1 else 0)
        for at in range(first + 1, last - 1):
            found = example.pictures[begin + at]
            assert min(apart(found, clip[near]) for near in (at - 1, at, at + 1)) < ALIKE
        begin += len(clip) - example.overlap


def assert_every_shot_is_seen_to_begin(example: Example) -> None:
    """Its words are in the slate at the bottom, which differs even where the scene is the same."""
    begin = 0
    for clip in example.clips[:-1]:
        begin += len(clip) - example.overlap
        before, after = example.pictures[begin - 2], example.pictures[begin + example.overlap + 2]
        assert np.abs(before[-6:] - after[-6:]).max() > 20


def assert_as_loud_as_films_are(example: Example) -> None:
    """Measured by a program that is not ours (EBU R 128)."""
    program = imageio_ffmpeg.get_ffmpeg_exe()
    command = [program, "-hide_banner", "-nostats", "-i", str(example.path)]
    command += ["-af", "ebur128=peak=true", "-f", "null", "-"]
    told = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stderr
    summary = told[told.rindex("Summary:") :]
    (loudness,) = re.findall(r"I:\s+(-?[\d.]+) LUFS", summary)
    (peak,) = re.findall(r"Peak:\s+(-?[\d.]+) dBFS", summary)
    assert float(loudness) == pytest.approx(-16, abs=1)
    assert float(peak) <= -1


def assert_every_caption_begins_with_its_words(example: Example) -> None:
    spoken = [mono(path) for path in example.assets("audio")]
    assert len(spoken) == len(example.captions)
    for caption, words in zip(example.captions, spoken, strict=True):
        begins = (placed(example.sound, words) + onset(words)) / RATE
        assert begins == pytest.approx(caption.start, abs=0.08), caption
        assert caption.start < caption.end <= len(example.pictures) / example.fps
    for one, other in pairwise(example.captions):
        assert one.end <= other.start


def assert_captions_are_burned_in_while_they_are_spoken(example: Example) -> None:
    """White letters where captions stand: many in each, none in the longest time without one."""
    captions, seconds = example.captions, len(example.pictures) / example.fps
    edges = [0.0, *(edge for each in captions for edge in (each.start, each.end)), seconds]
    begin, end = max(zip(edges[::2], edges[1::2], strict=True), key=lambda gap: gap[1] - gap[0])
    assert end - begin > 4 / example.fps, "a caption stands all the time"
    moments = {round((each.start + each.end) / 2 * example.fps) for each in captions}
    quiet = round((begin + end) / 2 * example.fps)
    lit = {}
    with av.open(str(example.path)) as film:
        for at, frame in enumerate(film.decode(video=0)):
            if at in moments or at == quiet:
                top = frame.to_ndarray(format="gray")[: frame.height // 7, frame.width // 5 : -100]
                lit[at] = int((top > 240).sum())
    assert min(lit[at] for at in moments) > lit[quiet] + 300


def assert_it_plays_to_its_end_in_chromium(example: Example, page: Page) -> None:
    source = "data:video/mp4;base64," + base64.b64encode(example.path.read_bytes()).decode()
    told: dict[str, Any] = page.evaluate(_PLAY, source)
    assert told["corrupted"] == 0
    assert told["duration"] == pytest.approx(len(example.pictures) / example.fps, abs=0.1)


def made(script: str, fps: int, suite: Suite, folder: Path) -> Example:
    """The film of a script, made by the suite as it comes, with nothing installed."""
    path, everything = folder / "film.mp4", folder / "everything"
    asked = ["film", str(ROOT / "examples" / script), "--watch", "--json"]
    asked += ["--resolution", "480p", "--fps", str(fps), "--output", str(path)]
    ran = suite.cli(*asked, seconds=290)
    assert ran.returncode == 0, ran.stderr
    told = [json.loads(line) for line in ran.stdout.splitlines() if line.startswith("{")]
    taken = reelmesh("export", str(everything), "--address", suite.addresses["storage"])
    assert taken.returncode == 0, taken.stderr
    index = map(json.loads, (everything / "assets.jsonl").read_text().splitlines())
    files = {item["name"]: everything / PurePosixPath(item["key"]).name for item in index}
    return Example(json_format.ParseDict(told[-1], pb.Film()), path, files, fps)


@pytest.mark.parametrize("fps", RATES)
@pytest.mark.parametrize("script", SCRIPTS)
def test_an_example_film_is_what_its_script_says(
    script: str, fps: int, kept_suite: Suite, tmp_path: Path, page: Page
) -> None:
    """One test for each film: it is made once, wherever tests are shared out to."""
    if not kept_suite.alive:
        kept_suite.start()
    example = made(script, fps, kept_suite, tmp_path)
    assert_every_task_succeeded_and_nothing_was_found_wanting(example)
    assert_as_long_as_its_shots_without_their_overlaps(example)
    assert_its_pictures_come_at_even_times(example)
    assert_every_picture_outside_transitions_is_the_one_of_its_shot(example)
    assert_every_shot_is_seen_to_begin(example)
    assert_as_loud_as_films_are(example)
    assert_every_caption_begins_with_its_words(example)
    assert_captions_are_burned_in_while_they_are_spoken(example)
    assert_it_plays_to_its_end_in_chromium(example, page)
