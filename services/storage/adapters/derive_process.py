"""The process that draws derived files: ``python -m services.storage.adapters.derive_process``.

Asked for ``source``, ``folder``, ``frames`` and ``roles``, it answers with ``files`` by role; what
damages and what may work another time is told as in ``line_server``. It runs at low priority and
apart from the service: encoding takes a core for seconds, and media is untrusted. So its memory and
its time are bounded, and no file is opened as anything but what it begins like.
"""

from __future__ import annotations

import errno
import os
import re
from fractions import Fraction
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

import av
from av.filter import Graph

from services.storage.adapters.line_server import serve
from services.storage.adapters.media_formats import MAX_PIXELS, opened

if TYPE_CHECKING:
    from collections.abc import Iterator

_THUMBNAIL = 320
_TILE = 160
_TILES = 3
# Lines and quality (x264's rate factor) of the two previews.
_PREVIEWS = {"preview": (360, 28), "preview_small": (180, 34)}
_SEGMENT_SECONDS = 4
# What undoes a rotation by so many degrees against the clock.
_TURNS: dict[int, list[tuple[str, ...]]] = {
    90: [("transpose", "cclock")],
    -90: [("transpose", "clock")],
    180: [("hflip",), ("vflip",)],
    -180: [("hflip",), ("vflip",)],
}
# What every player of HLS can play; anything else would have to be encoded again.
_STREAMED = frozenset({"h264", "aac"})


def make(source: str, folder: str, frames: int, roles: list[str]) -> dict[str, str]:
    """Return the path of each file that was made; raises what PyAV raises for damaged media."""
    made: dict[str, str] = {}
    pictures = _DRAWING.keys() & set(roles)
    if pictures:
        face, tiles = _pick(source, max(1, frames))
        for role in sorted(pictures):
            path = Path(folder) / f"{role}.jpg"
            _write_jpeg(_DRAWING[role](face, tiles), path)
            made[role] = str(path)
    for role in _PREVIEWS.keys() & set(roles):
        path = Path(folder) / f"{role}.mp4"
        _write_preview(source, path, *_PREVIEWS[role])
        made[role] = str(path)
    if "hls" in roles:
        made |= _write_hls(source, Path(folder))
    return made


def _pick(source: str, frames: int) -> tuple[Any, list[Any]]:
    """Return the film's face, its middle frame, and nine small ones that are spread over it.

    Of the full size at most two are held at a time: they may be very large.
    """
    count = _TILES * _TILES
    wanted = [frames * (2 * tile + 1) // (2 * count) for tile in range(count)]
    face, tiles = None, []
    with opened(Path(source)) as container:
        container.streams.video[0].thread_type = "SLICE"
        for number, frame in enumerate(_upright(container)):
            if repeated := wanted.count(number):
                tiles += [_scaled(frame, _TILE)] * repeated
                # Until the middle one has come, the last before it: a film may have fewer frames.
                face = frame if number <= wanted[count // 2] else face
            if number >= wanted[-1]:
                break
    if face is None:
        msg = "no frame could be decoded"
        raise ValueError(msg)
    return face, tiles + [tiles[-1]] * (count - len(tiles))


def _upright(film: Any) -> Iterator[Any]:
    """Yield the frames as a player shows them: turned as the camera was, with square pixels."""
    stream = film.streams.video[0]
    # Beyond what the container says: each frame has a size of its own.
    stream.codec_context.options = {"max_pixels": str(MAX_PIXELS)}
    frames = film.decode(stream)
    first = next(frames, None)
    if first is None:
        return
    wanted = list(_TURNS.get(first.rotation, ()))
    pixel = stream.sample_aspect_ratio or Fraction(1)
    # Pixels of any other shape are damage, or meant to exhaust memory.
    if pixel != 1 and Fraction(1, 4) <= pixel <= 4:
        wanted.insert(0, ("scale", f"{round(first.width * pixel / 2) * 2}:{first.height}"))
    if not wanted:
        yield first
        yield from frames
        return
    graph = Graph()
    begin = graph.add_buffer(template=stream, time_base=stream.time_base)
    steps = [graph.add(*step) for step in wanted]
    graph.link_nodes(begin, *steps, graph.add("buffersink")).configure()
    for frame in chain([first], frames):
        begin.push(frame)
        yield graph.pull()


def _scaled(frame: Any, width: int) -> Any:
    width = min(width, frame.width) // 2 * 2 or 2
    height = max(2, round(frame.height * width / frame.width) // 2 * 2)
    return frame.reformat(width=width, height=height, format="yuvj420p")


def _thumbnail(face: Any, _tiles: list[Any]) -> Any:
    return _scaled(face, _THUMBNAIL)


def _poster(face: Any, _tiles: list[Any]) -> Any:
    return _scaled(face, face.width)


def _contact_sheet(_face: Any, tiles: list[Any]) -> Any:
    graph = Graph()
    first = tiles[0]
    size = {"width": first.width, "height": first.height, "format": first.format}
    begin = graph.add_buffer(**size, time_base=Fraction(1, 25))
    tile = graph.add("tile", f"{_TILES}x{_TILES}:padding=2")
    end = graph.add("buffersink")
    begin.link_to(tile)
    tile.link_to(end)
    graph.configure()
    for number, frame in enumerate(tiles):
        frame.pts, frame.time_base = number, Fraction(1, 25)
        begin.push(frame)
    begin.push(None)
    return _scaled(end.pull(), _TILE * _TILES + 4)


_DRAWING = {"thumbnail": _thumbnail, "poster": _poster, "contact_sheet": _contact_sheet}


def _write_jpeg(frame: Any, path: Path) -> None:
    codec = av.CodecContext.create("mjpeg", "w")
    codec.width, codec.height, codec.pix_fmt = frame.width, frame.height, "yuvj420p"
    codec.time_base = Fraction(1, 25)
    codec.options = {"qmin": "3", "qmax": "5"}
    frame.pts = 0
    path.write_bytes(b"".join(bytes(p) for p in [*codec.encode(frame), *codec.encode(None)]))


def _write_preview(source: str, path: Path, lines: int, quality: int) -> None:
    """Encode the film at so many lines, sound left out."""
    with (
        opened(Path(source)) as film,
        av.open(str(path), "w", format="mp4", options={"movflags": "+faststart"}) as small,
    ):
        rate = film.streams.video[0].average_rate or Fraction(25)
        encoded = small.add_stream("libx264", rate=rate)
        encoded.options = {"preset": "veryfast", "crf": str(quality), "threads": "1"}
        width = height = 0
        for number, frame in enumerate(_upright(film)):
            if not number:
                height = min(lines, frame.height) // 2 * 2
                width = max(2, round(frame.width * height / frame.height) // 2 * 2)
                encoded.width, encoded.height, encoded.pix_fmt = width, height, "yuv420p"
            picture = frame.reformat(width=width, height=height, format="yuv420p")
            picture.pts, picture.time_base = number, 1 / rate
            small.mux(encoded.encode(picture))
        small.mux(encoded.encode(None))


def _write_hls(source: str, folder: Path) -> dict[str, str]:
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


def _made(**asked: Any) -> dict[str, Any]:
    return {"files": make(**asked)}


def main() -> None:
    """Serve requests until standard input ends."""
    os.nice(10)
    serve(_made)


if __name__ == "__main__":
    main()
