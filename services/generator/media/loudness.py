"""Measures loudness by EBU R 128 and brings a mix to its target, with FFmpeg's filters.

Integrated loudness in LUFS and true peak in dBTP follow ITU-R BS.1770.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any, TypeAlias

import av
import numpy as np
from av.filter import Graph

from services.generator.media.recordings import RATE, Samples, Stream, samples

Hear: TypeAlias = Callable[[Samples], None]
SILENT_LUFS = -69.0
_AAC_BITS_PER_SECOND = 192_000
_MARGIN_DB = 0.8  # AAC raises peaks a little
_ROUNDS = 3
_CLOSE_LU = 0.3
_MOST_GAIN_DB = 20.0  # more would make a roar of the noise of a quiet room
_OVERSAMPLED = 4 * RATE


@dataclass(frozen=True, slots=True)
class Loudness:
    """Integrated loudness in LUFS (-70 is silence) and true peak in dBTP."""

    lufs: float
    peak_db: float


class Meter:
    """Measures sound that is shown to it piece by piece; true peaks take four times the work."""

    def __init__(self, *, true_peak: bool = True) -> None:
        self._peaks = [f"{'true' if true_peak else 'sample'}_peaks_ch{n}" for n in range(2)]
        peak = "true" if true_peak else "sample"
        self._graph = _chain([("ebur128", f"metadata=1:peak={peak}")])
        self._found = {"I": -70.0, **dict.fromkeys(self._peaks, 0.0)}
        self._shown = 0

    def show(self, piece: Samples) -> None:
        """Take in the next samples."""
        self._graph.push(_frame(piece, self._shown))
        self._shown += piece.shape[1]
        self._read()

    def result(self) -> Loudness:
        """Return what was measured; nothing can be shown afterwards."""
        self._graph.push(None)
        self._read()
        peak = max(self._found[name] for name in self._peaks)
        peak_db = 20 * float(np.log10(max(peak, 1e-6)))
        return Loudness(self._found["I"], peak_db)

    def _read(self) -> None:
        for frame in _ready(self._graph):
            for name in self._found:
                value = float(frame.metadata.get(f"lavfi.r128.{name}", "nan"))
                if not np.isnan(value):
                    self._found[name] = value


def measured(path: Path, field: str, hear: Hear = lambda _: None) -> Loudness:
    """Return the loudness of a file as it plays; `hear` is given what is heard."""
    meter = Meter()
    stream = Stream(samples(path, field, origin=0.0))
    while (piece := stream.read(RATE)).shape[1]:
        meter.show(piece)
        hear(piece)
    return meter.result()


def mastered(
    mix: Path,
    found: Loudness,
    target: Loudness,
    destination: Path,
    *,
    listening: Callable[[], Hear] = lambda: lambda _: None,
) -> Loudness:
    """Encode a raw mix (float32, stereo, interleaved) as AAC at the target; returns what it became.

    It is made louder by 20 dB at most. Peaks that would pass the target's are held by a limiter
    that works at four times the rate. The encoded file is measured and made again, nearer to the
    target, where it does not meet it. Each file is given to a new `listening`; the last one heard
    what is delivered, which may still have missed the target: compare what is returned.
    """
    gain = 0.0 if found.lufs <= SILENT_LUFS else min(target.lufs - found.lufs, _MOST_GAIN_DB)
    ceiling = target.peak_db - _MARGIN_DB
    result = found
    for _ in range(_ROUNDS):
        limited = found.peak_db + gain > ceiling
        encode(_levelled(mix, gain, ceiling if limited else None), destination)
        result = measured(destination, "mix", listening())
        off, over = target.lufs - result.lufs, result.peak_db - target.peak_db
        off = min(off, _MOST_GAIN_DB - gain)
        near = abs(off) <= _CLOSE_LU or result.lufs <= SILENT_LUFS
        if near and over <= 0:
            break
        gain += 0.0 if near else off
        ceiling -= max(0.0, over + 0.1 if over > 0 else 0.0)
    return result


def encode(pieces: Iterable[Samples], destination: Path) -> None:
    """Write sound as AAC in an MP4 container."""
    with av.open(str(destination), "w", format="mp4") as file:
        stream: Any = file.add_stream("aac", rate=RATE, layout="stereo")
        stream.bit_rate = _AAC_BITS_PER_SECOND
        stream.options = {"aac_coder": "fast"}  # half the work, and bits to spare
        written = 0
        for piece in pieces:
            file.mux(stream.encode(_frame(piece, written)))
            written += piece.shape[1]
        file.mux(stream.encode(None))


def raw(mix: Path) -> Iterator[Samples]:
    """Yield a raw mix piece by piece."""
    with mix.open("rb") as file:
        while data := file.read(RATE * 8):
            yield np.ascontiguousarray(np.frombuffer(data, np.float32).reshape(-1, 2).T)


def _levelled(mix: Path, gain_db: float, ceiling_db: float | None) -> Iterator[Samples]:
    factor = np.float32(10 ** (gain_db / 20))
    louder = (piece * factor for piece in raw(mix))
    return louder if ceiling_db is None else _limited(louder, ceiling_db)


def _limited(pieces: Iterator[Samples], ceiling_db: float) -> Iterator[Samples]:
    limit = 10 ** (ceiling_db / 20)
    graph = _chain(
        [
            ("aresample", str(_OVERSAMPLED)),
            ("alimiter", f"limit={limit:.5f}:attack=5:release=60:level=0:latency=1"),
            ("aresample", str(RATE)),
            ("aformat", "sample_fmts=fltp:channel_layouts=stereo"),
        ]
    )
    pushed, given = 0, 0
    for piece in pieces:
        graph.push(_frame(piece, pushed))
        pushed += piece.shape[1]
        for frame in _ready(graph):
            given += frame.samples
            yield frame.to_ndarray()
    graph.push(None)
    for frame in _ready(graph):
        piece = frame.to_ndarray()[:, : max(0, pushed - given)]
        given += piece.shape[1]
        if piece.shape[1]:
            yield piece
    if given < pushed:
        yield np.zeros((2, pushed - given), np.float32)


def _chain(steps: list[tuple[str, str]]) -> Any:
    graph = Graph()
    nodes = [graph.add_abuffer(sample_rate=RATE, format="fltp", layout="stereo")]
    nodes += [graph.add(name, given) for name, given in steps]
    nodes.append(graph.add("abuffersink"))
    for left, right in pairwise(nodes):
        left.link_to(right)
    graph.configure()
    return graph


def _ready(graph: Any) -> Iterator[Any]:
    while True:
        try:
            yield graph.pull()
        except (BlockingIOError, EOFError):
            return


def _frame(piece: Samples, at: int) -> Any:
    frame: Any = av.AudioFrame.from_ndarray(np.ascontiguousarray(piece), "fltp", "stereo")
    frame.sample_rate, frame.pts = RATE, at
    return frame
