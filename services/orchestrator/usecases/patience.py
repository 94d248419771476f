"""Waiting for parts that are away, bounded by time. Every call here is safe to repeat."""

from collections.abc import Awaitable, Callable
from typing import TypeVar

from tenacity import AsyncRetrying, retry_if_exception, stop_after_delay, wait_random_exponential

from services.common.errors import ServiceError
from services.orchestrator.domain.values import Failure

T = TypeVar("T")


def passing(error: BaseException) -> bool:
    """Whether the trouble lies with one of our own parts and will pass.

    An error that names a provider is that provider's: the next model beats waiting.
    """
    return isinstance(error, ServiceError) and error.retryable and "provider" not in error.metadata


async def patiently(call: Callable[[], Awaitable[T]], *, seconds: float) -> T:
    """The answer of `call`, asked again with growing pauses while the trouble passes.

    Raises the last ServiceError after `seconds`, and any other at once.
    """
    async for attempt in AsyncRetrying(
        retry=retry_if_exception(passing),
        wait=wait_random_exponential(multiplier=0.1, max=2.0),
        stop=stop_after_delay(max(seconds, 0.0)),
        reraise=True,
    ):
        with attempt:
            return await call()
    raise AssertionError  # unreachable: the last attempt returns or raises


def ours(fault: Failure) -> bool:
    """Whether an attempt failed by a trouble of our own that will pass; see `passing`."""
    return fault.retryable and "provider" not in fault.metadata


def failure(error: ServiceError) -> Failure:
    """The error as a fact that a job can keep."""
    return Failure(
        reason=error.reason,
        message=error.message,
        retryable=error.retryable,
        metadata=error.metadata,
        retry_after_seconds=error.retry_after,
    )
