"""Brings what a task refers to here: an asset, an address, or bytes that came along."""

import asyncio
from pathlib import Path

from services.generator.domain.media import Media
from services.generator.domain.orders import asset_of
from services.generator.domain.ports import Work
from services.generator.domain.storage_port import AssetStorage


async def bring(storage: AssetStorage, work: Work, name: str, media: Media, path: Path) -> None:
    """Write a file that the tenant may read to `path`; `name` tells it from others of the work.

    Raises what storage raises: NotFound, InvalidArgument for an address that is refused.
    """
    if media.data:
        await asyncio.to_thread(path.write_bytes, media.data)
        return
    asset = asset_of(media) or await storage.take_in(work.tenant, media.url, f"{work.id}-{name}")
    await storage.download(work.tenant, asset, path)
