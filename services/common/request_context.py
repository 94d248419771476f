"""What travels with a call besides its request: who asks, the request id, the trace it belongs to.

Context variables, so that they follow a call into every coroutine that it awaits and every task
that it starts, and never into a neighbour's.
"""

from __future__ import annotations

from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

REQUEST_ID_KEY = "x-request-id"
TRACEPARENT_KEY = "traceparent"

request_id_var: ContextVar[str] = ContextVar("reelmesh_request_id", default="")
traceparent_var: ContextVar[str] = ContextVar("reelmesh_traceparent", default="")


def current_request_id() -> str:
    """Return the id of the request that is being served, or ``""`` outside of one."""
    return request_id_var.get()


def current_traceparent() -> str:
    """Return the W3C trace context of the request that is being served, or ``""``."""
    return traceparent_var.get()


@contextmanager
def request_scope(request_id: str, traceparent: str = "") -> Iterator[None]:
    """Serve one request under its id; calls made inside of the block carry both values on."""
    id_token = request_id_var.set(request_id)
    trace_token = traceparent_var.set(traceparent)
    try:
        yield
    finally:
        request_id_var.reset(id_token)
        traceparent_var.reset(trace_token)
