"""Writes a shot as MP4: H.264 4:2:0 and AAC, fast start; thread counts fixed for equal bytes."""

import hashlib
from fractions import Fraction
from typing import TYPE_CHECKING

import av
import numpy as np
from av.video.frame import PictureType

from services.generator.engines.storyboard.frames import Shot
from services.generator.engines.storyboard.sound import SAMPLE_RATE, ambience
from services.generator.engines.storyboard.spec import Rendered

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from av.audio.stream import AudioStream
    from av.container import OutputContainer
    from av.video.stream import VideoStream

    from services.generator.engines.storyboard.canvas import Planes
    from services.generator.engines.storyboard.spec import StoryboardSpec

_X264 = {"preset": "veryfast", "crf": "22", "threads": "2", "x264-params": "sliced-threads=0"}
_AAC_BITS_PER_SECOND = 128_000
_AAC_CHUNK = 1024


def write_video(
    spec: "StoryboardSpec", path: "Path", progress: "Callable[[int, int], None]"
) -> Rendered:
    """Draw and encode; ``progress(frames encoded, frames in all)`` is told after each frame."""
    shot = Shot(spec)
    # Always MP4, whatever the (temporary) file is called.
    with av.open(str(path), "w", format="mp4", options={"movflags": "+faststart"}) as container:
        container.metadata["comment"] = "placeholder: storyboard animatic, not generated footage"
        video = _video_stream(container, spec)
        audio = container.add_stream("aac", rate=SAMPLE_RATE, layout="stereo")
        audio.bit_rate = _AAC_BITS_PER_SECOND
        _encode_sound(container, audio, shot, spec)
        for index in range(spec.frames):
            container.mux(video.encode(_frame(shot.frame(index), index, spec.fps)))
            progress(index + 1, spec.frames)
        container.mux(video.encode())
    digest, size = digest_of(path)
    return Rendered(
        width=spec.width, height=spec.height, fps=spec.fps,
        duration_seconds=spec.frames / spec.fps, frames=spec.frames,
        size_bytes=size, sha256=digest, warnings=shot.warnings,
    )  # fmt: skip


def write_still(spec: "StoryboardSpec", path: "Path", at: float) -> Rendered:
    """Save one frame as PNG or JPEG, by the path's suffix; ``at`` is 0 (first) to 1 (last)."""
    shot = Shot(spec)
    image = shot.image(round(at * (spec.frames - 1)))
    if path.suffix.lower() in {".jpg", ".jpeg"}:
        image.save(path, "JPEG", quality=90)
    else:
        image.save(path, "PNG", compress_level=4)
    digest, size = digest_of(path)
    return Rendered(
        width=spec.width, height=spec.height, fps=spec.fps, duration_seconds=0.0, frames=1,
        size_bytes=size, sha256=digest, warnings=shot.warnings,
    )  # fmt: skip


def digest_of(path: "Path") -> tuple[str, int]:
    """Return the SHA-256 and the size in bytes of a file."""
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return digest, path.stat().st_size


def _video_stream(container: "OutputContainer", spec: "StoryboardSpec") -> "VideoStream":
    options = _X264 | {"g": str(spec.fps)}
    stream = container.add_stream("libx264", rate=spec.fps, options=options)
    stream.width, stream.height, stream.pix_fmt = spec.width, spec.height, "yuv420p"
    stream.time_base = Fraction(1, spec.fps)
    context = stream.codec_context
    context.color_range, context.colorspace = 1, 1  # limited range, BT.709
    context.color_primaries, context.color_trc = 1, 1
    return stream


def _frame(planes: "Planes", index: int, fps: int) -> av.VideoFrame:
    frame = av.VideoFrame(*planes[0].size, "yuv420p")
    for target, source in zip(frame.planes, planes, strict=True):
        width, height = source.size
        data = source.tobytes()
        if target.line_size != width:  # rows are padded for alignment
            rows = np.zeros((height, target.line_size), np.uint8)
            rows[:, :width] = np.frombuffer(data, np.uint8).reshape(height, width)
            data = rows.tobytes()
        target.update(data)
    frame.pts, frame.time_base = index, Fraction(1, fps)
    if index == fps // 2:  # where a transition of usual length ends: a film copies from there on
        frame.pict_type = PictureType.I
    frame.color_range, frame.colorspace = 1, 1
    return frame


def _encode_sound(
    container: "OutputContainer", stream: "AudioStream", shot: Shot, spec: "StoryboardSpec"
) -> None:
    samples = ambience(shot.scene, spec.frames / spec.fps)
    for start in range(0, samples.shape[1], _AAC_CHUNK):
        chunk = np.ascontiguousarray(samples[:, start : start + _AAC_CHUNK])
        frame = av.AudioFrame.from_ndarray(chunk, format="fltp", layout="stereo")
        frame.sample_rate, frame.pts, frame.time_base = SAMPLE_RATE, start, Fraction(1, SAMPLE_RATE)
        container.mux(stream.encode(frame))
    container.mux(stream.encode())
