"""Waiting for parts that are away, bounded by time. Every call here is safe to repeat."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Literal, TypeAlias, TypeVar

from tenacity import AsyncRetrying, retry_if_exception, stop_after_delay, wait_random_exponential

from services.common.errors import (
    FailedPrecondition,
    InvalidArgument,
    NotFound,
    PermissionDenied,
    ResourceExhausted,
    ServiceError,
    Unauthenticated,
    Unimplemented,
)
from services.orchestrator.domain.job import Job, JobState
from services.orchestrator.domain.values import Attempt, Failure

T = TypeVar("T")
Rest: TypeAlias = Callable[[int], Awaitable[None]]
"""Wait before the same is tried again, given how often it was tried in vain, from 1."""

# What a step tells the flow: leave the variation alone, try the next model, or the same once more.
Verdict = Literal["done", "next", "again"]

# What is answered before an order is put down. Anything else (INTERNAL, CANCELLED, an id that was
# used before) may come from a stream or a proxy that broke after it was.
_REFUSALS = (
    FailedPrecondition,
    InvalidArgument,
    NotFound,
    PermissionDenied,
    ResourceExhausted,
    Unauthenticated,
    Unimplemented,
)

# Eight tries outlast a part of ours that is away for half a minute: it starts again in less.
_FIRST_REST_SECONDS, _LONGEST_REST_SECONDS = 0.1, 20.0


def passing(error: BaseException) -> bool:
    """Whether the trouble lies with one of our own parts and will pass.

    An error that names a provider is that provider's: the next model beats waiting.
    """
    return isinstance(error, ServiceError) and error.retryable and "provider" not in error.metadata


def never_taken(error: ServiceError) -> bool:
    """Whether the answer to an order proves that nothing was ordered, and nothing will be."""
    return "provider" in error.metadata or (isinstance(error, _REFUSALS) and not error.retryable)


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


async def rest(tries: int) -> None:
    """See `Rest`: 0.1 s, then each time two and a half times as long, 20 s at most."""
    await asyncio.sleep(min(_FIRST_REST_SECONDS * 2.5 ** (tries - 1), _LONGEST_REST_SECONDS))


def ours(fault: Failure) -> bool:
    """Whether an attempt failed by a trouble of our own that will pass; see `passing`."""
    return fault.retryable and not _theirs(fault)


def _theirs(fault: Failure) -> bool:
    return "provider" in fault.metadata


def may_repeat(fault: Failure, cost_micros: int | None) -> bool:
    """Whether what failed may be asked for again under another id, which may be paid for again.

    Only where the trouble was ours and the try is known to have cost nothing: a cost of None is
    not known. Everything that repeats by itself asks here.
    """
    return ours(fault) and cost_micros == 0


def may_be_paid(attempt: Attempt | None) -> bool:
    """Whether a trouble of ours has ended what may have been paid for: nobody is paid again.

    It need not pass: what we have lost, or storage would not take, is lost with every model.
    """
    fault = attempt.error if attempt else None
    return bool(attempt and fault and not _theirs(fault) and attempt.known_cost != 0)


def verdict_on(job: Job, attempt: Attempt | None) -> Verdict:
    """What an attempt that was followed to its end, and made nothing, leads to."""
    if attempt is None or job.state is not JobState.RUNNING or may_be_paid(attempt):
        return "done"
    return "again" if attempt.error and ours(attempt.error) else "next"


def failure(error: ServiceError) -> Failure:
    """The error as a fact that a job can keep."""
    return Failure(
        reason=error.reason,
        message=error.message,
        retryable=error.retryable,
        metadata=error.metadata,
        retry_after_seconds=error.retry_after,
    )


def in_vain(job: Job, last: Attempt) -> int:
    """How often this variation was tried on this model, all of it by trouble of our own."""
    mine = (a for a in job.attempts if a.iteration == last.iteration and a.model == last.model)
    return sum(1 for each in mine if each.error and ours(each.error))
