"""Room on the local disk for files that wait for the object store."""

from __future__ import annotations

import contextlib
import shutil
import threading
import time
from typing import TYPE_CHECKING

from services.storage.adapters.disk import linked, make_folder, sync_file, sync_folder
from services.storage.domain.ports import StagedFile

if TYPE_CHECKING:
    from datetime import timedelta
    from pathlib import Path

    from services.storage.adapters.disk import Disk
    from services.storage.domain.assets import Asset


class FolderSpool:
    """Keeps whole files by asset and attempt, up to ``max_bytes`` in all."""

    def __init__(self, folder: Path, disk: Disk, *, max_bytes: int) -> None:
        self._folder = folder
        self._disk = disk
        self._max_bytes = max_bytes
        # One file at a time looks whether there is room and takes it; what has to be copied takes
        # it before, so that nobody waits for the copy.
        self._turn = threading.Condition()
        self._coming: dict[Path, int] = {}

    async def keep(self, asset: Asset, staged: StagedFile) -> bool:
        """Keep the file; false when the spool has no room for it."""
        return await self._disk.move(self._keep, asset, staged)

    async def find(self, asset: Asset) -> StagedFile | None:
        """Return the file of the asset when it waits here."""
        path = self._path(asset)
        there = await self._disk.run(path.is_file)
        return StagedFile(path, asset.size_bytes, asset.sha256) if there else None

    async def drop(self, asset: Asset) -> None:
        """Forget the file."""
        await self._disk.run(self._path(asset).unlink, missing_ok=True)

    async def ids(self) -> list[str]:
        """Return the ids of all assets that have a file here, oldest asset first."""
        return await self._disk.run(self._ids)

    async def old(self, older_than: timedelta) -> list[str]:
        """Return the ids of assets whose files came here longer ago than that."""
        return await self._disk.run(self._old, time.time() - older_than.total_seconds())

    async def forget(self, identifier: str) -> None:
        """Remove whatever is kept of the asset."""
        await self._disk.run(self._forget, identifier)

    async def used(self) -> int:
        """Return the bytes that wait."""
        return await self._disk.run(self._used)

    def _path(self, asset: Asset) -> Path:
        return self._folder / f"{asset.id}.{asset.sha256}.spool"

    def _keep(self, asset: Asset, staged: StagedFile) -> bool:
        make_folder(self._folder)
        sync_file(staged.path)
        path = self._path(asset)
        with self._turn:
            self._turn.wait_for(lambda: path not in self._coming)
            if path.exists():
                # Left by an attempt long ago perhaps: it is young again, and not to be swept now.
                path.touch()
                return True
            if self._used() + sum(self._coming.values()) + staged.size_bytes > self._max_bytes:
                return False
            whole = linked(staged.path, path)
            if not whole:
                self._coming[path] = staged.size_bytes
        if not whole:
            self._copy(staged.path, path)
        sync_folder(self._folder)
        return True

    def _copy(self, source: Path, path: Path) -> None:
        """Copy into the room that was taken for ``path``, and give that back in any case."""
        half = path.with_suffix(".half")
        copied = False
        try:
            shutil.copyfile(source, half)
            sync_file(half)
            copied = True
        finally:
            with self._turn:
                # At once, so that no byte counts twice.
                del self._coming[path]
                self._turn.notify_all()
                if copied:
                    half.replace(path)
                else:
                    half.unlink(missing_ok=True)

    def _old(self, before: float) -> list[str]:
        found = set()
        for path in self._folder.glob("*"):
            # One that is stored and dropped just now is not left behind.
            with contextlib.suppress(FileNotFoundError):
                # The time of the name, not of the bytes: they may have come long before.
                if path.stat().st_ctime < before:
                    found.add(path.name.partition(".")[0])
        return sorted(found)

    def _ids(self) -> list[str]:
        return sorted({path.name.partition(".")[0] for path in self._folder.glob("*.spool")})

    def _forget(self, identifier: str) -> None:
        for path in self._folder.glob(f"{identifier}.*"):
            path.unlink(missing_ok=True)

    def _used(self) -> int:
        used = 0
        for path in self._folder.glob("*.spool"):
            # One that is stored and dropped just now takes no room.
            with contextlib.suppress(FileNotFoundError):
                used += path.stat().st_size
        return used
