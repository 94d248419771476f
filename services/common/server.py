"""How every service listens: grpc.aio with health, reflection, limits, and an orderly end.

::

    readiness = Readiness()
    readiness.add("database", database.ping)
    servicer = Servicer(..., draining=readiness.draining)
    async with serve(
        settings, [(add_XServiceServicer_to_server, servicer)], readiness=readiness
    ) as listening:
        yield listening.address
"""

from __future__ import annotations

import asyncio
import gc
import os
import signal
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

from services.common.allocator import share_heaps
from services.common.authenticator import Authenticator
from services.common.errors import FailedPrecondition
from services.common.health import Health
from services.common.interceptors import CallInterceptor
from services.common.readiness import Readiness
from services.common.reflection import Reflection
from services.common.telemetry import Metrics, get_logger

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Mapping, Sequence

    from services.common.authenticator import Keys
    from services.common.settings import ServiceSettings

    Registration = tuple[Callable[[Any, Any], None], Any]

MAX_STREAMS = 10_000

log = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Listening:
    """A server that is up; ``address`` is ``host:port`` with the port that was really bound."""

    address: str
    readiness: Readiness
    metrics: Metrics


@asynccontextmanager
async def serve(
    settings: ServiceSettings,
    registrations: Sequence[Registration],
    *,
    readiness: Readiness | None = None,
    keys: Keys | None = None,
    metrics: Metrics | None = None,
    scopes: Mapping[str, str] | None = None,
) -> AsyncIterator[Listening]:
    """Serve while the block runs, then drain.

    Draining: health says NOT_SERVING and ``readiness.draining`` is set at once; after
    ``drain_delay`` no new call is accepted; calls in flight may finish for ``drain_grace`` seconds
    and are cancelled then.

    Args:
        settings: address, authentication, limits and times.
        registrations: pairs of a generated ``add_…Servicer_to_server`` and its servicer.
        readiness: the checks that health follows; none means ready at once.
        keys: checks API keys where authentication is on, a ``KeyStore``.
        metrics: where calls are counted.
        scopes: scope by full method name, where the verb does not tell it.

    Raises:
        FailedPrecondition: the address cannot be bound.
    """
    readiness = readiness or Readiness()
    metrics = metrics or Metrics(settings.service)
    authenticator = Authenticator(required=settings.auth, keys=keys, signer=settings.signer())
    interceptor = CallInterceptor(
        authenticator,
        metrics=metrics,
        default_deadline=settings.default_deadline,
        scopes=scopes,
    )
    server = grpc.aio.server(
        interceptors=[interceptor], options=server_options(settings.max_message_bytes)
    )
    names = _register(server, registrations)
    health = Health(readiness, names)
    health_pb2_grpc.add_HealthServicer_to_server(health, server)
    told = (*names, health_pb2.DESCRIPTOR.services_by_name["Health"].full_name)
    server.add_generic_rpc_handlers((Reflection(told),))
    address = _bind(server, settings.address)
    await server.start()
    log.info("listening", service=settings.service, address=address)
    try:
        async with health.following(), _probes(settings, readiness, metrics):
            yield Listening(address, readiness, metrics)
    finally:
        await _drain(server, health, readiness, settings)


@asynccontextmanager
async def _probes(
    settings: ServiceSettings, readiness: Readiness, metrics: Metrics
) -> AsyncIterator[None]:
    """Serve the probes over HTTP while the block runs, where they have an address."""
    if not settings.metrics_address:
        yield
        return
    from services.common.http_server import serve_probes  # noqa: PLC0415 - brings a web server along

    async with serve_probes(settings.metrics_address, readiness, metrics):
        yield


async def _drain(
    server: grpc.aio.Server, health: Health, readiness: Readiness, settings: ServiceSettings
) -> None:
    readiness.draining.set()
    await health.refresh()
    if settings.drain_delay:
        await asyncio.sleep(settings.drain_delay)
    await server.stop(settings.drain_grace)
    log.info("stopped", service=settings.service)


def give_way(settings: ServiceSettings) -> None:
    """Leave room for others on this machine; for ``main`` alone, once, before there are threads.

    The priority is lowered as far as ``settings`` say, and threads share heaps.
    """
    if settings.niceness:
        os.nice(settings.niceness)
    share_heaps()


def keep_what_is_loaded() -> None:
    """Spare the garbage collector what this process has loaded; for a service that is up.

    A full collection walks every module, class and descriptor: 40 ms and more in which no call is
    answered (142,000 objects in the orchestrator). What is frozen is never walked again.
    """
    gc.collect()
    gc.freeze()


def server_options(max_message_bytes: int) -> list[tuple[str, int]]:
    """Return the channel arguments of a server; messages are received up to the given size."""
    return [
        ("grpc.max_receive_message_length", max_message_bytes),
        ("grpc.max_send_message_length", -1),
        ("grpc.max_concurrent_streams", MAX_STREAMS),
        ("grpc.max_metadata_size", 16 * 1024),
        # One owner per port: with reuse, a second copy would take half of the calls in silence.
        ("grpc.so_reuseport", 0),
        ("grpc.keepalive_time_ms", 30_000),
        ("grpc.keepalive_timeout_ms", 10_000),
        ("grpc.keepalive_permit_without_calls", 1),
        ("grpc.http2.min_ping_interval_without_data_ms", 5_000),
    ]


class _Names:
    """Stands in for a server to learn which services a registration adds."""

    def __init__(self) -> None:
        self.names: list[str] = []

    def add_generic_rpc_handlers(self, handlers: Sequence[Any]) -> None:
        self.names += [handler.service_name() for handler in handlers]

    def add_registered_method_handlers(self, _service: str, _handlers: object) -> None:
        """Say nothing new: the generic handlers have told the name."""


def _register(server: grpc.aio.Server, registrations: Sequence[Registration]) -> tuple[str, ...]:
    found = _Names()
    for add, servicer in registrations:
        add(servicer, found)
        add(servicer, server)
    return tuple(found.names)


def _bind(server: grpc.aio.Server, address: str) -> str:
    try:
        port = server.add_insecure_port(address)
    except RuntimeError as error:
        msg = f"cannot listen on {address}: is it in use?"
        raise FailedPrecondition(msg) from error
    return address if address.startswith("unix:") else f"{address.rpartition(':')[0]}:{port}"


async def wait_for_signal() -> signal.Signals:
    """Wait for SIGTERM or SIGINT and return which one came; for ``main()`` of a service."""
    loop = asyncio.get_running_loop()
    came: asyncio.Future[signal.Signals] = loop.create_future()

    def note(number: signal.Signals) -> None:
        if not came.done():
            came.set_result(number)

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, note, number)
    try:
        return await came
    finally:
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.remove_signal_handler(number)
