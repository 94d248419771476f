"""The engines of this process, each provider of ours with a queue of its own."""

from contextlib import AsyncExitStack

from services.generator.domain.storage_port import AssetStorage
from services.generator.engines.looked_at import Sees
from services.generator.engines.media_room import MODULE, MediaRoom
from services.generator.engines.placeholder import Placeholder
from services.generator.engines.spoken_captions import Hears
from services.generator.engines.storyboard import StoryboardEngine
from services.generator.engines.workers import Workers
from services.generator.settings import Settings
from services.generator.worker.local import LocalBackend
from services.generator.worker.scratch import kept_clean

LOCAL = ("reelmesh", "media", "espeak", "synth")
"""Providers that are engines of this process: pictures, films, speech, music and effects."""


async def local_backends(
    settings: Settings,
    storage: AssetStorage,
    stack: AsyncExitStack,
    hearing: Hears | None = None,
    seeing: Sees | None = None,
) -> dict[str, LocalBackend]:
    """Return the engines by provider; their processes end with `stack`."""
    await kept_clean(settings.scratch, stack)
    storyboard = StoryboardEngine(
        settings.data_dir / "placeholders",
        workers=settings.cores,
        cache_bytes=settings.placeholder_cache_bytes,
    )
    await stack.enter_async_context(storyboard)
    workers = Workers(MODULE, settings.cores)
    stack.push_async_callback(workers.close)
    placeholder = Placeholder(storyboard, storage, watermark=settings.placeholder_watermark)
    room = MediaRoom(workers, storage, hearing, seeing)
    return {
        name: LocalBackend(
            placeholder if name == "reelmesh" else room, settings.scratch, limit=settings.cores
        )
        for name in LOCAL
    }
