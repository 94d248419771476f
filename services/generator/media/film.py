"""Writes the MP4: one video track of copied and encoded parts, one sound track beside it."""

import io
from collections.abc import Iterator, Sequence
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import av

from services.generator.media.encoder import Packet
from services.generator.media.h264 import START_CODE, ParameterSets, annex_b, header, units_of
from services.generator.media.shaping import Target


class Film:
    """An MP4 in the making; use it in a `with` block. Sound is laid beside the pictures in time."""

    def __init__(
        self, path: Path, target: Target, *, header: bytes, sound: Path | None, delay: int
    ) -> None:
        self._rate, self._delay = target.rate, delay
        self._file: Any = av.open(str(path), "w", format="mp4", options={"movflags": "+faststart"})
        with av.open(io.BytesIO(header), format="h264") as described:
            self._video = self._file.add_stream_from_template(described.streams.video[0])
        self._video.time_base = 1 / target.rate
        self._beside = _Sound(self._file, sound) if sound else None
        self._decoded = 0
        self._shown = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._beside is not None:
            if kind is None:
                self._beside.until(None)
            self._beside.close()
        self._file.close()

    @property
    def frames(self) -> int:
        """Frames written so far."""
        return self._shown

    def add(self, packets: Iterator[Packet]) -> Iterator[int]:
        """Write a closed run of pictures; yields the number of each frame once it is written."""
        begin = self._shown
        for packet in packets:
            if self._beside is not None:
                self._beside.until(self._decoded / self._rate)
            self._file.mux(self._timed(packet, begin))
            self._decoded += 1
            yield self._decoded
        self._shown = self._decoded

    def _timed(self, packet: Packet, begin: int) -> Any:
        written = av.Packet(annex_b(packet.data))
        written.stream, written.time_base = self._video, 1 / self._rate
        written.pts, written.dts = begin + packet.time, self._decoded - self._delay
        written.duration, written.is_keyframe = 1, packet.key
        return written


class _Sound:
    """The packets of a finished sound file, handed on as the pictures go."""

    def __init__(self, film: Any, path: Path) -> None:
        self._film, self._source = film, av.open(str(path))
        stream = self._source.streams.audio[0]
        self._stream = film.add_stream_from_template(stream)
        self._packets = (packet for packet in self._source.demux(stream) if packet.size)
        self._held: Any = next(self._packets, None)

    def until(self, seconds: Fraction | float | None) -> None:
        """Write what is heard before `seconds`, all of it for None."""
        while self._held is not None:
            packet = self._held
            if seconds is not None and packet.pts * packet.time_base > seconds:
                return
            packet.stream = self._stream
            self._film.mux(packet)
            self._held = next(self._packets, None)

    def close(self) -> None:
        """Close the file."""
        self._source.close()


def header_of(
    copied: ParameterSets | None, encoded: Sequence[tuple[ParameterSets, bytes]]
) -> bytes:
    """Return the beginning of a stream that names the parameter sets of all its parts.

    Those of the copied parts come first: they are what a track is described by. `encoded` has a
    picture for each of its sets; one is enough.
    """
    sets = [*([copied] if copied else []), *(own for own, _ in encoded)]
    units = units_of(encoded[0][1])
    return header(sets) + b"".join(START_CODE + unit for unit in units)
