"""The orchestrator in this process on real sockets; generator, prompt and storage as fakes."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from reelmesh.generator.v1.generator_service_pb2_grpc import add_GeneratorServiceServicer_to_server
from reelmesh.prompt.v1.prompt_service_pb2_grpc import add_PromptServiceServicer_to_server
from services.common.identity import Identity, IdentitySigner
from services.common.server import serve
from services.common.settings import ServiceSettings
from services.orchestrator.__main__ import running
from services.orchestrator.settings import Settings
from tests.fakes.generator_service import FakeGeneratorService, model
from tests.fakes.prompt_service import FakePromptService
from tests.fakes.quick_engine import end_engines_at_once
from tests.stack import SIGNING_KEY, Client, Evidence

end_engines_at_once()
SIGNER = IdentitySigner(SIGNING_KEY)


@dataclass
class House:
    """A running orchestrator, its scripted generator, and what lies in its database."""

    settings: Settings
    generator: FakeGeneratorService
    evidence: Evidence
    address: str = ""

    def client(self, tenant: str = "acme") -> Client:
        """An application of a tenant."""
        return Client(self.address, SIGNER, Identity(tenant))


@asynccontextmanager
async def house_on(
    data_dir: Path, nats_url: str, database_url: str = "", **changes: Any
) -> AsyncIterator[House]:
    """Open everything for the length of the block."""
    shared: dict[str, Any] = {
        "data_dir": data_dir,
        "nats_url": nats_url,
        "signing_key": SIGNING_KEY,
        "database_url": database_url,
        "address": "127.0.0.1:0",
        "drain_grace": 1.0,
        "cache": False,  # equal requests are different jobs, unless a test is about the cache
    } | changes
    generator = FakeGeneratorService(model("first_model"), model("second_model"))
    plain = {k: v for k, v in shared.items() if k in {"address", "signing_key", "data_dir"}}
    async with AsyncExitStack() as stack:
        stack.push_async_callback(generator.close)
        registration = (add_GeneratorServiceServicer_to_server, generator)
        scripted = await stack.enter_async_context(serve(ServiceSettings(**plain), [registration]))
        fake_prompt: Any = FakePromptService  # serves one method of the contract
        words = (add_PromptServiceServicer_to_server, fake_prompt())
        prompt = await stack.enter_async_context(serve(ServiceSettings(**plain), [words]))
        # A storage service of which nothing is known is quicker than one that does not answer.
        shared.setdefault("storage_address", prompt.address)
        settings = Settings(
            **shared,
            generator_address=scripted.address,
            prompt_address=prompt.address,
            executor="test",
        )
        house = House(settings, generator, Evidence(data_dir, database_url))
        house.address = await stack.enter_async_context(running(settings))
        yield house


@pytest.fixture
async def house(tmp_path: Path, nats_url: str) -> AsyncIterator[House]:
    """A fresh orchestrator on SQLite."""
    async with house_on(tmp_path, nats_url) as found:
        yield found


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def shared_house(
    tmp_path_factory: pytest.TempPathFactory, nats_url: str
) -> AsyncIterator[House]:
    """One orchestrator on SQLite for a file whose tests leave nothing behind and start no other.

    They run on its loop: mark them with `pytest.mark.asyncio(loop_scope="module")`.
    """
    async with house_on(tmp_path_factory.mktemp("house"), nats_url) as found:
        yield found


@pytest.fixture
async def acme(house: House) -> AsyncIterator[Client]:
    """An application of the tenant acme."""
    async with house.client() as found:
        yield found
