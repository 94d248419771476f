"""Makes what is watched of a film: smaller previews, and a rendition to play while it loads."""

from __future__ import annotations

import errno
import os
import re
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

import av
from av.video.reformatter import ColorRange

from services.common.errors import DataLoss
from services.storage.adapters.derive_colours import MATRIX
from services.storage.adapters.derive_stills import upright
from services.storage.adapters.media_formats import opened

if TYPE_CHECKING:
    from collections.abc import Iterator

    from services.storage.adapters.derive_stills import Alive

# Lines and quality (x264's rate factor) of the two previews.
_PREVIEWS = {"preview": (360, 28), "preview_small": (180, 34)}
_TICK, _USUAL_RATE = Fraction(1, 90_000), Fraction(25)
_AS_TOLD = {"dst_colorspace": MATRIX, "dst_color_range": ColorRange.MPEG}
_SMPTE170M = 6
_SEGMENT_SECONDS = 4
# What every player of HLS can play; anything else would have to be encoded again.
_STREAMED = frozenset({"h264", "aac"})


def films(source: str, folder: Path, frames: int, roles: set[str], alive: Alive) -> dict[str, str]:
    """Make those of ``roles`` that move; returns the path of each."""
    made: dict[str, str] = {}
    for role in sorted(_PREVIEWS.keys() & roles):
        path = folder / f"{role}.mp4"
        _write_preview(source, path, frames, _PREVIEWS[role], alive=alive)
        made[role] = str(path)
    if "hls" in roles:
        made |= _write_hls(source, folder, alive)
    return made


def _write_preview(
    source: str, path: Path, frames: int, kind: tuple[int, int], *, alive: Alive
) -> None:
    """Encode the film at so many lines, sound left out."""
    lines, quality = kind
    with (
        opened(Path(source)) as film,
        av.open(str(path), "w", format="mp4", options={"movflags": "+faststart"}) as small,
    ):
        encoded: Any = None
        lasts = 0
        stream = film.streams.video[0]
        for shown, frame in _timed(upright(film, frames), stream.average_rate or _USUAL_RATE):
            alive()
            if encoded is None:
                encoded = _encoder(small, stream.average_rate or _USUAL_RATE, frame, lines)
                encoded.options = {"preset": "veryfast", "crf": str(quality), "threads": "1"}
            size = {"width": encoded.width, "height": encoded.height}
            picture = frame.reformat(**size, format="yuv420p", **_AS_TOLD)
            picture.pts, picture.time_base = shown, _TICK
            lasts = round(frame.duration * frame.time_base / _TICK)
            small.mux(encoded.encode(picture))
        if encoded is None:
            msg = "no frame could be decoded"
            raise DataLoss(msg)
        for packet in encoded.encode(None):
            # Of all others it is the time until the next; encoders tell the usual one.
            packet.duration = lasts or packet.duration
            small.mux(packet)


def _timed(frames: Iterator[Any], rate: Fraction) -> Iterator[tuple[int, Any]]:
    """Yield the frames with the ticks at which they are shown; the first is shown at once.

    One without a time comes as long after the one before as they usually do.
    """
    usual = round(1 / rate / _TICK)
    begin, shown = None, -usual
    for frame in frames:
        told = shown + usual
        if frame.pts is not None:
            at = round(frame.pts * frame.time_base / _TICK)
            begin = at if begin is None else begin
            told = at - begin
        shown = max(shown + 1, told)
        yield shown, frame


def _encoder(small: Any, rate: Fraction, frame: Any, lines: int) -> Any:
    """Return a stream of so many lines that plays at the times of the film, in its shape."""
    encoded = small.add_stream("libx264", rate=rate)
    height = min(lines, frame.height) // 2 * 2
    encoded.width = max(2, round(frame.width * height / frame.height) // 2 * 2)
    encoded.height, encoded.pix_fmt = height, "yuv420p"
    told = encoded.codec_context
    told.time_base, told.colorspace, told.color_range = _TICK, _SMPTE170M, ColorRange.MPEG.value
    return encoded


def _write_hls(source: str, folder: Path, alive: Alive) -> dict[str, str]:
    """Copy the packets into one fragmented MP4 with a playlist of byte ranges in it.

    Segments begin at key frames, at least four seconds apart. Returns nothing for codecs that
    players of HLS do not know.
    """
    media, playlist = folder / "hls_media.mp4", folder / "hls.m3u8"
    options = {
        "hls_segment_type": "fmp4",
        "hls_flags": "single_file",
        "hls_playlist_type": "vod",
        "hls_time": str(_SEGMENT_SECONDS),
        "hls_segment_filename": str(media),
    }
    with opened(Path(source)) as film:
        streams = [*film.streams.video[:1], *film.streams.audio[:1]]
        if any(stream.codec_context.codec.canonical_name not in _STREAMED for stream in streams):
            return {}
        with av.open(str(playlist), "w", format="hls", options=options) as streamed:
            into = {each.index: streamed.add_stream_from_template(each) for each in streams}
            for packet in film.demux(streams):
                alive()
                if packet.dts is not None:
                    packet.stream = into[packet.stream.index]
                    streamed.mux(packet)
    _check_rendition(media, playlist)
    return {"hls_media": str(media), "hls": str(playlist)}


def _check_rendition(media: Path, playlist: Path) -> None:
    """Raise ``OSError`` unless all was written: FFmpeg's muxer does not tell of a full disk."""
    told = playlist.read_text(encoding="utf-8")
    ranges = re.findall(r"BYTERANGE:(\d+)@(\d+)", told)
    end = max((int(length) + int(start) for length, start in ranges), default=1)
    if "#EXT-X-ENDLIST" not in told or media.stat().st_size < end:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
