"""Draws what is seen of a film at a glance: thumbnail, poster and contact sheet."""

from __future__ import annotations

from contextlib import suppress
from fractions import Fraction
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

import av
from av.error import FFmpegError
from av.filter import Graph

from services.common.errors import DataLoss
from services.storage.adapters.derive_colours import MATRIX, on_white, with_matrix
from services.storage.adapters.media_formats import MAX_PIXELS, opened
from services.storage.domain.deriving import LONG_PIXELS, QUICK_PIXELS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    Turn = Callable[[Any], Any]
    Alive = Callable[[], None]

_THUMBNAIL = 320
_TILE = 160
_TILES = 3
_COUNT = _TILES * _TILES
# Some films change their size on the way; who has so many times what was told is not believed.
_SLACK = 8
# What undoes a rotation by so many degrees against the clock.
_TURNS: dict[int, list[tuple[str, ...]]] = {
    90: [("transpose", "cclock")],
    -90: [("transpose", "clock")],
    180: [("hflip",), ("vflip",)],
    -180: [("hflip",), ("vflip",)],
}


class TooMuchError(DataLoss):
    """Leave it: the film has far more pixels than it tells of, or than are ever read."""


def stills(source: str, folder: Path, frames: int, roles: set[str], alive: Alive) -> dict[str, str]:
    """Draw those of ``roles`` that are stills; returns the path of each."""
    pictures = DRAWING.keys() & roles
    made: dict[str, str] = {}
    if pictures:
        face, tiles = _pick(source, max(1, frames), alive)
        for role in sorted(pictures):
            path = folder / f"{role}.jpg"
            _write_jpeg(DRAWING[role](face, tiles), path)
            made[role] = str(path)
    return made


def _pick(source: str, frames: int, alive: Alive) -> tuple[Any, list[Any]]:
    """Return the film's face, its middle frame, and nine small ones that are spread over it.

    Of the full size at most two are held at a time: they may be very large.
    """
    drawn, frame, face, tiles = None, None, None, []
    with opened(Path(source)) as film:
        stream = film.streams.video[0]
        stream.thread_type = "SLICE"
        long = frames * stream.width * stream.height > QUICK_PIXELS
        for tile, found in _sought(film, alive) if long else _counted(film, frames, alive):
            if found is not drawn:
                drawn, frame = found, on_white(found)
            tiles.append(_scaled(frame, _TILE))
            # Until the middle one has come, the last before it: a film may have fewer frames.
            face = frame if tile <= _COUNT // 2 else face
    if face is None:
        msg = "no frame could be decoded"
        raise DataLoss(msg)
    return face, tiles + [tiles[-1]] * (_COUNT - len(tiles))


