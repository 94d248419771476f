"""A NUL in any text of any request is refused by name, before a service or a database sees it."""

import asyncio
import importlib
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import grpc
import pytest

import reelmesh
from services.common.errors import InvalidArgument, ServiceError, Unimplemented
from services.common.identity import ALL_SCOPES, IDENTITY_KEY, INTERNAL, Identity, IdentitySigner
from services.common.server import serve
from services.common.settings import ServiceSettings
from services.common.status import from_rpc_error
from tests.integration.contract_texts import texts_of
from tests.servers import Nats
from tests.stack import Stack
from tests.stack.stack import SIGNING_KEY

NUL, PLAIN = "a\0b", "ab"


def contract() -> Iterator[tuple[Any, Any]]:
    """Every service of the contract: its descriptor, and the module of its generated servicer."""
    for path in sorted(Path(reelmesh.__file__).parent.glob("*/v1/*_service_pb2.py")):
        name = ".".join((*path.parent.parts[-3:], path.stem))
        for service in importlib.import_module(name).DESCRIPTOR.services_by_name.values():
            yield service, importlib.import_module(f"{name}_grpc")


METHODS = [method for service, _ in contract() for method in service.methods]


class Caller:
    """Sends messages over one channel, as one tenant."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        self._channel = channel
        signed = IdentitySigner(SIGNING_KEY).sign(Identity("acme", ALL_SCOPES | {INTERNAL}))
        self._metadata = ((IDENTITY_KEY, signed),)

    async def refusal(self, method: Any, message: Any) -> ServiceError | None:
        """Return what the call is refused with."""
        asked = "stream" if method.client_streaming else "unary"
        told = "stream" if method.server_streaming else "unary"
        path = f"/{method.containing_service.full_name}/{method.name}"
        send = getattr(self._channel, f"{asked}_{told}")(path)
        content = message.SerializeToString()

        async def one() -> AsyncIterator[bytes]:
            yield content

        call = send(one() if method.client_streaming else content, metadata=self._metadata)
        try:
            if method.server_streaming:
                async for _ in call:
                    break
            else:
                await call
        except grpc.aio.AioRpcError as error:
            return from_rpc_error(error)
        return None


async def read_then_unserved(requests: AsyncIterator[Any], context: Any) -> None:
    """Refuse like a generated servicer, but having read what is sent."""
    async for _ in requests:
        continue
    context.set_code(grpc.StatusCode.UNIMPLEMENTED)
    raise NotImplementedError


def field_of(error: ServiceError | None) -> str:
    """The one field that a refusal names."""
    assert isinstance(error, InvalidArgument), error
    assert "NUL" in error.message
    return error.violations[0].field


async def test_every_text_of_every_call_is_looked_at() -> None:
    registrations = []
    for service, made in contract():
        servicer = getattr(made, f"{service.name}Servicer")()  # refuses every call as unserved
        for method in service.methods:
            if method.client_streaming:
                setattr(servicer, method.name, read_then_unserved)
        registrations.append((getattr(made, f"add_{service.name}Servicer_to_server"), servicer))
    settings = ServiceSettings(address="127.0.0.1:0", signing_key=SIGNING_KEY)
    tried = 0
    async with (
        serve(settings, registrations) as listening,
        grpc.aio.insecure_channel(listening.address) as channel,
    ):
        caller = Caller(channel)
        for method in METHODS:
            for path, message in texts_of(method.input_type, NUL):
                assert field_of(await caller.refusal(method, message)) == path
                tried += 1
            for _, message in list(texts_of(method.input_type, PLAIN))[:2]:
                assert isinstance(await caller.refusal(method, message), Unimplemented)
    assert tried > 500, "there are that many texts in the contract"


@pytest.mark.stress
@pytest.mark.timeout(300)
def test_no_service_lets_one_through_to_its_database(database_url: str) -> None:
    nats = Nats()
    stack = Stack(nats, database_url if database_url.startswith("postgres") else "")

    async def try_all() -> None:
        for method in METHODS:
            owner = method.full_name.split(".")[1]
            async with grpc.aio.insecure_channel(stack[owner].address) as channel:
                caller = Caller(channel)
                for path, message in texts_of(method.input_type, NUL):
                    assert field_of(await caller.refusal(method, message)) == path

    try:
        stack.start()
        asyncio.run(try_all())
    finally:
        stack.close()
        nats.close()
