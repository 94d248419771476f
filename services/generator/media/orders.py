"""What the worker process can be asked for: each kind of task, as a function over files."""

import hashlib
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from av.error import FFmpegError

from services.common.errors import InvalidArgument
from services.generator.domain.captions import CaptionsTask, CheckTask
from services.generator.domain.compositions import ComposeTask
from services.generator.domain.records import from_record, to_record
from services.generator.domain.tasks import MusicTask, SoundTask, SpeechTask
from services.generator.media.captioning import caption
from services.generator.media.captions import read
from services.generator.media.checks import Expected, check
from services.generator.media.compose import Composed, Inputs, Progress, compose
from services.generator.media.effects import sound
from services.generator.media.music import play
from services.generator.media.probe import probe
from services.generator.media.speech import say
from services.generator.media.stills import still

FLAC = "audio/flac"
Facts = dict[str, Any]


def carry_out(order: Mapping[str, Any], progress: Progress) -> Facts:
    """Make the file and return its facts as JSON values, by the names of an engine's product."""
    path = Path(order["path"])
    facts = _KINDS[order["kind"]](order, path, progress)
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return {**facts, "sha256": digest, "size_bytes": path.stat().st_size}


def _compose(order: Mapping[str, Any], path: Path, progress: Progress) -> Facts:
    task, files = from_record(ComposeTask, order["task"]), order["files"]
    inputs = Inputs(
        clips=[Path(name) for name in files["clips"]],
        tracks=[Path(name) for name in files["tracks"]],
        captions=next((Path(name) for name in files["captions"] if name), None),
    )
    made = compose(task, inputs, path, progress)
    return {
        "content_type": "video/mp4",
        "width": made.width,
        "height": made.height,
        "fps": made.fps,
        "duration_seconds": made.seconds,
        "method": made.method,
        "warnings": list(made.warnings),
        "quality": to_record(made.quality),
        "shown": _shown(task, inputs, made, path.parent) if order.get("look") else [],
    }


def _shown(task: ComposeTask, files: Inputs, made: Composed, folder: Path) -> list[Facts]:
    """Write a still from the middle of what runs of every clip with words; returns where it is."""
    found = []
    for number, (clip, file) in enumerate(zip(task.clips, files.clips, strict=True)):
        start, end = made.places[number]
        runs = end - start - clip.hold_seconds
        picture = folder / f"shown-{number}.png"
        if clip.shows and still(file, picture, clip.start_seconds + runs / 2):
            words = {"number": number, "picture": str(picture), "words": clip.shows}
            found.append({**words, "start": start, "seconds": end - start})
    return found


def _speech(order: Mapping[str, Any], path: Path, progress: Progress) -> Facts:
    said = say(from_record(SpeechTask, order["task"]), path)
    words = [to_record(word) for word in said.words]
    return {"content_type": FLAC, "duration_seconds": said.seconds, "words": words}


def _music(order: Mapping[str, Any], path: Path, progress: Progress) -> Facts:
    seconds, seed = play(from_record(MusicTask, order["task"]), path)
    return {"content_type": FLAC, "duration_seconds": seconds, "seed": seed}


def _sound(order: Mapping[str, Any], path: Path, progress: Progress) -> Facts:
    seconds, seed, warnings = sound(from_record(SoundTask, order["task"]), path)
    known = {"content_type": FLAC, "duration_seconds": seconds, "seed": seed}
    return {**known, "warnings": list(warnings)}


def _captions(order: Mapping[str, Any], path: Path, progress: Progress) -> Facts:
    task, files = from_record(CaptionsTask, order["task"]), order["files"]
    recordings = [Path(name) if name else None for name in files["recordings"]]
    audio = next((Path(name) for name in files["audio"] if name), None)
    seconds, warnings = caption(task, audio, recordings, path)
    kind = {"srt": "application/x-subrip", "vtt": "text/vtt"}[task.format]
    return {"content_type": kind, "duration_seconds": seconds, "warnings": list(warnings)}


def _check(order: Mapping[str, Any], path: Path, progress: Progress) -> Facts:
    task, files = from_record(CheckTask, order["task"]), order["files"]
    captions = [read(Path(name), "captions") for name in files["captions"] if name]
    expected = Expected(
        seconds=task.expected_seconds,
        silent=task.silent_expected,
        captions=captions[0] if captions else (),
    )
    media = Path(files["media"][0])
    quality = to_record(check(media, "media", expected))
    path.write_text(json.dumps(quality, indent=1), encoding="utf-8")
    seen = _seen(media, path.parent) if order.get("look") and task.alike else ""
    return {"content_type": "application/json", "quality": quality, "seen": seen}


def _seen(media: Path, folder: Path) -> str:
    """Write the picture in the middle of what is looked at; returns where it is, or ""."""
    picture = folder / "seen.png"
    try:
        facts = probe(media, "media").picture
    except (InvalidArgument, FFmpegError):
        return ""
    there = facts is not None and still(media, picture, facts.seconds / 2)
    return str(picture) if there else ""


_KINDS: Mapping[str, Callable[[Mapping[str, Any], Path, Progress], Facts]] = {
    "compose": _compose,
    "speech": _speech,
    "music": _music,
    "sound": _sound,
    "captions": _captions,
    "check": _check,
}
