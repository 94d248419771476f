"""How services, the command line and the gateway call each other.

``Channel`` is a ``grpc.aio.Channel`` for generated stubs on which every unary call has a deadline,
carries the caller's identity, request id and trace, and fails with our errors instead of
``AioRpcError``::

    async with Channel(settings.storage_address, settings.signer()) as channel:
        stub = StorageServiceStub(channel)
"""

from __future__ import annotations

import ipaddress
import json
from typing import TYPE_CHECKING, Any, Self

import grpc
from typing_extensions import override

from services.common.calls import Outgoing, StreamCall, UnaryCall
from services.common.errors import InvalidArgument
from services.common.identity import IDENTITY_KEY, identity_or_none
from services.common.request_context import (
    REQUEST_ID_KEY,
    TRACEPARENT_KEY,
    current_request_id,
    current_traceparent,
)
from services.common.scopes import verb_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from services.common.identity import Identity, IdentitySigner

_SAFE = frozenset({"Get", "List", "Find", "Search", "Plan"})
_RETRY = {
    "maxAttempts": 5,
    "initialBackoff": "0.1s",
    "maxBackoff": "1s",
    "backoffMultiplier": 2,
    "retryableStatusCodes": ["UNAVAILABLE"],
}


class Channel(grpc.aio.Channel):
    """A connection to one service; make one per service and keep it.

    The connection is opened by the first call, when the stubs have said which methods there are:
    those whose names only read are retried on UNAVAILABLE (0.1 to 1 s apart, five times at most).

    Args:
        address: ``host:port``, ``dns:///name:port``, or several ``ip:port`` separated by commas;
            calls go round robin over all that are found.
        signer: signs the identity of ``current_identity()``; without it none is sent.
        identity: sent where nobody is being served (workers, command line).
        api_key: sent as ``authorization``, by callers from outside.
        deadline: seconds for a unary call that names no timeout. Streams have none.
        retry: full names ("/package.Service/Method") of unary methods that are idempotent by
            ``request_id`` and may therefore be retried too.
    """

    def __init__(
        self,
        address: str,
        signer: IdentitySigner | None = None,
        *,
        identity: Identity | None = None,
        api_key: str = "",
        deadline: float = 30.0,
        retry: Iterable[str] = (),
    ) -> None:
        self._target = target_of(address)
        self._signer = signer
        self._identity = identity
        self._api_key = api_key
        self._deadline = deadline
        self._retry = set(retry)
        self._opened: grpc.aio.Channel | None = None

    @property
    def inner(self) -> grpc.aio.Channel:
        """The plain channel underneath."""
        if self._opened is None:
            options = channel_options(sorted(self._retry))
            self._opened = grpc.aio.insecure_channel(self._target, options=options)
        return self._opened

    def metadata(self, given: Any) -> tuple[tuple[str, Any], ...]:
        """Return the metadata of one call: ``given``, and what every call carries."""
        found = dict(self._carried())
        found.update(given or ())
        return tuple(found.items())

    def _carried(self) -> Iterable[tuple[str, str]]:
        identity = identity_or_none() or self._identity
        if self._signer is not None and identity is not None:
            yield IDENTITY_KEY, self._signer.sign(identity)
        if self._api_key:
            yield "authorization", f"Bearer {self._api_key}"
        if request_id := current_request_id():
            yield REQUEST_ID_KEY, request_id
        if traceparent := current_traceparent():
            yield TRACEPARENT_KEY, traceparent

    @override
    def unary_unary(self, method: str, *args: Any, **kwargs: Any) -> Any:
        if self._opened is None and verb_of(method) in _SAFE:
            self._retry.add(method)
        return _Method(self, "unary_unary", (method, *args), kwargs, deadline=self._deadline)

    @override
    def unary_stream(self, method: str, *args: Any, **kwargs: Any) -> Any:
        return _Method(self, "unary_stream", (method, *args), kwargs)

    @override
    def stream_unary(self, method: str, *args: Any, **kwargs: Any) -> Any:
        return _Method(self, "stream_unary", (method, *args), kwargs)

    @override
    def stream_stream(self, method: str, *args: Any, **kwargs: Any) -> Any:
        return _Method(self, "stream_stream", (method, *args), kwargs)

    @override
    async def __aenter__(self) -> Self:
        return self

    @override
    async def __aexit__(self, *_: object) -> None:
        await self.close()

    @override
    async def close(self, grace: float | None = None) -> None:
        """Close the connection; calls in flight are cancelled after ``grace`` seconds."""
        if self._opened is not None:
            await self._opened.close(grace)

    @override
    def get_state(self, try_to_connect: bool = False) -> grpc.ChannelConnectivity:
        return self.inner.get_state(try_to_connect)

    @override
    async def wait_for_state_change(self, last_observed_state: grpc.ChannelConnectivity) -> None:
        await self.inner.wait_for_state_change(last_observed_state)

    @override
    async def channel_ready(self) -> None:
        await self.inner.channel_ready()


class _Method:
    """One method of a stub; calling it starts a call."""

    def __init__(
        self,
        channel: Channel,
        kind: str,
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        *,
        deadline: float | None = None,
    ) -> None:
        self._channel = channel
        self._kind = kind
        self._args = args
        self._kwargs = kwargs
        self._deadline = deadline
        self._answers = StreamCall if kind.endswith("_stream") else UnaryCall
        self._callable: Any = None

    def __call__(
        self, request: Any = None, timeout: float | None = None, metadata: Any = None, **kwargs: Any
    ) -> Any:
        if self._callable is None:
            self._callable = getattr(self._channel.inner, self._kind)(*self._args, **self._kwargs)
        sent = None
        if request is not None and self._kind.startswith("stream_"):
            request = sent = Outgoing(request)
        call = self._callable(
            request,
            timeout=self._deadline if timeout is None else timeout,
            metadata=self._channel.metadata(metadata),
            **kwargs,
        )
        return self._answers(call, sent)


def target_of(address: str) -> str:
    """Return the gRPC target of ``address``; several are accepted as IP addresses only."""
    if "," not in address:
        return address
    found = [part.strip() for part in address.split(",") if part.strip()]
    versions = {_version(part) for part in found}
    if versions not in ({4}, {6}):
        msg = "address"
        raise InvalidArgument(
            msg,
            "several addresses must be IP addresses of one kind; use dns:///name:port for a name",
        )
    return f"ipv{versions.pop()}:{','.join(found)}"


def _version(address: str) -> int:
    try:
        return ipaddress.ip_address(address.rpartition(":")[0].strip("[]")).version
    except ValueError:
        return 0


def channel_options(retried: Iterable[str] = ()) -> list[tuple[str, Any]]:
    """Return the channel arguments; ``retried`` are full names of methods to retry."""
    names = [method.strip("/").partition("/") for method in retried]
    config: dict[str, Any] = {"loadBalancingConfig": [{"round_robin": {}}]}
    if names:
        config["methodConfig"] = [
            {
                "name": [{"service": service, "method": method} for service, _, method in names],
                "retryPolicy": _RETRY,
            }
        ]
    return [
        ("grpc.service_config", json.dumps(config)),
        ("grpc.max_receive_message_length", -1),
        ("grpc.max_send_message_length", -1),
        ("grpc.keepalive_time_ms", 30_000),
        ("grpc.keepalive_timeout_ms", 10_000),
        # A part that was restarted is found again within a second, not after the default of two
        # minutes.
        ("grpc.initial_reconnect_backoff_ms", 100),
        ("grpc.min_reconnect_backoff_ms", 100),
        ("grpc.max_reconnect_backoff_ms", 1_000),
    ]
