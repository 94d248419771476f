"""Connections to vendors: which are shared, and how long an answer is waited for."""

from collections.abc import Iterator
from contextlib import contextmanager

import h11
import httpx
from typing_extensions import override

from services.common.cookies import no_cookies
from services.common.errors import ProviderRefused
from services.common.packing import opened, packed

TIMEOUT = httpx.Timeout(30.0, connect=10.0)
MOST_OPENED = 64 * 1024 * 1024
"""Bytes that an answer may have which came packed."""
PAID = "reelmesh_paid"
"""Marks a paid call among the extensions of a request."""


class _Lanes(httpx.AsyncBaseTransport):
    """Connections for questions, and others for paid calls, which may take minutes to be answered.

    httpcore walks all connections of a pool for each idle one of them, with every request: what is
    asked fifty times a second must not share a pool with what once came in a rush.
    """

    def __init__(self) -> None:
        context = httpx.create_ssl_context(trust_env=False)
        self._questions, self._paid = (
            httpx.AsyncHTTPTransport(
                verify=context,
                trust_env=False,
                limits=httpx.Limits(
                    max_connections=256, max_keepalive_connections=16, keepalive_expiry=20
                ),
            )
            for _ in range(2)
        )

    @override
    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        lane = self._paid if PAID in request.extensions else self._questions
        response = await lane.handle_async_request(request)
        return await opened(response, MOST_OPENED) if packed(response.headers) else response

    @override
    async def aclose(self) -> None:
        await self._questions.aclose()
        await self._paid.aclose()


def vendor_http() -> httpx.AsyncClient:
    """Return an HTTP client fit for vendors: no proxy or netrc of the machine, no redirects.

    Nor cookies: tenants with keys of their own share it. What comes packed is opened within bounds.
    """
    return httpx.AsyncClient(
        timeout=TIMEOUT,
        transport=_Lanes(),
        headers={"accept-encoding": "gzip"},
        cookies=no_cookies(),
        trust_env=False,
    )


def check_head(request: httpx.Request) -> None:
    """Raise h11.LocalProtocolError for headers that HTTP/1.1 cannot carry.

    Before anything is sent: the same error may come later, when half of a call has left.
    """
    h11.Request(method=request.method, target=request.url.raw_path, headers=request.headers.raw)


@contextmanager
def written() -> Iterator[None]:
    """Raise ProviderRefused where a call cannot be written: it has never left."""
    try:
        yield
    except (ValueError, h11.LocalProtocolError) as error:
        kind = type(error).__name__
        message = f"the call cannot be written, look at the characters of the key: {kind}"
        raise ProviderRefused(message, metadata={"delivered": "no"}) from error
