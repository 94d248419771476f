"""Objects in a folder: files under their keys, metadata in sidecars, URLs that the gateway serves.

A file becomes visible by one ``link`` from staging: whole or not at all, never without its sidecar,
and never over another one.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from services.common.errors import DataLoss, InvalidArgument
from services.common.media_urls import MediaGrant
from services.storage.adapters.disk import linked, make_folder, sync_file, sync_folder
from services.storage.adapters.folder_sidecars import FolderSidecars
from services.storage.domain.media_types import served_as, shown_inline
from services.storage.domain.ports import CHUNK_BYTES, BlobInfo, KeyTakenError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from datetime import timedelta
    from pathlib import Path

    from services.common.media_urls import MediaUrlSigner
    from services.storage.adapters.disk import Disk
    from services.storage.domain.assets import Asset
    from services.storage.domain.ports import ObjectFacts, StagedFile

_READ_BYTES = 4 * CHUNK_BYTES
_MAX_KEY_BYTES = 900
_HIDDEN = ".reelmesh"


class FolderBlobs:
    """A blob store below one folder of the local disk."""

    def __init__(
        self, root: Path, disk: Disk, *, signer: MediaUrlSigner, new_id: Callable[[], str]
    ) -> None:
        """Keep objects below ``root``, sidecars and copies under way in a hidden folder of it."""
        self._root = root
        self._disk = disk
        self._signer = signer
        self._new_id = new_id
        self._sidecars = FolderSidecars(root / _HIDDEN / "meta")

    async def publish(self, staged: StagedFile, key: str, facts: ObjectFacts) -> None:
        """Link the staged file under ``key``; see the port."""
        await self._disk.move(self._publish, staged.path, key, facts)

    async def clone(self, source: str, key: str, facts: ObjectFacts) -> None:
        """Link ``source`` under a second key: the bytes lie on the disk once."""
        path = self._path(source)
        try:
            await self._disk.move(self._publish, path, key, facts)
        except FileNotFoundError as error:
            msg = f"the object {source!r} is gone"
            raise DataLoss(msg) from error

    async def head(self, key: str) -> BlobInfo | None:
        """Return what is known about the object, ``None`` when there is none."""
        return await self._disk.run(self._head, key)

    async def read(
        self, key: str, *, offset: int = 0, length: int | None = None
    ) -> AsyncIterator[bytes]:
        """Yield the bytes, reading 1 MiB at a time so that a thread call pays."""
        try:
            file = await self._disk.run(self._path(key).open, "rb", 0)
        except FileNotFoundError as error:
            msg = f"the object {key!r} is gone"
            raise DataLoss(msg) from error
        with file:
            left = os.fstat(file.fileno()).st_size - offset if length is None else length
            while left > 0:
                block = await self._disk.run(
                    os.pread, file.fileno(), min(left, _READ_BYTES), offset
                )
                if not block:
                    msg = f"the object {key!r} is shorter than it was"
                    raise DataLoss(msg)
                for start in range(0, len(block), CHUNK_BYTES):
                    yield block[start : start + CHUNK_BYTES]
                offset += len(block)
                left -= len(block)

    async def delete(self, key: str) -> None:
        """Remove file and sidecar, after whoever publishes under the key just now."""
        await self._disk.move(self._delete, key)

    async def sign(
        self, asset: Asset, *, expires: datetime, download_name: str
    ) -> tuple[str, datetime]:
        """Return a URL under ``/media/`` that the gateway serves."""
        content_type = asset.description.content_type
        grant = MediaGrant(
            tenant=asset.tenant,
            asset_id=asset.id,
            file_name=download_name or asset.file_name,
            content_type=served_as(content_type),
            expires=expires,
            attachment=bool(download_name) or not shown_inline(content_type),
        )
        return self._signer.sign(grant), expires

    def url(self, key: str) -> str:
        """Return the ``file://`` address of the object."""
        return self._path(key).absolute().as_uri()

    async def sweep(self, older_than: timedelta) -> int:
        """Remove copies under way that a crash left behind."""
        return await self._disk.run(self._sweep, time.time() - older_than.total_seconds())

    async def check(self) -> None:
        """Raise ``Unavailable`` when the folder cannot be written."""
        await self._disk.run(self._check)

    def _path(self, key: str) -> Path:
        """Return the file of ``key``; refuses whatever could leave the folder or hide in it."""
        segments = key.split("/")
        unsafe = any(s in {"", ".", ".."} or s.startswith(_HIDDEN) for s in segments)
        if unsafe or "\0" in key or "\\" in key or len(key.encode()) > _MAX_KEY_BYTES:
            field = "key"
            raise InvalidArgument(field, "is not a safe object key")
        return self._root.joinpath(*segments)

    def _temporary(self) -> Path:
        folder = self._root / _HIDDEN / "tmp"
        folder.mkdir(parents=True, exist_ok=True)
        return folder / self._new_id()

    def _publish(self, source: Path, key: str, facts: ObjectFacts) -> None:
        target = self._path(key)
        if os.path.lexists(target):
            raise KeyTakenError(key)
        make_folder(target.parent)
        sync_file(source)
        with self._sidecars.held(key) as sidecar:
            if os.path.lexists(target):
                raise KeyTakenError(key)
            try:
                metadata = dict(facts.metadata)
                sidecar.write({"content_type": facts.content_type, "metadata": metadata})
                # Never an object without its facts: by them it is known whose it is.
                self._link(source, target)
            except FileExistsError as error:
                # Somebody else's, who does not know our locks: it stays as it is.
                sidecar.remove()
                raise KeyTakenError(key) from error
            except OSError:
                sidecar.remove()
                raise
            try:
                sync_folder(target.parent)
            except OSError:
                target.unlink(missing_ok=True)
                sidecar.remove()
                raise

    def _link(self, source: Path, target: Path) -> None:
        if not linked(source, target):
            self._copy_then_link(source, target)

    def _copy_then_link(self, source: Path, target: Path) -> None:
        """Publish from another file system: copy next to the target first, then link."""
        copy = self._temporary()
        try:
            shutil.copyfile(source, copy)
            sync_file(copy)
            os.link(copy, target)
        finally:
            copy.unlink(missing_ok=True)

    def _head(self, key: str) -> BlobInfo | None:
        try:
            facts = self._path(key).stat()
        except (FileNotFoundError, NotADirectoryError):
            return None
        stored = self._sidecars.read(key)
        modified = datetime.fromtimestamp(facts.st_mtime, UTC)
        return BlobInfo(key, facts.st_size, stored["content_type"], stored["metadata"], modified)

    def _delete(self, key: str) -> None:
        # Empty folders stay: removing one could race with a file that is just being linked into it.
        target = self._path(key)
        with self._sidecars.held(key) as sidecar:
            if os.path.lexists(target):
                target.unlink()
                sync_folder(target.parent)
            sidecar.remove()

    def _sweep(self, before: float) -> int:
        removed = 0
        for path in (self._root / _HIDDEN / "tmp").glob("*"):
            # One that is published just now has its name no longer.
            with contextlib.suppress(FileNotFoundError):
                if path.stat().st_mtime < before:
                    path.unlink()
                    removed += 1
        return removed

    def _check(self) -> None:
        probe = self._temporary()
        probe.write_bytes(b"ok")
        probe.unlink()
