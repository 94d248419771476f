"""The process that draws derived files: ``python -m services.storage.adapters.derive_process``.

Reads one JSON object per line (``source``, ``folder``, ``frames``, ``roles``) and answers with one:
``files`` by role, or ``error``. Ends with its standard input, that is, with the service. It runs at
low priority and apart from the service: encoding takes a core for seconds, and media is untrusted.
"""

from __future__ import annotations

import json
import os
import sys
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
from av.filter import Graph

_THUMBNAIL = 320
_TILE = 160
_TILES = 3
_PREVIEW_HEIGHT = 360


def make(source: str, folder: str, frames: int, roles: list[str]) -> dict[str, str]:
    """Return the path of each file that was made; raises what PyAV raises for damaged media."""
    made: dict[str, str] = {}
    pictures = {role for role in roles if role != "preview"}
    if pictures:
        picked = _pick(source, max(1, frames))
        for role in sorted(pictures):
            path = Path(folder) / f"{role}.jpg"
            _write_jpeg(_DRAWING[role](picked), path)
            made[role] = str(path)
    if "preview" in roles:
        path = Path(folder) / "preview.mp4"
        _write_preview(source, path)
        made["preview"] = str(path)
    return made


def _pick(source: str, frames: int) -> list[Any]:
    """Return nine frames spread over the film, the middle one being its face."""
    count = _TILES * _TILES
    wanted = [frames * (2 * tile + 1) // (2 * count) for tile in range(count)]
    picked: list[Any] = []
    with av.open(source) as container:
        container.streams.video[0].thread_type = "SLICE"
        for number, frame in enumerate(container.decode(video=0)):
            picked += [frame] * wanted.count(number)
            if number >= wanted[-1]:
                break
    if not picked:
        msg = "no frame could be decoded"
        raise ValueError(msg)
    return picked + [picked[-1]] * (count - len(picked))


def _scaled(frame: Any, width: int) -> Any:
    width = min(width, frame.width) // 2 * 2 or 2
    height = max(2, round(frame.height * width / frame.width) // 2 * 2)
    return frame.reformat(width=width, height=height, format="yuvj420p")


def _thumbnail(picked: list[Any]) -> Any:
    return _scaled(picked[len(picked) // 2], _THUMBNAIL)


def _poster(picked: list[Any]) -> Any:
    face = picked[len(picked) // 2]
    return _scaled(face, face.width)


def _contact_sheet(picked: list[Any]) -> Any:
    tiles = [_scaled(frame, _TILE) for frame in picked]
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


def _write_preview(source: str, path: Path) -> None:
    """Encode the film at 360 lines, sound left out."""
    with (
        av.open(source) as film,
        av.open(str(path), "w", format="mp4", options={"movflags": "+faststart"}) as small,
    ):
        stream = film.streams.video[0]
        height = min(_PREVIEW_HEIGHT, stream.height) // 2 * 2
        width = max(2, round(stream.width * height / stream.height) // 2 * 2)
        rate = stream.average_rate or Fraction(25)
        encoded = small.add_stream("libx264", rate=rate)
        encoded.width, encoded.height, encoded.pix_fmt = width, height, "yuv420p"
        encoded.options = {"preset": "veryfast", "crf": "28", "threads": "1"}
        for number, frame in enumerate(film.decode(stream)):
            picture = frame.reformat(width=width, height=height, format="yuv420p")
            picture.pts, picture.time_base = number, 1 / rate
            small.mux(encoded.encode(picture))
        small.mux(encoded.encode(None))


def _answer(line: str) -> dict[str, Any]:
    try:
        return {"files": make(**json.loads(line))}
    except Exception as error:
        return {"error": f"{type(error).__name__}: {error}"}


def main() -> None:
    """Serve requests until standard input ends."""
    os.nice(10)
    for line in sys.stdin:
        sys.stdout.write(json.dumps(_answer(line)) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
