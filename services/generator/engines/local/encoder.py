"""The process that encodes: raw frames on stdin, an MP4 that plays at once, a line on stdout.

Its one argument is JSON: `path`, `width`, `height`, `fps` ("24" or "30000/1001"), and for a sound
track `sound` (a file of float32 samples, channel after channel, that is whole when stdin ends),
`channels` and `rate`.
"""

import json
import os
import sys
from collections.abc import Iterator, Mapping
from fractions import Fraction
from pathlib import Path
from typing import Any, BinaryIO

import av
import numpy as np

_NICENESS = 5
_X264 = {"preset": "veryfast", "crf": "20", "threads": "4"}
_BT709, _LIMITED = 1, 1
_AAC_BITS = 192_000
_AAC_CHUNK = 1024


def main() -> None:
    """Encode until stdin ends."""
    os.nice(_NICENESS)
    order = json.loads(sys.argv[1])
    frames = encode(order, sys.stdin.buffer)
    print(json.dumps({"frames": frames}))


def encode(order: Mapping[str, Any], raw: BinaryIO) -> int:
    """Write the file and return the number of its frames. Raises ValueError for half a frame."""
    options = {"movflags": "+faststart"}
    with av.open(str(order["path"]), "w", format="mp4", options=options) as container:
        stream = _stream(container, order)
        sound = _sound_stream(container, order) if order.get("sound") else None
        count = 0
        for pixels in _frames(raw, order["width"], order["height"]):
            frame = av.VideoFrame.from_ndarray(pixels, format="rgb24")
            frame = frame.reformat(
                format="yuv420p", dst_colorspace=_BT709, dst_color_range=_LIMITED
            )
            frame.pts, frame.time_base = count, 1 / Fraction(order["fps"])
            container.mux(stream.encode(frame))
            count += 1
        container.mux(stream.encode())
        if sound is not None:
            _encode_sound(container, sound, order, count)
    return count


def _stream(container: Any, order: Mapping[str, Any]) -> Any:
    rate = Fraction(order["fps"])
    stream = container.add_stream("libx264", rate=rate, options=_X264)
    stream.width, stream.height, stream.pix_fmt = order["width"], order["height"], "yuv420p"
    stream.time_base = 1 / rate
    context = stream.codec_context
    context.color_primaries = context.color_trc = context.colorspace = _BT709
    context.color_range = _LIMITED
    return stream


def _frames(raw: BinaryIO, width: int, height: int) -> Iterator[Any]:
    size = width * height * 3
    while data := raw.read(size):
        if len(data) != size:
            message = f"{len(data)} bytes of a frame of {size}"
            raise ValueError(message)
        yield np.frombuffer(data, np.uint8).reshape(height, width, 3)


def _sound_stream(container: Any, order: Mapping[str, Any]) -> Any:
    layout = "stereo" if order["channels"] == 2 else "mono"
    stream = container.add_stream("aac", rate=order["rate"], layout=layout)
    stream.bit_rate = _AAC_BITS
    return stream


def _encode_sound(container: Any, stream: Any, order: Mapping[str, Any], frames: int) -> None:
    """Add the sound, as long as the picture at most."""
    samples = np.fromfile(Path(order["sound"]), np.float32).reshape(order["channels"], -1)
    samples = samples[:, : round(frames / Fraction(order["fps"]) * order["rate"])]
    for start in range(0, samples.shape[1], _AAC_CHUNK):
        chunk = np.ascontiguousarray(samples[:, start : start + _AAC_CHUNK])
        frame = av.AudioFrame.from_ndarray(chunk, format="fltp", layout=stream.layout.name)
        frame.sample_rate, frame.pts = order["rate"], start
        frame.time_base = Fraction(1, order["rate"])
        container.mux(stream.encode(frame))
    container.mux(stream.encode())


if __name__ == "__main__":
    main()
