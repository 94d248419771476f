"""Weights on a node: which files of a repository are needed, and what is known of those here."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import PurePosixPath
from typing import Protocol

from services.common.errors import FailedPrecondition, InvalidArgument

_NEEDED = frozenset({".safetensors", ".json", ".txt", ".model", ".jinja"})
_VARIANT = re.compile(r"\.(fp16|bf16|fp8|non_ema|ema)(?=[.-])")
_INDEX = "model_index.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoteFile:
    """A file of a repository. `sha256` is known where the hub keeps it as a large file."""

    path: str
    size: int = 0
    sha256: str = ""

    def __post_init__(self) -> None:
        """Refuse a path that leads out of its folder."""
        parts = PurePosixPath(self.path).parts
        if not parts or self.path.startswith("/") or ".." in parts or "\\" in self.path:
            raise InvalidArgument("path", f"{self.path!r} leads out of its folder")


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """A repository at one commit."""

    repository: str
    commit: str
    files: tuple[RemoteFile, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldFile:
    """A file that was brought here: bytes and SHA-256 as they were when it came."""

    path: str
    size: int
    sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Lock:
    """What lies in a model's folder, from which commit, and who agreed to which licence when."""

    model: str
    repository: str
    commit: str
    licence: str
    accepted: datetime
    files: tuple[HeldFile, ...]

    @property
    def size(self) -> int:
        """Bytes of all files."""
        return sum(file.size for file in self.files)


class Hub(Protocol):
    """Where weights are published."""

    async def snapshot(self, repository: str, revision: str) -> Snapshot:
        """Return what a revision is now. Raises NotFound, PermissionDenied, Unavailable."""

    async def fetch(self, snapshot: Snapshot, files: Sequence[RemoteFile], folder: str) -> None:
        """Bring files into a folder; those that lie there whole are left. Raises Unavailable."""


def needed(files: Iterable[RemoteFile]) -> tuple[RemoteFile, ...]:
    """Return the files that a checkpoint is loaded from: safetensors and words, never code.

    Of a diffusers repository the single-file copies at its top are left out, and copies in another
    precision wherever the plain ones are there. Raises FailedPrecondition without safetensors.
    """
    listed = [file for file in files if PurePosixPath(file.path).suffix in _NEEDED]
    if any(file.path == _INDEX for file in listed):
        listed = [file for file in listed if "/" in file.path or not _is_weight(file)]
    plain = {_VARIANT.sub("", file.path) for file in listed if not _VARIANT.search(file.path)}
    chosen = [
        file
        for file in listed
        if not _VARIANT.search(file.path) or not _has_plain(file.path, plain)
    ]
    if not any(_is_weight(file) for file in chosen):
        raise FailedPrecondition("the repository has no weights in safetensors: nothing else runs")
    return tuple(sorted(chosen, key=lambda file: file.path))


def _is_weight(file: RemoteFile) -> bool:
    return file.path.endswith(".safetensors")


def _has_plain(path: str, plain: set[str]) -> bool:
    """Whether the same component is there without a variant; shards may be cut otherwise."""
    folder = str(PurePosixPath(path).parent)
    suffix = PurePosixPath(path).suffix
    return any(
        PurePosixPath(other).suffix == suffix and str(PurePosixPath(other).parent) == folder
        for other in plain
    )
