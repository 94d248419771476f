"""Opens where the bytes lie: a folder, or a bucket."""

from __future__ import annotations

import asyncio
import secrets
from dataclasses import replace
from typing import TYPE_CHECKING

from services.common import clock
from services.common.ids import new_id
from services.common.media_urls import MediaUrlSigner
from services.common.telemetry import get_logger
from services.storage.adapters.folder_blobs import FolderBlobs
from services.storage.adapters.s3_blobs import S3Blobs
from services.storage.adapters.s3_calls import S3Calls
from services.storage.adapters.s3_client import S3Connection
from services.storage.adapters.s3_signer import S3Signer
from services.storage.domain.keys import KeyLayout

if TYPE_CHECKING:
    from contextlib import AsyncExitStack

    from services.storage.adapters.disk import Disk
    from services.storage.domain.ports import BlobStore
    from services.storage.settings import Settings

log = get_logger(__name__)

# Seconds of silence in which a server copies some GiB or puts them together.
_PATIENCE = 120.0


async def open_blobs(settings: Settings, disk: Disk, stack: AsyncExitStack) -> BlobStore:
    """Return the blob store that the settings name; ``stack`` closes it."""
    if not settings.on_s3:
        return FolderBlobs(settings.asset_folder, disk, signer=_signer(settings), new_id=new_id)
    connection = S3Connection(
        endpoint_url=settings.s3_endpoint_url,
        region=settings.s3_region,
        access_key_id=settings.s3_access_key_id,
        secret_access_key=settings.s3_secret_access_key.get_secret_value(),
        session_token=settings.s3_session_token.get_secret_value(),
        addressing_style=settings.s3_addressing_style,
        checksums=settings.s3_checksums,
        ca_bundle=settings.s3_ca_bundle,
    )
    patient = replace(connection, read_seconds=_PATIENCE)
    calls = S3Calls(
        await asyncio.to_thread(connection.client),
        settings.bucket,
        patient=await asyncio.to_thread(patient.client),
    )
    # In a thread: a call that hangs may need this very loop to end.
    stack.push_async_callback(asyncio.to_thread, calls.close)
    return S3Blobs(
        calls,
        now=clock.now,
        prefix=KeyLayout(settings.video_prefix).prefix,
        conditional_writes=settings.s3_conditional_writes,
        storage_class=settings.s3_storage_class,
        signer=await _s3_signer(settings, calls, connection),
    )


async def _s3_signer(settings: Settings, calls: S3Calls, connection: S3Connection) -> S3Signer:
    client = calls.client
    if settings.s3_public_endpoint_url:
        public = replace(connection, endpoint_url=settings.s3_public_endpoint_url)
        client = await asyncio.to_thread(public.client)
    return S3Signer(calls, now=clock.now, client=client, until=settings.s3_credential_expiration)


def _signer(settings: Settings) -> MediaUrlSigner:
    secret = settings.signing_key.get_secret_value()
    if not secret:
        log.warning("media_urls_are_not_served", missing="REELMESH_SIGNING_KEY")
        secret = secrets.token_urlsafe(32)
    return MediaUrlSigner(secret, base_url=settings.media_base_url, now=clock.now)
