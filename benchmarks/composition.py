"""What one cut costs against the bare ffmpeg command that makes the same one.

Five storyboard clips of 5 s (720p24), four crossfades of 0.5 s, a music bed, libx264 veryfast. CPU
is that of the process that does the work, ours being a warm worker; both use the same disk.
The cuts are made in turn, three times, and the medians compared.
"""

import json
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

import imageio_ffmpeg
import psutil

from benchmarks.table import Row
from services.generator.domain.compositions import (
    Clip,
    ComposeTask,
    Encoding,
    Role,
    Track,
    Transition,
)
from services.generator.domain.media import Media
from services.generator.domain.records import to_record
from services.generator.domain.tasks import MusicTask
from services.generator.engines.storyboard import StoryboardSpec
from services.generator.engines.storyboard.encode import write_video
from services.generator.media.music import play

CLIPS, SECONDS, OVERLAP, RATE = 5, 5, 0.5, 24
ROUNDS = 3
PROMPTS = ("a lighthouse at dusk", "a lion in the savanna", "Nairobi at night", "a lake at dawn",
           "an old man by the sea")  # fmt: skip


@dataclass(frozen=True)
class Cost:
    """CPU and wall seconds, and the highest resident memory in MiB."""

    cpu: float
    wall: float
    memory: float


def rows() -> list[Row]:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        clips, music = _material(folder)
        found: dict[str, list[Cost]] = {}
        for _ in range(ROUNDS):
            found.setdefault("bare", []).append(bare(clips, music, folder / "bare.mp4"))
            for encoding in Encoding:
                cost = ours(clips, music, folder / f"{encoding}.mp4", encoding)
                found.setdefault(encoding, []).append(cost)
        short, long = (memory(clips[0], folder, count) for count in (12, 120))
    cpu = {key: median(each.cpu for each in costs) for key, costs in found.items()}
    wall = {key: median(each.wall for each in costs) for key, costs in found.items()}
    return [
        Row("full re-encode, CPU of the bare ffmpeg command's", f"{cpu['FULL'] / cpu['bare']:.2f}",
            "<= 1.1", cpu["FULL"] / cpu["bare"]),
        Row("  seconds of CPU: ours, bare", f"{cpu['FULL']:.1f}, {cpu['bare']:.1f}", ""),
        Row("smart render, times faster by CPU", f"{cpu['bare'] / cpu['AUTO']:.1f}", ">= 3",
            cpu["bare"] / cpu["AUTO"]),
        Row("smart render, times faster by the clock", f"{wall['bare'] / wall['AUTO']:.1f}",
            ">= 3", wall["bare"] / wall["AUTO"]),
        Row("memory of a film of 1 and of 10 minutes", f"{short:.0f}, {long:.0f} MiB", ""),
        Row("  grown by", f"{long - short:.0f} MiB", "<= 10 MiB", long - short),
    ]  # fmt: skip


def _material(folder: Path) -> tuple[list[Path], Path]:
    clips = []
    for number, prompt in enumerate(PROMPTS):
        path = folder / f"{number}.mp4"
        spec = StoryboardSpec(
            prompt=prompt, width=1280, height=720, fps=RATE, duration_seconds=SECONDS
        )
        write_video(spec, path, lambda _done, _total: None)
        clips.append(path)
    music = folder / "music.flac"
    length = CLIPS * SECONDS - (CLIPS - 1) * OVERLAP
    play(MusicTask(prompt="calm", duration_seconds=length), music)
    return clips, music


def bare(clips: list[Path], music: Path, path: Path) -> Cost:
    """One ffmpeg command: xfade, acrossfade, the music under it."""
    graph, picture, sound = [], "[0:v]", "[0:a]"
    for number in range(1, len(clips)):
        offset = number * (SECONDS - OVERLAP)
        graph.append(
            f"{picture}[{number}:v]xfade=transition=fade:duration={OVERLAP}:offset={offset}[v{number}]"
        )
        graph.append(f"{sound}[{number}:a]acrossfade=d={OVERLAP}[a{number}]")
        picture, sound = f"[v{number}]", f"[a{number}]"
    graph.append(f"{picture}format=yuv420p[v]")
    graph.append(f"{sound}[{len(clips)}:a]amix=inputs=2:duration=first[a]")
    inputs = [word for clip in (*clips, music) for word in ("-i", str(clip))]
    argv = [
        imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", "-y", *inputs, "-filter_complex",
        ";".join(graph), "-map", "[v]", "-map", "[a]", "-c:v", "libx264", "-preset", "veryfast",
        "-c:a", "aac", "-movflags", "+faststart", str(path),
    ]  # fmt: skip
    began = time.perf_counter()
    process = subprocess.Popen(argv)
    watched = psutil.Process(process.pid)
    cpu, memory_ = 0.0, 0.0
    while process.poll() is None:
        try:
            times = watched.cpu_times()
            cpu, memory_ = times.user + times.system, max(memory_, _resident(watched))
        except psutil.NoSuchProcess:
            break
        time.sleep(0.01)
    return Cost(cpu, time.perf_counter() - began, memory_)


def _resident(process: psutil.Process) -> float:
    return float(process.memory_info().rss) / 2**20


def ours(clips: list[Path], music: Path, path: Path, encoding: Encoding) -> Cost:
    media = Media(url="https://example.com/clip")
    fade: dict[str, Any] = {"transition": Transition.CROSSFADE, "transition_seconds": OVERLAP}
    first, *others = (Clip(media=media, **(fade if n else {})) for n in range(len(clips)))
    task = ComposeTask(
        clips=(first, *others),
        tracks=(Track(media=media, role=Role.MUSIC),),
        encoding=encoding,
    )
    return _carried_out(task, clips, [music], path)


def memory(clip: Path, folder: Path, count: int) -> float:
    """The highest memory of a full encode of so many clips, small so that it does not take long."""
    media = Media(url="https://example.com/clip")
    task = ComposeTask(
        clips=tuple(Clip(media=media) for _ in range(count)),
        encoding=Encoding.FULL,
        width=256,
        height=144,
    )
    return _carried_out(task, [clip] * count, [], folder / "long.mp4").memory


def _carried_out(task: ComposeTask, clips: list[Path], tracks: list[Path], path: Path) -> Cost:
    files = {"clips": [*map(str, clips)], "tracks": [*map(str, tracks)], "captions": [None]}
    order = {"kind": "compose", "task": to_record(task), "files": files, "path": str(path)}
    argv = [sys.executable, "-m", "services.generator.media"]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdout.readline()  # ready: its imports are loaded
        watched = psutil.Process(process.pid)
        before = sum(watched.cpu_times()[:2])
        began = time.perf_counter()
        process.stdin.write(json.dumps(order).encode() + b"\n")
        process.stdin.flush()
        for line in process.stdout:
            told = json.loads(line)
            if "progress" not in told:
                break
        wall = time.perf_counter() - began
        status = Path(f"/proc/{process.pid}/status").read_text()
        cpu = sum(watched.cpu_times()[:2]) - before
        process.stdin.close()
    if "done" not in told:
        raise RuntimeError(told)
    highest = next(line for line in status.splitlines() if line.startswith("VmHWM"))
    return Cost(cpu, wall, int(highest.split()[1]) / 1024)
