"""What a clip costs to encode: 121 frames of 720p by ours and by diffusers' `export_to_video`.

Each in a process of its own, from what its pipelines hand it: ours bytes, diffusers' floats. CPU is
that of the process and its encoder; memory is what is taken above the frames themselves, the
encoder's own included. Frames are moving gradients over a texture that pans, with grain.

    python -m benchmarks.encoding {ours|stock} FOLDER FRAMES WIDTH HEIGHT

does one of them and prints what it took as JSON.
"""

import json
import resource
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import av
import numpy as np
import psutil

from benchmarks.table import Row
from services.generator.domain.shapes import Shape
from services.generator.engines.local.encoding import write_clip

FRAMES, WIDTH, HEIGHT, RATE = 121, 1280, 720, 24.0
_CHUNK = 16
_GRAIN, _TEXTURE, _PAN = 6, 12, 3
_LOOK = 0.01


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """CPU seconds, bytes of memory above the frames, bytes of the file, dB of its picture."""

    cpu: float
    memory: int
    size: int
    decibel: float
    plays_at_once: bool


def rows(frames: int = FRAMES, width: int = WIDTH, height: int = HEIGHT) -> list[Row]:
    """Both, one after the other, twice: the second time everything has been read before."""
    with tempfile.TemporaryDirectory() as folder:
        size = (frames, width, height)
        for _ in range(2):
            ours, stock = (cost(who, Path(folder), *size) for who in ("ours", "stock"))
    share = f"{ours.cpu / stock.cpu:.2f} of stock's"
    return [
        Row(
            f"encoding {frames} frames of {width}x{height}, CPU",
            f"{ours.cpu:.1f} s, {share}",
            "export_to_video",
        ),
        Row("  stock, CPU", f"{stock.cpu:.1f} s", ""),
        Row(
            "  memory above the frames: ours, stock",
            f"{ours.memory / 1e6:.0f}, {stock.memory / 1e6:.0f} MB",
            "",
        ),
        Row(
            "  picture and file: ours, stock",
            f"{ours.decibel:.1f} dB in {ours.size / 1e6:.2f} MB, "
            f"{stock.decibel:.1f} dB in {stock.size / 1e6:.2f} MB",
            "",
        ),
        Row(
            "  plays before it is whole: ours, stock",
            f"{_yes(ours.plays_at_once)}, {_yes(stock.plays_at_once)}",
            "",
        ),
    ]


def cost(who: str, folder: Path, frames: int, width: int, height: int) -> Cost:
    """Have one of them encode in a process of its own."""
    path = folder / f"{who}.mp4"
    words = [sys.executable, "-W", "ignore", "-m", "benchmarks.encoding", who, str(folder)]
    with subprocess.Popen(
        [*words, str(frames), str(width), str(height)], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        before, peak = json.loads(process.stdout.readline())["resident"], 0
        while process.poll() is None:
            peak = max(peak, _resident(process.pid))
            time.sleep(_LOOK)
        told: dict[str, Any] = json.loads(process.stdout.readline())
    return Cost(
        cpu=told["cpu"],
        memory=peak - before,
        size=path.stat().st_size,
        decibel=psnr(path, frames, width, height),
        plays_at_once=_index_comes_first(path),
    )


def frame(number: int, width: int, height: int) -> Any:
    """Return a frame (height, width, 3) of bytes, the same each time."""
    across = np.arange(width, dtype=np.float32)[None, :, None]
    down = np.arange(height, dtype=np.float32)[:, None, None]
    hue = np.array([0.0, 2.0, 4.0], dtype=np.float32)
    plain = 127 + 90 * np.sin(across / 160 + down / 90 + hue + number / 12)
    cells = np.random.default_rng(0).integers(-_TEXTURE, _TEXTURE, (height // 4, width // 4, 1))
    texture = np.roll(cells.repeat(4, 0).repeat(4, 1), _PAN * number, axis=1)
    grain = np.random.default_rng(number).integers(-_GRAIN, _GRAIN + 1, plain.shape)
    return np.clip(plain + texture + grain, 0, 255).astype(np.uint8)


def psnr(path: Path, frames: int, width: int, height: int) -> float:
    """Return how like the file's frames are to the ones it was made of, in dB."""
    errors = []
    with av.open(str(path)) as film:
        for number, decoded in enumerate(film.decode(video=0)):
            wrong = decoded.to_ndarray(format="rgb24").astype(np.float32)
            wrong -= frame(number, width, height)
            errors.append(float(np.mean(wrong**2)))
    assert len(errors) == frames
    return float(10 * np.log10(255**2 / np.mean(errors)))


def main(who: str, folder: str, *size: str) -> None:
    """Encode as asked and print what it took."""
    frames, width, height = map(int, size)
    path = Path(folder) / f"{who}.mp4"
    encode = _ours if who == "ours" else _stock
    clip = np.empty((frames, height, width, 3), np.uint8 if who == "ours" else np.float32)
    for number in range(frames):
        made = frame(number, width, height)
        clip[number] = made if who == "ours" else made.astype(np.float32) / 255
    run = encode(clip, path)
    print(json.dumps({"resident": psutil.Process().memory_info().rss}), flush=True)
    used = _cpu()
    run()
    print(json.dumps({"cpu": _cpu() - used}), flush=True)


def _ours(clip: Any, path: Path) -> Any:
    like = Shape(width=clip.shape[2], height=clip.shape[1], frames=len(clip), fps=RATE)
    chunks = (clip[start : start + _CHUNK] for start in range(0, len(clip), _CHUNK))
    return lambda: write_clip(path, chunks, like=like)


def _stock(clip: Any, path: Path) -> Any:
    from diffusers.utils import export_to_video  # noqa: PLC0415 - ours is measured without torch

    return lambda: export_to_video(list(clip), str(path), fps=int(RATE))


def _resident(pid: int) -> int:
    """Return the memory of a process and its children; 0 when they are gone."""
    try:
        process = psutil.Process(pid)
        family = [process, *process.children(recursive=True)]
        return sum(each.memory_info().rss for each in family)
    except psutil.NoSuchProcess:
        return 0


def _cpu() -> float:
    spent = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(each.ru_utime + each.ru_stime for each in spent)


def _index_comes_first(path: Path) -> bool:
    data = path.read_bytes()
    return data.find(b"moov") < data.find(b"mdat")


def _yes(said: bool) -> str:
    return "yes" if said else "no"


if __name__ == "__main__":
    main(*sys.argv[1:])
