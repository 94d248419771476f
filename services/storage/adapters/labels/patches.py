"""Changing a file by a few bytes: everything else of it stays as it is, byte for byte."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import mmap
    from collections.abc import Sequence
    from pathlib import Path


@dataclass(frozen=True, slots=True)
class Patch:
    """``data`` takes the place of the bytes from ``start`` to before ``end``."""

    start: int
    end: int
    data: bytes


def inserted(at: int, data: bytes) -> Patch:
    """Return a patch that takes nothing away."""
    return Patch(at, at, data)


def overwritten(at: int, data: bytes) -> Patch:
    """Return a patch after which the file is as long as it was."""
    return Patch(at, at + len(data), data)


def write(data: mmap.mmap, patches: Sequence[Patch], target: Path) -> None:
    """Write what ``data`` becomes; ``patches`` are in order and do not overlap."""
    position = 0
    with target.open("wb") as file, memoryview(data) as whole:
        for patch in patches:
            file.write(whole[position : patch.start])
            file.write(patch.data)
            position = patch.end
        file.write(whole[position:])


def append(path: Path, data: bytes) -> None:
    """Write ``data`` behind the file; when that fails, the file is as it was."""
    size = path.stat().st_size
    try:
        with path.open("ab") as file:
            file.write(data)
    except OSError:
        with path.open("r+b") as file:
            file.truncate(size)
        raise
