"""Server reflection, loaded when somebody asks for it: people with tools do, services never."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import grpc
from typing_extensions import override

if TYPE_CHECKING:
    from collections.abc import Sequence

SERVICE = "grpc.reflection.v1alpha.ServerReflection"


class Reflection(grpc.GenericRpcHandler):
    """Tells of the services with these names, and of itself."""

    def __init__(self, names: Sequence[str]) -> None:
        self._names = (*names, SERVICE)
        self._handler: Any = None

    @override
    def service(self, handler_call_details: Any) -> Any:
        """Return the handler of the one method that there is, ``None`` for any other."""
        if handler_call_details.method != f"/{SERVICE}/ServerReflectionInfo":
            return None
        if self._handler is None:
            self._handler = self._loaded()
        return self._handler

    def _loaded(self) -> Any:
        from grpc_reflection.v1alpha import reflection, reflection_pb2  # noqa: PLC0415 - few ask

        return grpc.stream_stream_rpc_method_handler(
            reflection.aio.ReflectionServicer(self._names).ServerReflectionInfo,
            request_deserializer=reflection_pb2.ServerReflectionRequest.FromString,
            response_serializer=reflection_pb2.ServerReflectionResponse.SerializeToString,
        )
