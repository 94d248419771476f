"""Finished clips on disk by digest, the least recently used dropped first."""

import json
import os
import shutil
from pathlib import Path

from services.generator.engines.storyboard.spec import Rendered


class RenderCache:
    """A folder of clips with their receipts; never larger than ``limit_bytes``. Blocking."""

    def __init__(self, folder: Path, limit_bytes: int) -> None:
        self._folder = folder
        self._limit = limit_bytes
        folder.mkdir(parents=True, exist_ok=True)

    def fetch(self, digest: str, destination: Path) -> Rendered | None:
        """Copy a kept clip to ``destination`` (by link where the disk allows); None if not kept."""
        clip, receipt = self._paths(digest)
        try:
            rendered = Rendered.from_json(json.loads(receipt.read_text()))
            if clip.stat().st_size != rendered.size_bytes:
                raise FileNotFoundError(clip)
            place(clip, destination)
            os.utime(clip)
        except (FileNotFoundError, ValueError, TypeError, KeyError):
            return None
        return rendered

    def keep(self, digest: str, source: Path, rendered: Rendered) -> None:
        """Remember a finished clip, then drop the oldest until the folder fits."""
        if rendered.size_bytes > self._limit:
            return
        clip, receipt = self._paths(digest)
        place(source, clip)
        partial = receipt.with_suffix(".part")
        partial.write_text(json.dumps(rendered.to_json()))
        partial.replace(receipt)
        self._trim()

    def _paths(self, digest: str) -> tuple[Path, Path]:
        return self._folder / f"{digest}.mp4", self._folder / f"{digest}.json"

    def _trim(self) -> None:
        clips = sorted(
            (p.stat().st_mtime_ns, p.stat().st_size, p) for p in self._folder.glob("*.mp4")
        )
        total = sum(size for _, size, _ in clips)
        for _, size, clip in clips:
            if total <= self._limit:
                return
            clip.unlink(missing_ok=True)
            clip.with_suffix(".json").unlink(missing_ok=True)
            total -= size


def place(source: Path, destination: Path) -> None:
    """Copy a file so that ``destination`` appears whole or not at all."""
    partial = destination.with_name(f".{destination.name}.{os.getpid()}.{id(destination):x}.part")
    try:
        shutil.copyfile(source, partial)  # a copy: who edits theirs must not change ours
        partial.replace(destination)
    finally:
        partial.unlink(missing_ok=True)
