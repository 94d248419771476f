"""Makes what is watched of a film: smaller previews, and a rendition to play while it loads."""

from __future__ import annotations

import errno
import os
import re
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

import av

from services.storage.adapters.derive_stills import upright
from services.storage.adapters.media_formats import opened

if TYPE_CHECKING:
    from services.storage.adapters.derive_stills import Alive

# Lines and quality (x264's rate factor) of the two previews.
_PREVIEWS = {"preview": (360, 28), "preview_small": (180, 34)}
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
        rate = film.streams.video[0].average_rate or Fraction(25)
        encoded = small.add_stream("libx264", rate=rate)
        encoded.options = {"preset": "veryfast", "crf": str(quality), "threads": "1"}
        width = height = 0
        for number, frame in enumerate(upright(film, frames)):
            alive()
            if not number:
                height = min(lines, frame.height) // 2 * 2
                width = max(2, round(frame.width * height / frame.height) // 2 * 2)
                encoded.width, encoded.height, encoded.pix_fmt = width, height, "yuv420p"
            picture = frame.reformat(width=width, height=height, format="yuv420p")
            picture.pts, picture.time_base = number, 1 / rate
            small.mux(encoded.encode(picture))
        small.mux(encoded.encode(None))


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
        if any(stream.codec_context.name not in _STREAMED for stream in streams):
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
