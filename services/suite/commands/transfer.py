"""Bytes between a file here and storage, in either direction."""

from __future__ import annotations

import asyncio
import hashlib
import mimetypes
import os
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from reelmesh.storage.v1 import asset_pb2
from reelmesh.storage.v1 import storage_service_pb2 as pb
from services.common.containers import HEAD_BYTES, carried_type
from services.common.errors import DataLoss, Unavailable
from services.common.ids import new_id

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from reelmesh.storage.v1.storage_service_pb2_grpc import StorageServiceAsyncStub

_CHUNK = 256 * 1024
_HALF = ".part"
_LONGEST_SUFFIX = 32
_PLAIN = "application/octet-stream"
# Enough to tell text from what is none.
_HEAD_BYTES = 4096


async def taken(storage: StorageServiceAsyncStub, asset: asset_pb2.Asset, target: Path) -> None:
    """Write the asset's bytes to ``target``, whole or not at all, and touch no other file.

    Raises ``DataLoss`` when they are not those that were stored.
    """
    half, digest = target.with_name(f".{new_id()}{_HALF}"), hashlib.sha256()
    try:
        with half.open("xb") as file:
            async for part in storage.DownloadAsset(pb.DownloadAssetRequest(name=asset.name)):
                digest.update(part.chunk)
                file.write(part.chunk)
        if digest.hexdigest() != asset.sha256:
            msg = f"the bytes of {asset.name} are not those that were stored"
            raise DataLoss(msg, metadata={"asset": asset.name})
        half.replace(target)
    finally:
        half.unlink(missing_ok=True)


def media_type(path: Path) -> str:
    """Return the type that a file has: media by their bytes, the rest by the end of its name.

    What is to be text and has zeros in it is none: other kinds of files end in ``.ts`` as well.
    """
    with path.open("rb") as file:
        head = file.read(_HEAD_BYTES)
    guess = mimetypes.guess_type(path.name)[0] or _PLAIN
    carried = carried_type(head[:HEAD_BYTES], (guess,))
    if carried:
        return carried
    return _PLAIN if guess.startswith("text/") and b"\0" in head else guess


async def brought(
    storage: StorageServiceAsyncStub, path: Path, told: asset_pb2.Asset, *, kind: str
) -> asset_pb2.Asset:
    """Return the file as an asset; the same file is brought once, unless it was deleted.

    Raises ``Unavailable`` when its bytes are not stored yet, and what storage raises.
    """
    digest = await asyncio.to_thread(_digest, path)
    wanted = f"{kind}-{digest}-{_told(path.suffix[1:].lower())}"
    header = pb.UploadHeader(asset=told, request_id=wanted, sha256=digest)
    asset = (await storage.UploadAsset(_parts(header, path))).asset
    while asset.state == asset_pb2.Asset.STATE_DELETED:
        header.request_id = f"{kind}-{digest[:40]}-{asset.name.partition('/')[2]}"
        asset = (await storage.UploadAsset(_parts(header, path))).asset
    return present(asset)


def present(asset: asset_pb2.Asset) -> asset_pb2.Asset:
    """Return the asset, whose bytes storage has; raises ``Unavailable`` for any other."""
    if asset.state != asset_pb2.Asset.STATE_STORED:
        msg = f"the bytes of {asset.name} are not stored"
        raise Unavailable(msg)
    return asset


def file_name(asset: asset_pb2.Asset) -> str:
    """Return the last part of the asset's key."""
    return PurePosixPath(asset.key).name


def _told(suffix: str) -> str:
    """Return what stands for the suffix in a request id, which has to be short, and text."""
    if len(suffix) <= _LONGEST_SUFFIX and suffix.isprintable():
        return suffix
    return hashlib.sha256(os.fsencode(suffix)).hexdigest()[:_LONGEST_SUFFIX]


def _parts(header: pb.UploadHeader, path: Path) -> Iterator[pb.UploadAssetRequest]:
    yield pb.UploadAssetRequest(header=header)
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            yield pb.UploadAssetRequest(chunk=chunk)


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
