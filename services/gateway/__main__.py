"""Starts the gateway: ``python -m services.gateway``."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from services.common import clock
from services.common.access import open_keys
from services.common.authenticator import Authenticator
from services.common.channels import Channel
from services.common.http_server import probe_routes, serve_http
from services.common.media_urls import MediaUrlSigner
from services.common.readiness import Readiness
from services.common.server import keep_what_is_loaded, wait_for_signal
from services.common.settings import from_environment
from services.common.telemetry import Metrics, configure_logging
from services.gateway import spinners
from services.gateway.adapters.generator_client import GeneratorClient
from services.gateway.adapters.health_client import HealthClient
from services.gateway.adapters.storage_client import StorageClient
from services.gateway.adapters.video_client import VideoClient
from services.gateway.app.factory import LOOPBACK_NAMES, create_app
from services.gateway.events import Events
from services.gateway.media import Media
from services.gateway.rest import Rest
from services.gateway.settings import Settings
from services.gateway.webhooks_in import WebhooksIn

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from starlette.types import ASGIApp

    from services.common.authenticator import Keys

_MEDIA_CALLS = 30.0


@dataclass(frozen=True, slots=True)
class Clients:
    """The services behind the gateway."""

    videos: VideoClient
    storage: StorageClient
    generator: GeneratorClient


@asynccontextmanager
async def running(settings: Settings) -> AsyncIterator[str]:
    """Serve HTTP while the block runs and yield ``host:port``; then end event streams and drain."""
    async with AsyncExitStack() as stack:
        signer = settings.signer()
        videos = await stack.enter_async_context(Channel(settings.orchestrator_address, signer))
        storage = await stack.enter_async_context(
            Channel(settings.storage_address, signer, deadline=_MEDIA_CALLS)
        )
        generator = await stack.enter_async_context(Channel(settings.generator_address, signer))
        keys = await stack.enter_async_context(open_keys(settings))
        readiness = Readiness()
        readiness.add("orchestrator", HealthClient(videos).ready)
        clients = Clients(
            VideoClient(videos, generator, storage),
            StorageClient(storage),
            GeneratorClient(generator),
        )
        app = _app(settings, readiness, keys, clients)
        address = await stack.enter_async_context(
            serve_http(app, settings.address, grace=settings.drain_grace, server_header=False)
        )
        try:
            yield address
        finally:
            readiness.draining.set()


def _app(
    settings: Settings,
    readiness: Readiness,
    keys: Keys | None,
    clients: Clients,
) -> ASGIApp:
    metrics = Metrics(settings.service)
    secret = settings.signing_key.get_secret_value()
    media_urls = MediaUrlSigner(secret, now=clock.now) if secret else None
    named = frozenset(filter(None, map(str.strip, settings.allowed_hosts.lower().split(","))))
    media = Media(clients.storage, media_urls, now=clock.now).routes() if media_urls else []
    # Without a key to sign with the generator could not tell that it is the gateway who calls.
    hooks = WebhooksIn(clients.generator).routes() if secret else []
    return create_app(
        guarded=[
            Events(clients.videos, heartbeat=settings.heartbeat, draining=readiness.draining),
            Rest(
                clients.videos,
                max_body_bytes=settings.max_body_bytes,
                body_timeout=settings.body_timeout,
            ),
        ],
        unguarded=[
            *probe_routes(readiness, metrics.registry),
            *spinners.routes(),
            *media,
            *hooks,
        ],
        authenticator=Authenticator(required=settings.auth, keys=keys, signer=settings.signer()),
        hosts=named or (frozenset() if settings.auth else LOOPBACK_NAMES),
        metrics=metrics,
    )


async def _main() -> None:
    settings = from_environment(Settings)
    configure_logging(settings)
    async with running(settings):
        keep_what_is_loaded()
        await wait_for_signal()


def main() -> None:
    """Serve until SIGTERM or SIGINT."""
    asyncio.run(_main())


if __name__ == "__main__":
    main()
