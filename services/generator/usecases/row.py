"""The row of one generation in its driver's hands: every change is written, then told."""

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar

from tenacity import (
    AsyncRetrying,
    retry_if_exception_type,
    stop_after_delay,
    wait_random_exponential,
)

from services.common.errors import ServiceError, Unavailable, UnknownOutcome
from services.generator.domain.facts import NOTHING, Cost, Failure, Progress
from services.generator.domain.generation import Generation, State
from services.generator.domain.ports import NAMED, Accepted, Clock, Ledger
from services.generator.usecases.hub import Hub

_T = TypeVar("_T")
_STEP_PERCENT = 5
_STEP_SECONDS = 1.0
_PATIENCE_SECONDS = 30.0


class SupersededError(Exception):
    """Somebody else changed the row first: a cancel, or whoever took it over."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Books:
    """Where changes are written and told. `owner` is the name in which this process holds rows."""

    ledger: Ledger
    hub: Hub
    now: Clock
    owner: str


async def _finished(work: Coroutine[Any, Any, _T]) -> _T:
    """Await a write that is not to be torn: a cancelled caller waits for its end all the same.

    Otherwise a row might be changed without its driver knowing.
    """
    task = asyncio.ensure_future(work)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait({task})
        if not task.cancelled():
            task.exception()
        raise


class Row:
    """The state of one generation; each method writes the next or raises SupersededError."""

    def __init__(self, generation: Generation, books: Books) -> None:
        self.generation = generation
        self._books = books
        self._noted = 0.0
        self.kept = False
        self.claiming = False

    @property
    def state(self) -> State:
        """Where it stands."""
        return self.generation.state

    @property
    def seconds_left(self) -> float:
        """Seconds until its deadline, 0 when it has passed."""
        return max(0.0, (self.generation.deadline - self._books.now()).total_seconds())

    @property
    def overdue(self) -> float:
        """Seconds since its deadline, 0 before it."""
        return max(0.0, self.age(self.generation.deadline))

    def age(self, since: datetime) -> float:
        """Return the seconds that have passed since a moment."""
        return (self._books.now() - since).total_seconds()

    async def submitting(self, limit: int) -> bool:
        """Write that the one call begins; False while `limit` jobs are under way (0: any).

        `claiming` is set meanwhile, and left to the caller where it was written: who is told to
        stop in between would leave a call that nobody made and everybody has to believe in.
        """
        self.claiming = True
        try:
            self.claiming = await self._submitting(limit)
        except BaseException:
            self.claiming = self.state is State.SUBMITTING
            raise
        return self.claiming

    async def _submitting(self, limit: int) -> bool:
        after = self.generation.submitting(self._books.now())
        if not limit:
            await self.write(after)
            return True
        return await _finished(self._write_within(after, limit))

    async def accepted(self, found: Accepted) -> None:
        """Write down how the work is found again."""
        after = self.generation.accepted(
            found.job, found.shown_id, at=self._books.now(), queued=found.queued
        )
        await self.write(after)

    async def unknown(self) -> None:
        """Write that nobody knows whether the call arrived."""
        facts = {"generation": self.generation.name, "provider": self.generation.identity.provider}
        message = "the request was sent and its answer was lost; it is never sent again by itself"
        error = UnknownOutcome(message, metadata=facts)
        await self.write(self.generation.unknown(Failure.of(error)))

    async def note(self, progress: Progress) -> None:
        """Write progress where it says something new, at most every second or five points."""
        present, moment = self.generation, asyncio.get_running_loop().time()
        begins = present.state is State.QUEUED and not progress.queued
        gained = progress.percent - present.progress
        early = gained < _STEP_PERCENT and moment - self._noted < _STEP_SECONDS
        shows = progress.preview not in {"", present.preview}
        if begins or ((gained > 0 or shows) and not early):
            self._noted = moment
            await _finished(self._write(present.progressed(progress), soon=True))

    async def failed(
        self, failure: Failure | ServiceError, cost: Cost | None = None, *, keep: bool = False
    ) -> None:
        """Write that it failed for good; `keep` holds on to the row, to look at it again.

        What was never sent is known to have cost nothing.
        """
        why = Failure.of(failure) if isinstance(failure, ServiceError) else failure
        if cost is None and not self.generation.submissions:
            cost = NOTHING
        after = self.generation.failed(why, at=self._books.now(), cost=cost)
        self.kept = keep
        await _finished(self._write(after, keep=keep))

    async def write(self, after: Generation) -> None:
        """Write and tell the next state; an ended row is given up in the same write."""
        await _finished(self._write(after))

    async def _write(self, after: Generation, *, keep: bool = False, soon: bool = False) -> None:
        release = after.state.terminal and not keep
        if not await self._saved(after, release=release, soon=soon):
            raise SupersededError
        self._told(after)

    async def _saved(self, after: Generation, *, release: bool, soon: bool) -> bool:
        save = self._books.ledger.save
        owner = self._books.owner
        return bool(
            await self._sure(after, lambda: save(after, owner=owner, release=release, soon=soon))
        )

    async def _sure(
        self, after: Generation, save: Callable[[], Coroutine[Any, Any, bool | None]]
    ) -> bool | None:
        """Save, again while the database is away: what runs meanwhile must not be lost with it."""
        tried = False
        async for attempt in AsyncRetrying(
            retry=retry_if_exception_type(Unavailable),
            wait=wait_random_exponential(multiplier=0.1, max=2.0),
            stop=stop_after_delay(_PATIENCE_SECONDS),
            reraise=True,
        ):
            with attempt:
                if tried and await self._landed(after):
                    return True
                tried = True
                return await save()
        raise AssertionError  # unreachable: the last attempt returns or raises

    async def _landed(self, after: Generation) -> bool:
        """Whether a save whose answer was lost was committed all the same."""
        entry = await self._books.ledger.load(after.id)
        if entry is None:
            return False
        found = entry.generation
        return (found.sequence, found.state) == (after.sequence, after.state)

    async def _write_within(self, after: Generation, limit: int) -> bool:
        books = self._books
        save = books.ledger.save_within
        written = await self._sure(after, lambda: save(after, owner=books.owner, limit=limit))
        if written is False:
            raise SupersededError
        if written:
            self._told(after)
        return bool(written)

    def _told(self, after: Generation) -> None:
        self.generation = after
        self._books.hub.publish(after)

    async def amend(self, after: Generation) -> None:
        """Write a late fact of an ended row, which stays ours."""
        if not await self._books.ledger.save(after, owner=self._books.owner):
            raise SupersededError
        self.generation = after

    async def reload(self) -> bool:
        """Read the row again; tells whether somebody cancelled it, for us to wind up."""
        entry = await self._books.ledger.load(self.generation.id)
        if entry is None or entry.generation.state is not State.CANCELLED:
            return False
        self.generation = entry.generation
        self._books.hub.publish(self.generation)
        return True

    async def refresh(self) -> None:
        """Take over what somebody else wrote, while the row is still ours."""
        entry = await self._books.ledger.load(self.generation.id)
        if entry is not None and entry.generation.sequence > self.generation.sequence:
            self._told(entry.generation)

    async def called_back(self) -> Accepted | None:
        """Return the job that the vendor named in a callback, None where it has not."""
        job = await self._books.ledger.called_back(self.generation.id)
        return Accepted(job=f"{NAMED}{job}", shown_id=job) if job else None

    async def release(self) -> None:
        """Give the row up as it is."""
        await self._books.ledger.release(self.generation.id, self._books.owner)
