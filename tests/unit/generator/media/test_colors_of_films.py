"""A film's colours are those that it says, whatever its clips' are."""

from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from av.error import FFmpegError

from services.generator.domain.compositions import Clip, ComposeTask, Encoding
from services.generator.domain.media import Media
from services.generator.media.compose import Composed, Inputs, compose
from services.generator.media.probe import BT709, Color, probe
from services.generator.media.shaping import Shaping, Target, _toned
from tests.fakes.clips import BLUE, GREEN, RED, color_of, decoded, make_clip, near
from tests.fakes.odd_clips import BT2020_OF_BT709, P3_OF_BT709, bt601, patches, pq

ANY = Media(url="https://example.com/any")


def film_of(files: list[Path], clips: tuple[Clip, ...], **task: Any) -> tuple[Path, Composed]:
    film = files[0].with_name("film.mp4")
    whole = ComposeTask(clips=clips, check=False, **task)
    return film, compose(whole, Inputs(clips=files), film, lambda _: None)


@pytest.mark.parametrize("encoding", list(Encoding))
def test_clips_of_another_matrix_are_not_copied_though_they_are_most(
    tmp_path: Path, encoding: Encoding
) -> None:
    files = [
        make_clip(tmp_path / "a.mp4", color=RED),
        bt601(tmp_path / "b.mp4", color=GREEN, frames=24),
        bt601(tmp_path / "c.mp4", color=BLUE, frames=24),
    ]
    film, made = film_of(files, tuple(Clip(media=ANY) for _ in files), encoding=encoding)
    frames = list(decoded(film))
    assert {int(frame.colorspace) for frame in frames} == {1}
    for number, color in ((4, RED), (60, GREEN), (90, BLUE)):
        assert near(color_of(frames[number]), color)
    assert (made.method, made.encoded_frames) == (
        ("smart", 48) if encoding is Encoding.AUTO else ("encoded", 96)
    )


def test_clips_behind_a_still_are_copied_and_it_takes_on_their_colors(tmp_path: Path) -> None:
    clip = make_clip(tmp_path / "a.mp4", color=GREEN)
    still = tmp_path / "still.png"
    with av.open(str(make_clip(tmp_path / "still.mp4", color=GREEN, frames=1))) as file:
        next(file.decode(video=0)).to_image().save(still)
    clips = (Clip(media=ANY, duration_seconds=1.0), Clip(media=ANY))
    film, made = film_of([still, clip], clips, frame_rate=24)
    assert (made.method, made.encoded_frames) == ("smart", 24)
    frames = list(decoded(film))
    assert {int(frame.colorspace) for frame in frames} == {1}
    assert near(color_of(frames[4]), GREEN)
    assert near(color_of(frames[4]), color_of(frames[-4]), 4)


@pytest.mark.parametrize(
    ("primaries", "told"),
    [(1, "bt709"), (2, "bt2020"), (9, "bt2020"), (11, "smpte431"), (12, "smpte432")],
)
def test_bright_colors_are_read_by_the_primaries_that_a_clip_says(
    primaries: int, told: str
) -> None:
    given = Color(primaries, 16, 9, full=False)
    steps = _toned(given, Target(96, 54, Fraction(24), BT709), full=False)
    assert f":in_primaries={told}:" in steps
    assert ":out_primaries=bt709:" in steps


@pytest.mark.stress  # what FFmpeg tabulates for it takes many seconds
@pytest.mark.timeout(280)
def test_light_of_display_p3_is_the_color_that_it_is_in_bt2020(tmp_path: Path) -> None:
    light = 100 * np.array([[0.6, 0.1, 0.1], [0.1, 0.6, 0.1], [0.1, 0.1, 0.6]])
    seen = []
    for primaries, of_bt709 in ((12, P3_OF_BT709), (9, BT2020_OF_BT709)):
        clip = patches(tmp_path / f"{primaries}.mp4", pq(light @ of_bt709.T), 16, primaries)
        picture = probe(clip, "a").picture
        assert picture is not None
        shaping = Shaping(Target(48, 64, Fraction(24), BT709), picture)
        frame = shaping.shaped(next(decoded(clip)))
        seen.append([color_of(frame, (place + 0.5) / 3, 0.5) for place in range(3)])
    for one, other in zip(*seen, strict=True):
        assert near(one, other, 6)


def test_a_frame_behind_one_that_failed_is_made_by_a_graph_of_its_own(tmp_path: Path) -> None:
    clip = make_clip(tmp_path / "a.mp4", color=GREEN, frames=3)
    facts = probe(clip, "a")
    assert facts.picture is not None
    shaping = Shaping(Target(96, 54, Fraction(24)), facts.picture)
    frames = decoded(clip)
    shaping.shaped(next(frames))
    shaping._graph.push(None)  # what it is given from now on, it refuses
    with pytest.raises((FFmpegError, EOFError)):
        shaping.shaped(next(frames))
    assert near(color_of(shaping.shaped(next(frames))), GREEN)
