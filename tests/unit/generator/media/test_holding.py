"""The last picture of a clip stands, in silence, as part of the length of the cut."""

from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from services.common.errors import InvalidArgument
from services.generator.domain.compositions import Clip, ComposeTask, Encoding, Role, Track
from services.generator.domain.media import Media
from services.generator.domain.records import to_record
from services.generator.media.compose import Composed, Inputs, compose
from services.generator.media.orders import carry_out
from tests.fakes.clips import RATE, decibels, decoded, heard, make_clip, make_sound, number_of, tone

ANY = Media(url="https://example.com/any")


def held(folder: Path, *clips: dict[str, Any], **task: Any) -> tuple[Path, Path, Composed]:
    """The film, the clip that it is made of, and what was made."""
    clip = make_clip(folder / "clip.mp4", sound=tone(2, 440, 0.2))
    film = folder / "film.mp4"
    each = tuple(Clip(media=ANY, **change) for change in clips)
    order = ComposeTask(clips=each, keep_levels=True, **task)
    return film, clip, compose(order, Inputs(clips=[clip] * len(clips)), film, lambda _: None)


def packets(path: Path) -> list[bytes]:
    with av.open(str(path)) as file:
        return [bytes(packet) for packet in file.demux(video=0) if packet.size]


@pytest.mark.parametrize("encoding", list(Encoding))
def test_the_last_picture_stands_and_what_runs_is_copied(
    tmp_path: Path, encoding: Encoding
) -> None:
    film, clip, made = held(tmp_path, {}, {"hold_seconds": 0.75}, encoding=encoding)
    shown = [number_of(frame) for frame in decoded(film)]
    assert shown == [*range(48), *range(48), *[47] * 18]
    assert (made.frames, made.seconds) == (114, 4.75)
    if encoding is Encoding.AUTO:
        assert made.encoded_frames == 18
        assert packets(film)[:96] == packets(clip) * 2


def test_a_part_of_a_clip_stands_where_it_was_ended(tmp_path: Path) -> None:
    film, _, made = held(tmp_path, {"duration_seconds": 1.0, "hold_seconds": 0.5}, {})
    shown = [number_of(frame) for frame in decoded(film)]
    assert shown == [*range(24), *[23] * 12, *range(48)]
    sound = heard(film)[0]
    assert decibels(sound[round(1.1 * RATE) : round(1.4 * RATE)]) < -60, "it stands in silence"
    assert decibels(sound[round(1.6 * RATE) : round(3.4 * RATE)]) > -23
    assert made.quality is not None
    assert made.quality.findings == ()


def test_the_next_clip_fades_over_what_stands(tmp_path: Path) -> None:
    fade = {"transition": "CROSSFADE", "transition_seconds": 0.5}
    film, _, made = held(tmp_path, {"duration_seconds": 1.0, "hold_seconds": 1.0}, fade)
    assert made.frames == 24 + 24 + 48 - 12
    shown = [number_of(frame) for frame in decoded(film)]
    assert shown[:37] == [*range(24), *[23] * 13]
    assert shown[48:] == [*range(12, 48)]


def test_words_are_heard_to_their_end_under_what_stands(tmp_path: Path) -> None:
    clip = make_clip(tmp_path / "clip.mp4")
    word = make_sound(tmp_path / "word.flac", tone(1.5, 880, 0.3))
    task = ComposeTask(
        clips=(Clip(media=ANY, hold_seconds=1.0),),
        tracks=(Track(media=ANY, role=Role.DIALOGUE, at_seconds=1.2),),
    )
    film = tmp_path / "film.mp4"
    compose(task, Inputs(clips=[clip], tracks=[word]), film, lambda _: None)
    sound = np.abs(heard(film)[0])
    last = np.flatnonzero(sound > 0.05)[-1] / RATE
    assert last == pytest.approx(2.7, abs=0.03)


@pytest.mark.parametrize("wrong", [-1.0, 61.0, float("nan")])
def test_what_no_picture_can_stand_for_is_refused(wrong: float) -> None:
    with pytest.raises(InvalidArgument, match="hold"):
        Clip(media=ANY, hold_seconds=wrong)


def test_what_a_clip_shows_is_looked_at_in_the_middle_of_what_runs(tmp_path: Path) -> None:
    """In the middle of all of it would be its last picture here."""
    clip = make_clip(tmp_path / "clip.mp4")
    task = ComposeTask(clips=(Clip(media=ANY, hold_seconds=2.0, shows="A number"),))
    files: dict[str, list[str]] = {"clips": [str(clip)], "tracks": [], "captions": []}
    path = str(tmp_path / "film.mp4")
    order = {"kind": "compose", "task": to_record(task), "files": files, "path": path}
    (seen,) = carry_out({**order, "look": True}, lambda _: None)["shown"]
    assert (seen["start"], seen["seconds"]) == (0, 4)
    (frame,) = decoded(Path(seen["picture"]))
    assert number_of(frame) == 24