def _counted(film: Any, frames: int, alive: Alive) -> Iterator[tuple[int, Any]]:
    """Yield the tiles' numbers and frames of a short film: exactly those, by reading up to them."""
    wanted = [frames * (2 * tile + 1) // (2 * _COUNT) for tile in range(_COUNT)]
    tile = 0
    with suppress(TooMuchError):  # what has been seen until then is shown
        for number, frame in enumerate(upright(film, frames)):
            alive()
            while tile < _COUNT and wanted[tile] == number:
                yield tile, frame
                tile += 1
            if tile == _COUNT:
                return


def _sought(film: Any, alive: Alive) -> Iterator[tuple[int, Any]]:
    """Yield the same of a long film, by going there instead of reading it up to its end.

    Key frames may lie far apart: of a film that has few of them, the pictures come from the part
    behind the key frame before the place that can be decoded in a second or two.
    """
    stream = film.streams.video[0]
    stream.codec_context.options = {"max_pixels": str(MAX_PIXELS)}
    begin, length = stream.start_time or 0, _length(film, stream)
    near = max(1, QUICK_PIXELS // _COUNT // max(1, stream.width * stream.height))
    turn: Turn | None = None
    for tile in range(_COUNT):
        place = begin + round(length * (2 * tile + 1) / (2 * _COUNT))
        frame = _at(film, place, near, alive)
        if frame is not None:
            turn = turn or _turning(stream, frame)
            yield tile, turn(frame)


def _length(film: Any, stream: Any) -> Fraction:
    """Return how long the film is, in the time base of its picture."""
    if stream.duration:
        return Fraction(stream.duration)
    return Fraction(film.duration or 0, av.time_base) / Fraction(stream.time_base)


def _at(film: Any, place: int, near: int, alive: Alive) -> Any:
    """Return the frame at ``place``, or the last of the ``near`` ones after the key frame."""
    stream, found = film.streams.video[0], None
    with suppress(FFmpegError):  # without an index: what comes next in the file
        film.seek(place, stream=stream)
    with suppress(TooMuchError):
        within = _within(film.decode(stream), _SLACK * QUICK_PIXELS // _COUNT)
        for number, found in enumerate(within, 1):
            alive()
            if number >= near or found.pts is None or found.pts >= place:
                break
    return found


def upright(film: Any, frames: int) -> Iterator[Any]:
    """Yield the frames as a player shows them: turned as the camera was, with square pixels.

    ``frames`` is how many it should have; one may mean that nobody has counted. Raises
    ``TooMuchError`` rather than read on for days.
    """
    stream = film.streams.video[0]
    # Beyond what the container says: each frame has a size of its own.
    stream.codec_context.options = {"max_pixels": str(MAX_PIXELS)}
    told = frames * stream.width * stream.height if frames > 1 else LONG_PIXELS
    most = min(_SLACK * max(told, QUICK_PIXELS), LONG_PIXELS)
    decoded = _within(film.decode(stream), most)
    first = next(decoded, None)
    if first is not None:
        yield from map(_turning(stream, first), chain([first], decoded))


def _within(frames: Iterator[Any], most: int) -> Iterator[Any]:
    """Yield the frames; raises ``TooMuchError`` where they have more than ``most`` pixels."""
    read = 0
    for frame in frames:
        read += frame.width * frame.height
        if read > most:
            msg = f"the film has more than the {most} pixels that are read of what it tells of"
            raise TooMuchError(msg)
        yield frame


def _turning(stream: Any, first: Any) -> Turn:
    """Return what makes a frame of the stream upright."""
    wanted = list(_TURNS.get(first.rotation, ()))
    pixel = stream.sample_aspect_ratio or Fraction(1)
    # Pixels of any other shape are damage, or meant to exhaust memory.
    if pixel != 1 and Fraction(1, 4) <= pixel <= 4:
        wanted.insert(0, ("scale", f"{round(first.width * pixel / 2) * 2}:{first.height}"))
    if not wanted:
        return with_matrix
    graph = Graph()
    begin = graph.add_buffer(template=stream, time_base=stream.time_base)
    steps = [graph.add(*step) for step in wanted]
    graph.link_nodes(begin, *steps, graph.add("buffersink")).configure()

    def turned(frame: Any) -> Any:
        begin.push(frame)
        return with_matrix(graph.pull())

    return turned


def _scaled(frame: Any, width: int) -> Any:
    width = min(width, frame.width) // 2 * 2 or 2
    height = max(2, round(frame.height * width / frame.width) // 2 * 2)
    return frame.reformat(width=width, height=height, format="yuvj420p", dst_colorspace=MATRIX)


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


DRAWING = {"thumbnail": _thumbnail, "poster": _poster, "contact_sheet": _contact_sheet}


def _write_jpeg(frame: Any, path: Path) -> None:
    codec = av.CodecContext.create("mjpeg", "w")
    codec.width, codec.height, codec.pix_fmt = frame.width, frame.height, "yuvj420p"
    codec.time_base = Fraction(1, 25)
    codec.options = {"qmin": "3", "qmax": "5"}
    frame.pts = 0
    path.write_bytes(b"".join(bytes(p) for p in [*codec.encode(frame), *codec.encode(None)]))
