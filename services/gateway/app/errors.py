"""Errors as answers: ``google.rpc.Status`` in JSON, whatever went wrong."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse

from services.common.errors import Internal, ServiceError
from services.common.request_context import current_request_id
from services.gateway import convert

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from starlette.requests import Request
    from starlette.responses import Response

    Handler = Callable[[Request, Exception], Awaitable[Response]]


async def _service_error(_request: Request, error: Exception) -> Response:
    status, body, headers = convert.http_error(cast("ServiceError", error))
    return JSONResponse(body, status, headers)


async def _http_exception(_request: Request, error: Exception) -> Response:
    found = cast("HTTPException", error)
    body = convert.plain_error(found.status_code, found.detail)
    return JSONResponse(body, found.status_code, found.headers)


async def _defect(_request: Request, _error: Exception) -> Response:
    found = current_request_id()
    error = Internal(f"internal error, request id {found}", metadata={"request_id": found})
    status, body, headers = convert.http_error(error)
    return JSONResponse(body, status, headers)


def handlers() -> Mapping[type[Exception], Handler]:
    """Return the handler of each kind of exception; the last one tells nothing but a request id."""
    return {
        ServiceError: _service_error,
        HTTPException: _http_exception,
        Exception: _defect,
    }
