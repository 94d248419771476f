"""Every service in one process and one event loop, on SQLite and a folder, a real NATS beside."""

from __future__ import annotations

from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pydantic import SecretStr

from services.common.nats_server import NatsServer
from services.common.telemetry import get_logger
from services.gateway import __main__ as gateway
from services.gateway.settings import Settings as GatewaySettings
from services.generator import __main__ as generator
from services.generator.settings import Settings as GeneratorSettings
from services.orchestrator import __main__ as orchestrator
from services.orchestrator.settings import Settings as OrchestratorSettings
from services.prompt import __main__ as prompt
from services.prompt.settings import Settings as PromptSettings
from services.storage import __main__ as storage
from services.storage.settings import Settings as StorageSettings
from services.suite import data_dir, ports

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from contextlib import AbstractAsyncContextManager

    from services.suite.settings import SuiteSettings

log = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Addresses:
    """Where each part of a running suite listens, ``host:port``; NATS as its URL."""

    by_service: dict[str, str]

    @property
    def orchestrator(self) -> str:
        """Address of the gRPC interface for applications."""
        return self.by_service["orchestrator"]

    @property
    def storage(self) -> str:
        """Address of the assets."""
        return self.by_service["storage"]

    @property
    def gateway(self) -> str:
        """Address of the HTTP interface."""
        return self.by_service["gateway"]


@asynccontextmanager
async def running(settings: SuiteSettings) -> AsyncIterator[Addresses]:
    """Run the suite while the block runs; then drain, from the front to the back.

    Call it on the main thread: NATS is started as a child that dies with the thread. Raises
    ``FailedPrecondition`` when the folder or a port is taken.
    """
    async with AsyncExitStack() as stack:
        stack.enter_context(data_dir.locked(settings.data_dir))
        chosen = ports.choose(settings.host, settings.port_base)
        nats_url = settings.nats_url
        if not nats_url:
            server = NatsServer(settings.data_dir / "nats")
            nats_url = (await stack.enter_async_context(server)).url
        bound: dict[str, str] = {}
        for name, service in _services(settings, chosen, nats_url).items():
            bound[name] = await stack.enter_async_context(service())
        addresses = {**{name: bound[name] for name in chosen}, "nats": nats_url.split("://")[-1]}
        if settings.ports_file:
            ports.write(settings.ports_file, addresses)
            stack.callback(settings.ports_file.unlink, missing_ok=True)
        log.info("suite_ready", **addresses)
        yield Addresses(addresses)


def _services(
    settings: SuiteSettings, chosen: dict[str, str], nats_url: str
) -> dict[str, Callable[[], AbstractAsyncContextManager[str]]]:
    """Return how to start each service, in the order in which they need each other."""
    shared = _shared(settings, nats_url)
    media = settings.media_base_url or f"http://{chosen['gateway']}"
    return {
        "storage": lambda: storage.running(
            StorageSettings(address=chosen["storage"], media_base_url=media, **shared)
        ),
        "prompt": lambda: prompt.running(PromptSettings(address=chosen["prompt"], **shared)),
        "generator": lambda: generator.running(
            GeneratorSettings(
                address=chosen["generator"],
                storage_address=chosen["storage"],
                vendor_keys_secret=_vendor_keys_secret(settings),
                **shared,
            )
        ),
        "orchestrator": lambda: orchestrator.running(
            OrchestratorSettings(
                address=chosen["orchestrator"],
                generator_address=chosen["generator"],
                storage_address=chosen["storage"],
                prompt_address=chosen["prompt"],
                allow_placeholder=settings.allow_placeholder,
                **shared,
            )
        ),
        "gateway": lambda: gateway.running(
            GatewaySettings(
                address=chosen["gateway"],
                generator_address=chosen["generator"],
                orchestrator_address=chosen["orchestrator"],
                storage_address=chosen["storage"],
                **shared,
            )
        ),
    }


def _vendor_keys_secret(settings: SuiteSettings) -> SecretStr:
    given = settings.vendor_keys_secret.get_secret_value()
    return SecretStr(given or data_dir.vendor_keys_secret(settings.data_dir))


def _shared(settings: SuiteSettings, nats_url: str) -> dict[str, Any]:
    """Return what every service is told alike."""
    secret = settings.signing_key.get_secret_value() or data_dir.signing_key(settings.data_dir)
    return {
        "data_dir": settings.data_dir,
        "nats_url": nats_url,
        "auth": settings.auth,
        "signing_key": SecretStr(secret),
        "log_level": settings.log_level,
        "log_format": settings.log_format,
    }
