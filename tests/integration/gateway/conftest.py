"""A real gateway over HTTP, with real gRPC behind it."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import httpx
import pytest
from pydantic import SecretStr

from reelmesh.orchestrator.v1.film_service_pb2_grpc import add_FilmServiceServicer_to_server
from reelmesh.orchestrator.v1.video_service_pb2_grpc import add_VideoServiceServicer_to_server
from reelmesh.storage.v1.storage_service_pb2_grpc import add_StorageServiceServicer_to_server
from services.common import clock
from services.common.media_urls import MediaUrlSigner
from services.common.readiness import Readiness
from services.common.server import serve
from services.common.settings import ServiceSettings
from services.gateway.__main__ import running
from services.gateway.settings import Settings
from tests.fakes.film_service import FakeFilmService
from tests.fakes.storage_service import FakeStorageService
from tests.fakes.video_service import FakeVideoService

T = TypeVar("T")
SECRET = "a signing key for the tests alone"


@dataclass
class Gateway:
    """What a test needs: the client, the fakes behind, and the signer of URLs."""

    http: httpx.AsyncClient
    videos: FakeVideoService
    films: FakeFilmService
    storage: FakeStorageService
    urls: MediaUrlSigner
    readiness: Readiness
    address: str


def service_settings(tmp_path: Path) -> ServiceSettings:
    return ServiceSettings(
        address="127.0.0.1:0", data_dir=tmp_path, signing_key=SecretStr(SECRET), drain_grace=1.0
    )


@pytest.fixture
async def gateway(tmp_path: Path) -> AsyncIterator[Gateway]:
    videos, storage, readiness = FakeVideoService(), FakeStorageService(), Readiness()
    films = FakeFilmService()
    base = service_settings(tmp_path)
    async with (
        serve(
            base,
            [
                (add_VideoServiceServicer_to_server, videos),
                (add_FilmServiceServicer_to_server, films),
            ],
            readiness=readiness,
        ) as orchestrator,
        serve(base, [(add_StorageServiceServicer_to_server, storage)]) as store,
        running(
            Settings(
                address="127.0.0.1:0",
                data_dir=tmp_path,
                signing_key=SecretStr(SECRET),
                orchestrator_address=orchestrator.address,
                storage_address=store.address,
                heartbeat=0.05,
                body_timeout=0.5,
                max_body_bytes=4096,
                drain_grace=1.0,
            )
        ) as address,
        httpx.AsyncClient(base_url=f"http://{address}") as client,
    ):
        urls = MediaUrlSigner(SECRET, now=clock.now)
        yield Gateway(client, videos, films, storage, urls, readiness, address)


async def eventually(
    ask: Callable[[], Awaitable[T]], found: Callable[[T], bool], *, seconds: float = 30
) -> T:
    """Ask until the answer is the one, for things that others do in their own time."""
    async with asyncio.timeout(seconds):
        while True:
            answer = await ask()
            if found(answer):
                return answer
            await asyncio.sleep(0.01)
