"""Clips as cameras and broadcasters make them: fields, and edit lists."""

import gc
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from weakref import WeakSet

import av
import imageio_ffmpeg
import numpy as np
import pytest

from services.generator.domain.compositions import Clip, ComposeTask, Encoding
from services.generator.domain.media import Media
from services.generator.media.compose import Inputs, compose
from services.generator.media.frames import Reader
from tests.fakes.clips import decoded, make_clip, number_of, tone

ANY = Media(url="https://example.com/any")
SIZE = (192, 112)

pytestmark = pytest.mark.timeout(120)


def woven(path: Path, *, fields: bool) -> Path:
    """A bar that moves 6 pixels a field; as fields, every second row is half a frame later."""
    with av.open(str(path), "w", format="mp4") as file:
        stream: Any = file.add_stream("libx264", rate=25)
        stream.width, stream.height, stream.pix_fmt = *SIZE, "yuv420p"
        stream.options = {"crf": "12", "x264-params": "tff=1" if fields else ""}
        for number in range(12):
            image = np.full((SIZE[1], SIZE[0], 3), 40, np.uint8)
            for late in range(2):
                left = 6 * (2 * number + (late if fields else 0))
                image[late::2, left : left + 24] = 220
            frame: Any = av.VideoFrame.from_ndarray(image, format="rgb24")
            frame = frame.reformat(format="yuv420p")
            frame.pts = number
            file.mux(stream.encode(frame))
        file.mux(stream.encode(None))
    return path


def packets(path: Path) -> list[bytes]:
    with av.open(str(path)) as file:
        return [bytes(packet) for packet in file.demux(video=0) if packet.size]


def combed(frames: Iterator[Any]) -> float:
    """How much more rows differ from their neighbours than from the rows after those."""
    found = []
    for frame in frames:
        rows = frame.to_ndarray(format="gray").astype(float)
        near, far = np.abs(rows[1:] - rows[:-1]).mean(), np.abs(rows[2:] - rows[:-2]).mean()
        found.append(float(near - far))
    return float(np.mean(found[2:-2]))


def film_of(folder: Path, *clips: Path, **task: Any) -> tuple[Path, Any]:
    film = folder / "film.mp4"
    each = tuple(Clip(media=ANY) for _ in clips)
    made = compose(ComposeTask(clips=each, **task), Inputs(clips=clips), film, lambda _: None)
    return film, made


def test_fields_become_whole_frames_and_are_never_copied(tmp_path: Path) -> None:
    clip = woven(tmp_path / "a.mp4", fields=True)
    assert combed(decoded(clip)) > 5, "the fixture shows no fields"
    film, made = film_of(tmp_path, clip, clip)
    assert made.method == "encoded"
    assert made.frames == 24 == len(list(decoded(film)))
    assert combed(decoded(film)) < 1


def test_whole_frames_are_left_alone(tmp_path: Path) -> None:
    clip = woven(tmp_path / "a.mp4", fields=False)
    _, made = film_of(tmp_path, clip, clip)
    assert made.method == "copied"


@pytest.mark.parametrize("encoding", list(Encoding))
def test_what_an_edit_list_hides_is_not_shown(tmp_path: Path, encoding: Encoding) -> None:
    """A trim without encoding keeps what is decoded before its beginning, and hides it."""
    whole = make_clip(tmp_path / "whole.mp4", frames=72, key_every=24, sound=tone(3))
    clip = tmp_path / "trimmed.mp4"
    asked = ["-ss", "1.25", "-i", str(whole), "-t", "1.2", "-c", "copy", str(clip)]
    argv = [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", *asked]
    subprocess.run(argv, check=True, timeout=60)
    seen = [number_of(frame) for frame in decoded(clip)]
    assert (seen[0], len(packets(clip))) == (30, len(seen) + 6), "the fixture hides nothing"
    film, made = film_of(tmp_path, clip, clip, encoding=encoding)
    assert [number_of(frame) for frame in decoded(film)] == seen * 2
    assert made.frames == 2 * len(seen)
    if encoding is Encoding.AUTO:
        assert made.method == "smart", "from its first key frame on it is copied"


def test_nothing_of_a_clip_is_held_behind_the_cut(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without the collector of cycles, which may come late: decoders hold many frames."""
    clip = make_clip(tmp_path / "a.mp4", frames=6)
    film, held = tmp_path / "film.mp4", []
    living: WeakSet[Reader] = WeakSet()
    begin = Reader.__init__

    def noted(reader: Reader, *facts: Any, **more: Any) -> None:
        living.add(reader)
        begin(reader, *facts, **more)

    task = ComposeTask(
        clips=tuple(Clip(media=ANY) for _ in range(12)), encoding=Encoding.FULL, check=False
    )

    def progress(_: float) -> None:
        held.append(len(living))

    monkeypatch.setattr(Reader, "__init__", noted)
    gc.collect()
    gc.disable()
    try:
        compose(task, Inputs(clips=[clip] * 12), film, progress)
    finally:
        gc.enable()
    assert 1 <= max(held) <= 3
