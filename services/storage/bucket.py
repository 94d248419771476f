"""Opens a bucket in S3, or in anything that speaks it."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING

from services.common import clock
from services.storage.adapters.s3_blobs import S3Blobs
from services.storage.adapters.s3_calls import S3Calls
from services.storage.adapters.s3_client import S3Connection
from services.storage.adapters.s3_signer import S3Signer
from services.storage.domain.keys import KeyLayout

if TYPE_CHECKING:
    from contextlib import AsyncExitStack

    from services.storage.settings import Settings

# Seconds of silence in which a server copies some GiB or puts them together.
_PATIENCE = 120.0


async def open_bucket(settings: Settings, stack: AsyncExitStack) -> S3Blobs:
    """Return the blob store in the bucket that the settings name; ``stack`` closes it."""
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
        signer=await _signer(settings, calls, connection),
    )


async def _signer(settings: Settings, calls: S3Calls, connection: S3Connection) -> S3Signer:
    client = calls.client
    if settings.s3_public_endpoint_url:
        public = replace(connection, endpoint_url=settings.s3_public_endpoint_url)
        client = await asyncio.to_thread(public.client)
    return S3Signer(calls, now=clock.now, client=client, until=settings.s3_credential_expiration)
