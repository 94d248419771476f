"""What the worker process can be asked for: each kind of task, as a function over files."""

import hashlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from services.generator.domain.compositions import ComposeTask
from services.generator.domain.records import from_record, to_record
from services.generator.domain.tasks import MusicTask, SoundTask, SpeechTask
from services.generator.media.compose import Inputs, Progress, compose
from services.generator.media.effects import sound
from services.generator.media.music import play
from services.generator.media.speech import say

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
    }


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


_KINDS: Mapping[str, Callable[[Mapping[str, Any], Path, Progress], Facts]] = {
    "compose": _compose,
    "speech": _speech,
    "music": _music,
    "sound": _sound,
}
