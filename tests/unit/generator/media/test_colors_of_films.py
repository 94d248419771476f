"""A film's colours are those that it says, whatever its clips' are."""

from pathlib import Path

import av
import pytest

from services.generator.domain.compositions import Clip, ComposeTask, Encoding
from services.generator.domain.media import Media
from services.generator.media.compose import Composed, Inputs, compose
from tests.fakes.clips import BLUE, GREEN, RED, color_of, decoded, make_clip, near
from tests.fakes.odd_clips import bt601

ANY = Media(url="https://example.com/any")


def film_of(files: list[Path], clips: tuple[Clip, ...], **task: object) -> tuple[Path, Composed]:
    film = files[0].with_name("film.mp4")
    whole = ComposeTask(clips=clips, check=False, **task)  # type: ignore[arg-type]  # of any field
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
