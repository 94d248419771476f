"""Looks into media files with FFmpeg's demuxers, through PyAV: not in the service's own process.

Measures media and refuses what is damaged, cut off, or something else than it says.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import av
from av.error import FFmpegError

from services.common.errors import DataLoss
from services.storage.adapters.ebml_elements import refuse_after_segment
from services.storage.adapters.flac_frames import refuse_broken_flac
from services.storage.adapters.media_formats import MAX_PIXELS, MP4, Format, found_in, opened
from services.storage.adapters.mp4_boxes import C2PA_BOX, ends_with_index, top_level_boxes
from services.storage.adapters.picture_structure import Picture, picture_in
from services.storage.adapters.sound_structure import refuse_broken
from services.storage.adapters.stowaways import (
    refuse_after_riff,
    refuse_archive,
    refuse_document,
    refuse_hidden,
    sent_as_made,
)
from services.storage.domain.assets import MediaInfo

if TYPE_CHECKING:
    from pathlib import Path

# An MP4's index tells everything, so that no frame need be decoded to learn the rest.
_INDEXED = {"probesize": "32", "skip_frame": "all"}
_PICTURES = frozenset({"png", "jpeg", "gif", "webp"})
_CODECS = {"jpeg": "mjpeg"}
_HEADLESS = frozenset({"mp3", "aac", "flac"})
# Microseconds of silence, and no more, that encoders put around sound, and that players leave out.
_LEAD_IN = 250_000
# Larger ones are not unpacked while somebody waits, only when they are drawn from later: 64 MiB
# for a picture, which are 16 megapixels at four bytes each, and a few seconds for all frames.
_DECODED_BYTES = 1 << 26
_DECODED_IN_ALL = 1 << 30
# Most packets of a film: a whole day of 120 pictures and 50 pieces of sound a second has fewer.
_MAX_PACKETS = 1 << 24
# Should a decoder find a larger picture than the structure told of, it is not to unpack it. FFmpeg
# counts rows of whole 64 pixels, hence twice as many as are ever meant to be unpacked.
_BOUNDED = {"max_pixels": str(2 * _DECODED_BYTES // 4)}


def measure(path: Path, content_type: str) -> MediaInfo:
    """Return what a demuxer says about the whole file; raises ``DataLoss``, ``MemoryError``."""
    found = found_in(path)
    if found is None or content_type not in found.types:
        msg = f"the file is not {content_type}"
        raise DataLoss(msg)
    picture = _alone(path, found)
    if picture is not None and not _decodable(picture, found):
        return _told(picture, found)
    try:
        with opened(path, found, _options(picture, found)) as container:
            open_ended = found.container == "wav" and sent_as_made(path)
            facts = _measure(container, found, open_ended=open_ended)
            return replace(
                facts, index_last=found is MP4 and ends_with_index(top_level_boxes(path))
            )
    except FFmpegError as error:
        if isinstance(error, MemoryError):
            raise
        msg = f"the file is a damaged {content_type}: {type(error).__name__}"
        raise DataLoss(msg) from error


def _alone(path: Path, found: Format) -> Picture | None:
    """Raise ``DataLoss`` unless the file ends where its format does; returns what a picture is."""
    refuse_archive(path)
    refuse_document(path)
    if found.container in _PICTURES:
        return picture_in(path, found.container)
    if found is MP4:
        refuse_hidden(path, top_level_boxes(path), known=frozenset({C2PA_BOX}))
    elif found.container == "webm":
        refuse_after_segment(path)
    elif found.container == "wav":
        refuse_after_riff(path)
    elif found.container == "flac":
        refuse_broken_flac(path)
    else:
        refuse_broken(path, found.container)
    return None


def _decodable(picture: Picture, found: Format) -> bool:
    """Whether it is small enough to be unpacked here; raises ``DataLoss`` for what never is.

    FFmpeg reads no frame of an animated WebP.
    """
    _check_size(picture.width, picture.height, found)
    if picture.animated:
        return False
    in_all = picture.pixels * picture.frames
    return picture.pixels * picture.depth <= _DECODED_BYTES and in_all <= _DECODED_IN_ALL


def _options(picture: Picture | None, found: Format) -> dict[str, str]:
    if picture is not None:
        return _BOUNDED
    return _INDEXED if found is MP4 else {}


def _check_size(width: int, height: int, found: Format) -> None:
    if not 0 < width * height <= MAX_PIXELS:
        msg = f"the {found.container} file has a picture of {width} x {height} pixels"
        raise DataLoss(f"{msg}; 1 to {MAX_PIXELS} can be taken")


def _told(picture: Picture, found: Format) -> MediaInfo:
    """What the structure tells of a picture whose damage shows only when its files are drawn."""
    return MediaInfo(
        container=found.container,
        video_codec=_CODECS.get(found.container, found.container),
        width=picture.width,
        height=picture.height,
        frames=picture.frames,
    )


def _measure(container: Any, found: Format, *, open_ended: bool) -> MediaInfo:
    """Read every packet: what cannot be read to its end is not whole.

    Of a recording that is ``open_ended`` the last packet is always shorter than what was expected.
    """
    video = container.streams.video[0] if container.streams.video else None
    audio = container.streams.audio[0] if container.streams.audio else None
    if video is None and audio is None:
        msg = f"the {found.container} file has neither picture nor sound"
        raise DataLoss(msg)
    if any(stream is not None and stream.codec_context is None for stream in (video, audio)):
        msg = f"the {found.container} file is damaged: its codec is none that is known"
        raise DataLoss(msg)
    if video is not None:
        _check_size(video.width, video.height, found)
    still = found.container in _PICTURES
    frames, shown = (
        (_decoded(container), Fraction(0))
        if still
        else _count(container, video or audio, open_ended)
    )
    if video is None:
        frames = 0
    elif frames == 0 or frames < video.frames:
        msg = f"the {found.container} file is cut off: {frames} of {video.frames} frames"
        raise DataLoss(msg)
    length = _length(container, found, round(shown * av.time_base), of_sound=video is None)
    return MediaInfo(
        container=found.container,
        video_codec=video.codec_context.codec.canonical_name if video else "",
        audio_codec=audio.codec_context.codec.canonical_name if audio else "",
        width=video.width if video else 0,
        height=video.height if video else 0,
        fps=_rate(video, frames),
        duration=timedelta(microseconds=length) if length else None,
        frames=frames,
    )


def _length(container: Any, found: Format, read: int, *, of_sound: bool) -> int | None:
    """Return how long it lasts in microseconds, of which ``read`` were: of a film, its picture.

    Of sound that has no header of its own FFmpeg tells what the first part says, or guesses.
    """
    told: int | None = container.duration
    if of_sound and told and (found.container not in _HEADLESS or abs(told - read) < _LEAD_IN):
        return told
    return read or told


def _count(container: Any, counted: Any, open_ended: bool) -> tuple[int, Fraction]:
    """Return how many packets of a stream there are, and how many seconds they last.

    The file itself may last longer, for its sound. What an edit list hides is not seen.
    """
    frames = 0
    seen: tuple[int, int] | None = None
    for number, packet in enumerate(container.demux()):
        if packet.is_corrupt and not open_ended:
            msg = "the file has damaged packets"
            raise DataLoss(msg)
        if number >= _MAX_PACKETS:
            msg = f"the file has more than {_MAX_PACKETS} packets"
            raise DataLoss(msg)
        if packet.stream is counted and packet.size:
            frames += 1
            seen = _spread(seen, packet)
    return frames, (seen[1] - seen[0]) * counted.time_base if seen else Fraction(0)


def _spread(seen: tuple[int, int] | None, packet: Any) -> tuple[int, int] | None:
    """Return begin and end of what was seen before and of what the packet shows."""
    if packet.pts is None or packet.is_discard:
        return seen
    begin, end = packet.pts, packet.pts + (packet.duration or 0)
    return (min(seen[0], begin), max(seen[1], end)) if seen else (begin, end)


def _decoded(container: Any) -> int:
    """Decode a picture: it has no index that could tell whether it is whole."""
    container.streams.video[0].codec_context.options = {**_BOUNDED, "err_detect": "explode"}
    return sum(1 for frame in container.decode(video=0) if not frame.is_corrupt)


def _rate(video: Any, frames: int) -> float:
    """Return frames per second; a single picture has none."""
    if video is None or frames <= 1 or not video.average_rate:
        return 0.0
    return round(float(video.average_rate), 3)
