"""Small real pictures and recordings of every kind that storage keeps (Pillow, PyAV)."""

import io
import tempfile
from fractions import Fraction
from functools import cache
from pathlib import Path
from typing import Any

import av
import numpy as np
from PIL import Image

# Odd on purpose: formats that count in pairs have to fill up.
_SIZE = (17, 11)
_RATE = 48_000


def picture(name: str, *, seed: int = 0, channels: int = 3, **options: Any) -> bytes:
    """A picture of noise in the format that Pillow calls by this name."""
    shape = (_SIZE[1], _SIZE[0], channels)
    pixels = np.random.default_rng(seed).integers(0, 255, shape, dtype=np.uint8)
    made = Image.fromarray(pixels)
    target = io.BytesIO()
    (made.convert("P") if name == "GIF" else made).save(target, name, **options)
    return target.getvalue()


def moving(name: str) -> bytes:
    """Three pictures that are shown one after the other."""
    first, *others = [Image.open(io.BytesIO(picture("PNG", seed=seed))) for seed in range(3)]
    target = io.BytesIO()
    first.save(target, name, save_all=True, append_images=others, duration=100, loop=0)
    return target.getvalue()


@cache
def sound(name: str, codec: str, *, suffix: str = "", **told: str) -> bytes:
    """A second of a tone; ``told`` are options of FFmpeg's muxer, ``name`` is that muxer's."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"sound{suffix}"
        with av.open(str(path), "w", format=name, options=told) as container:
            container.metadata["title"] = "a tone"
            stream: Any = container.add_stream(codec, rate=_RATE, layout="mono")
            stream.metadata["title"] = "a tone"
            for frame in _tone(stream):
                container.mux(stream.encode(frame))
        return path.read_bytes()


def _tone(stream: Any) -> list[Any]:
    wave = (np.sin(np.arange(_RATE) / 20) * 8000).astype(np.int16)
    whole = av.AudioFrame.from_ndarray(wave.reshape(1, -1), format="s16", layout="mono")
    whole.sample_rate = _RATE
    size = stream.codec_context.frame_size or 0
    pieces = av.AudioResampler(stream.format, "mono", _RATE, frame_size=size)
    return [*pieces.resample(whole), *pieces.resample(None), None]


def repacked(data: bytes, name: str, **metadata: str) -> bytes:
    """The same packets in another container, or with something else said in it."""
    target = io.BytesIO()
    with (
        av.open(io.BytesIO(data), "r") as original,
        av.open(target, "w", format=name, metadata_errors="surrogateescape") as copy,
    ):
        streams: list[Any] = list(original.streams)
        into = [copy.add_stream_from_template(each) for each in streams]
        for each in (copy, *into):
            each.metadata.update(original.metadata | metadata)
        for packet in original.demux():
            if packet.dts is not None:
                packet.stream = into[packet.stream.index]
                copy.mux(packet)
    return target.getvalue()


@cache
def film(name: str, codec: str, sound_codec: str, **told: str) -> bytes:
    """Four pictures and a tone in a container that FFmpeg calls by this name."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "film"
        with av.open(str(path), "w", format=name, options=told) as container:
            video: Any = container.add_stream(codec, rate=8)
            video.width, video.height, video.pix_fmt = 64, 48, "yuv420p"
            audio: Any = container.add_stream(sound_codec, rate=_RATE, layout="mono")
            noise = np.random.default_rng(0).integers(0, 255, (4, 48, 64, 3), dtype=np.uint8)
            for number, pixels in enumerate(noise):
                frame = av.VideoFrame.from_ndarray(pixels, format="rgb24")
                frame.pts, frame.time_base = number, Fraction(1, 8)
                container.mux(video.encode(frame))
            container.mux(video.encode(None))
            for frame in _tone(audio):
                container.mux(audio.encode(frame))
        return path.read_bytes()


def sent_as_made() -> bytes:
    """A WAV whose header knows no length, neither of the file nor of its sound."""
    data, unknown = sound("wav", "pcm_s16le"), b"\xff\xff\xff\xff"
    place = data.index(b"data") + 4
    return data[:4] + unknown + data[8:place] + unknown + data[place + 4 :]


KINDS: dict[str, tuple[str, Any]] = {
    "png": ("image/png", lambda: picture("PNG")),
    "png that moves": ("image/png", lambda: moving("PNG")),
    "jpeg": ("image/jpeg", lambda: picture("JPEG")),
    "jpeg with exif": ("image/jpeg", lambda: picture("JPEG", exif=_exif())),
    "gif": ("image/gif", lambda: picture("GIF")),
    "gif that moves": ("image/gif", lambda: moving("GIF")),
    "webp": ("image/webp", lambda: picture("WEBP")),
    "webp without loss": ("image/webp", lambda: picture("WEBP", lossless=True)),
    "transparent webp": ("image/webp", lambda: picture("WEBP", channels=4, lossless=True)),
    "extended webp": ("image/webp", lambda: picture("WEBP", channels=4)),
    "webp that moves": ("image/webp", lambda: moving("WEBP")),
    "wav": ("audio/wav", lambda: sound("wav", "pcm_s16le")),
    "wav sent as it was made": ("audio/wav", sent_as_made),
    "mp3": ("audio/mpeg", lambda: sound("mp3", "libmp3lame")),
    "mp3 of id3 2.3": ("audio/mpeg", lambda: sound("mp3", "libmp3lame", id3v2_version="3")),
    "bare mp3": (
        "audio/mpeg",
        lambda: sound("mp3", "libmp3lame", write_xing="0", id3v2_version="0"),
    ),
    "flac": ("audio/flac", lambda: sound("flac", "flac")),
    "opus": ("audio/opus", lambda: sound("ogg", "libopus", suffix=".opus")),
    "flac in ogg": ("audio/ogg", lambda: repacked(sound("flac", "flac"), "ogg")),
    "m4a": ("audio/mp4", lambda: sound("ipod", "aac")),
    "mp4": ("video/mp4", lambda: film("mp4", "libx264", "aac")),
    "mp4 in pieces": (
        "video/mp4",
        lambda: film("mp4", "libx264", "aac", movflags="frag_keyframe+empty_moov"),
    ),
    "mov": ("video/quicktime", lambda: film("mov", "libx264", "aac")),
    "webm": ("video/webm", lambda: film("webm", "libvpx", "libopus")),
    "mkv": ("video/x-matroska", lambda: film("matroska", "libx264", "aac")),
}
"""Media type and maker of each kind that can be labelled."""


def _exif() -> bytes:
    told = Image.Exif()
    told[0x010E] = "noise"
    return told.tobytes()
