"""Room on the local disk for files that wait for the object store."""

from __future__ import annotations

import contextlib
import hashlib
import shutil
import threading
import time
from typing import TYPE_CHECKING

from services.storage.adapters.disk import linked, make_folder, sync_file, sync_folder
from services.storage.adapters.part_sums import PartSums
from services.storage.domain.ports import StagedFile
from services.storage.domain.spooling import DamagedError

if TYPE_CHECKING:
    from datetime import timedelta
    from pathlib import Path

    from services.storage.adapters.disk import Disk
    from services.storage.domain.assets import Asset

_READ_BYTES = 1024 * 1024
_WAITS = ".spool"
_DAMAGED = ".damaged"


class FolderSpool:
    """Keeps whole files by asset and attempt."""

    def __init__(
        self, folder: Path, disk: Disk, *, max_bytes: int, share_bytes: int | None = None
    ) -> None:
        """Keep up to ``max_bytes`` in all, ``share_bytes`` of each tenant's (``None``: all)."""
        self._folder = folder
        self._disk = disk
        self._max_bytes = max_bytes
        self._share_bytes = max_bytes if share_bytes is None else share_bytes
        # One file at a time looks whether there is room and takes it; what has to be copied takes
        # it before, so that nobody waits for the copy.
        self._turn = threading.Condition()
        self._coming: dict[Path, int] = {}

    async def keep(self, asset: Asset, staged: StagedFile) -> bool:
        """Keep the file; false when the spool has no room for it."""
        return await self._disk.move(self._keep, asset, staged)

    async def holds(self, asset: Asset) -> bool:
        """Whether the file of the asset waits here."""
        return await self._disk.run(lambda: self._there(asset).is_file())

    async def whole(self, asset: Asset) -> StagedFile:
        """Return the asset's file once every byte of it was looked at; see the port.

        One that is damaged is set aside, for whoever wants to look at it before it is swept.
        """
        return await self._disk.move(self._whole, asset)

    async def drop(self, asset: Asset) -> None:
        """Forget the file."""
        await self._disk.run(lambda: self._there(asset).unlink(missing_ok=True))

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
        return self._folder / f"{asset.id}.{asset.sha256}.{_mark(asset.tenant)}{_WAITS}"

    def _there(self, asset: Asset) -> Path:
        """Return where the file lies: under a name without a tenant, where it came long ago."""
        unmarked = self._folder / f"{asset.id}.{asset.sha256}{_WAITS}"
        return unmarked if unmarked.is_file() else self._path(asset)

    def _whole(self, asset: Asset) -> StagedFile:
        path, size = self._there(asset), 0
        digest, sums = hashlib.sha256(), PartSums()
        with path.open("rb") as file:
            while block := file.read(_READ_BYTES):
                digest.update(block)
                sums.update(block)
                size += len(block)
        if (size, digest.hexdigest()) != (asset.size_bytes, asset.sha256):
            path.replace(path.with_suffix(_DAMAGED))
            raise DamagedError(path.name)
        return StagedFile(path, size, asset.sha256, sums.values)

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
            if not self._fits(path, staged.size_bytes):
                return False
            whole = linked(staged.path, path)
            if not whole:
                self._coming[path] = staged.size_bytes
        if not whole:
            self._copy(staged.path, path)
        sync_folder(self._folder)
        return True

    def _fits(self, path: Path, size: int) -> bool:
        """Whether there is room for a file of ``size``, in all and of what its tenant may take."""
        *_, mark, _ = path.name.split(".")
        mine = sum(coming for other, coming in self._coming.items() if f".{mark}." in other.name)
        if self._used(f"*.{mark}.*") + mine + size > self._share_bytes:
            return False
        return self._used() + sum(self._coming.values()) + size <= self._max_bytes

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
        return sorted({path.name.partition(".")[0] for path in self._folder.glob(f"*{_WAITS}")})

    def _forget(self, identifier: str) -> None:
        for path in self._folder.glob(f"{identifier}.*"):
            path.unlink(missing_ok=True)

    def _used(self, pattern: str = "*") -> int:
        used = 0
        for path in self._folder.glob(pattern):
            # One that is stored and dropped just now takes no room.
            with contextlib.suppress(FileNotFoundError):
                if path.suffix in {_WAITS, _DAMAGED}:
                    used += path.stat().st_size
        return used


def _mark(tenant: str) -> str:
    """Return what the names of a tenant's files have in common: short, and safe in a name."""
    return hashlib.sha256(tenant.encode()).hexdigest()[:16]
