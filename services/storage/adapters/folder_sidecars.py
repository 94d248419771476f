"""What is known of each object in a folder, in a JSON file whose lock is the lock of the key."""

from __future__ import annotations

import fcntl
import json
import os
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, BinaryIO

from services.storage.adapters.disk import make_folder, sync_folder

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path


class Sidecar:
    """The sidecar of one key, held: nobody else writes or removes it meanwhile."""

    def __init__(self, path: Path, file: BinaryIO) -> None:
        self._path = path
        self._file = file

    def write(self, facts: Mapping[str, object]) -> None:
        """Write ``facts`` so that they survive a power cut, over whatever a crash has left."""
        self._file.truncate(0)
        self._file.write(json.dumps(facts).encode())
        self._file.flush()
        os.fsync(self._file.fileno())
        sync_folder(self._path.parent)

    def remove(self) -> None:
        """Remove the file; those who wait for it make a new one."""
        self._path.unlink(missing_ok=True)


class FolderSidecars:
    """Sidecars below one folder.

    One without an object is an upload that a crash has cut off: whoever publishes under its key
    writes over it, and it goes with the record that has the key.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    @contextmanager
    def held(self, key: str) -> Iterator[Sidecar]:
        """Wait for the key's sidecar, which is made where there is none, and hold it.

        A lock of the kernel's ends with the process that holds it, however that ends.
        """
        path = self._path(key)
        make_folder(path.parent)
        while True:
            with path.open("ab") as file:
                fcntl.flock(file, fcntl.LOCK_EX)
                if _is_at(file, path):
                    yield Sidecar(path, file)
                    return

    def read(self, key: str) -> Mapping[str, Any]:
        """Return what was written for the key; nothing is known of what was put there by hand."""
        try:
            told: Mapping[str, Any] = json.loads(self._path(key).read_text(encoding="utf-8"))
        except (FileNotFoundError, ValueError):
            return {"content_type": "application/octet-stream", "metadata": {}}
        return told

    def _path(self, key: str) -> Path:
        return self._folder / f"{key}.json"


def _is_at(file: BinaryIO, path: Path) -> bool:
    """Whether the file is still there, or was removed by whoever held it before."""
    try:
        return os.path.samestat(os.fstat(file.fileno()), path.stat())
    except FileNotFoundError:
        return False
