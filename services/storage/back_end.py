"""Opens where the bytes lie: a folder, or a bucket."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING

from services.common import clock
from services.common.ids import new_id
from services.common.media_urls import MediaUrlSigner
from services.common.telemetry import get_logger
from services.storage.adapters.folder_blobs import FolderBlobs

if TYPE_CHECKING:
    from contextlib import AsyncExitStack

    from services.storage.adapters.disk import Disk
    from services.storage.domain.ports import BlobStore
    from services.storage.settings import Settings

log = get_logger(__name__)


async def open_blobs(settings: Settings, disk: Disk, stack: AsyncExitStack) -> BlobStore:
    """Return the blob store that the settings name; ``stack`` closes it."""
    if not settings.on_s3:
        return FolderBlobs(settings.asset_folder, disk, signer=_signer(settings), new_id=new_id)
    from services.storage.bucket import open_bucket  # noqa: PLC0415 - botocore takes 7 MiB

    return await open_bucket(settings, stack)


def _signer(settings: Settings) -> MediaUrlSigner:
    secret = settings.signing_key.get_secret_value()
    if not secret:
        log.warning("media_urls_are_not_served", missing="REELMESH_SIGNING_KEY")
        secret = secrets.token_urlsafe(32)
    return MediaUrlSigner(secret, base_url=settings.media_base_url, now=clock.now)
