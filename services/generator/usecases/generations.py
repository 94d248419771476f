"""What a caller can want of generations: create, get, watch, cancel."""

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, replace
from datetime import timedelta

from services.common.errors import Aborted, InvalidArgument, NotFound, ServiceError
from services.generator.domain.generation import MAX_REQUEST_ID, Generation, tombstone
from services.generator.domain.orders import Order
from services.generator.domain.ports import Backends, Clock, Entry, Ledger, NewId
from services.generator.domain.sentences import Said, said
from services.generator.domain.vendor_keys import OwnKeys
from services.generator.usecases.admission import Admission, Admitted
from services.generator.usecases.hub import Hub

_RACES = 20
_SAFETY_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Cancellation:
    """What a cancel led to: the generation as it is now (None for a mere tombstone)."""

    generation: Generation | None
    still_billed: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How long a generation may take, and how often a row that another replica drives is read."""

    deadline: timedelta = timedelta(hours=1)
    watch_poll_seconds: float = 0.5


class Generations:
    """The use cases behind the service. `start` hands an entry to whoever drives it."""

    def __init__(  # noqa: PLR0913 - the composition root names every part once
        self,
        *,
        ledger: Ledger,
        admission: Admission,
        backends: Backends,
        hub: Hub,
        owner: str,
        start: Callable[[Entry], None],
        cancelled: Callable[[Generation], None],
        now: Clock,
        new_id: NewId,
        limits: Limits,
        own_keys: Callable[[str], Awaitable[OwnKeys]],
    ) -> None:
        self._ledger = ledger
        self._admission = admission
        self._backends = backends
        self._hub = hub
        self._owner = owner
        self._start = start
        self._cancelled = cancelled
        self._now = now
        self._new_id = new_id
        self._limits = limits
        self._own_keys = own_keys

    async def create(self, tenant: str, order: Order) -> Generation:
        """Write the intent and begin; the same request id returns the same generation.

        Raises what `Admission.admit` raises, and RequestConflict for another body under the id.
        """
        if not 1 <= len(order.request_id) <= MAX_REQUEST_ID:
            raise InvalidArgument("request_id", f"must have 1 to {MAX_REQUEST_ID} characters")
        own = await self._own_keys(tenant)
        try:
            admitted = self._admission.admit(order, own)
        except ServiceError:
            # What was accepted once stays accepted, whatever became of the model since.
            present = await self._ledger.find(tenant, order.request_id)
            if present is None or present.generation.request_hash != order.request_hash:
                raise
            return present.generation
        entry, new = await self._ledger.open(self._entry(tenant, order, admitted, own), self._owner)
        if new:
            self._start(entry)
        return entry.generation

    async def get(self, tenant: str, identifier: str) -> Generation:
        """Return one generation; raises NotFound."""
        found = await self._ledger.get(tenant, identifier)
        if found is None:
            raise NotFound("generation", f"generations/{identifier}")
        return found

    async def watch(
        self, tenant: str, identifier: str, after_sequence: int = 0
    ) -> AsyncIterator[Generation]:
        """Yield the present state and each newer one, until it has ended or this process drains.

        States that follow each other faster than they are read are told by the newest one alone.
        """
        seen = after_sequence
        with self._hub.watching(identifier) as watcher:
            generation: Generation | None = self._hub.driven(identifier)
            if generation is None or generation.tenant != tenant:
                generation = await self.get(tenant, identifier)
            while generation is not None:
                if generation.sequence > seen:
                    seen = generation.sequence
                    yield generation
                if generation.state.terminal or self._hub.draining:
                    return
                generation = await self._next(tenant, identifier, watcher.wait)

    async def cancel(self, tenant: str, identifier: str) -> Cancellation:
        """Cancel a generation; what has ended stays as it is. Raises NotFound."""
        for _ in range(_RACES):
            present = await self.get(tenant, identifier)
            if present.state.terminal:
                return Cancellation(present)
            billed = await self._still_billed(present)
            after = present.cancelled(at=self._now(), warning=billed)
            if await self._ledger.save(after):
                self._hub.publish(after)
                self._cancelled(after)
                await self._adopted(after)
                return Cancellation(after, billed)
        raise Aborted

    async def cancel_request(self, tenant: str, request_id: str) -> Cancellation:
        """Cancel by request id; one that is not known yet will never be sent."""
        mark = tombstone(self._new_id(), tenant, request_id, at=self._now())
        present = await self._ledger.bury(mark)
        if present is None or present.is_tombstone:
            return Cancellation(None)
        return await self.cancel(tenant, present.id)

    async def _adopted(self, cancelled: Generation) -> None:
        """Wind up what was sent and nobody drives any more: it may still be billed."""
        if cancelled.submissions and await self._ledger.adopt(cancelled.id, self._owner):
            entry = await self._ledger.load(cancelled.id)
            if entry is not None:
                self._start(entry)

    def _entry(self, tenant: str, order: Order, admitted: Admitted, own: OwnKeys) -> Entry:
        model, task, now = admitted.model, admitted.checked.task, self._now()
        generation = Generation(
            id=self._new_id(),
            tenant=tenant,
            request_id=order.request_id,
            request_hash=order.request_hash,
            model=model.id,
            identity=self._backends.identity(model, task, own),
            create_time=now,
            deadline=now + self._limits.deadline,
            placeholder=model.placeholder,
            warnings=admitted.checked.warnings,
        )
        return Entry(generation, replace(order, task=task))

    async def _still_billed(self, generation: Generation) -> str:
        if not generation.submissions:
            return ""
        try:
            backend = await self._backends.serving(generation.identity, generation.tenant)
        except ServiceError:  # its credential was taken away meanwhile
            return said(Said.MAY_BE_BILLED, provider=generation.identity.provider)
        return backend.still_billed(generation)

    async def _next(
        self, tenant: str, identifier: str, wait: Callable[[float], Awaitable[Generation | None]]
    ) -> Generation | None:
        here = self._hub.driven(identifier) is not None
        told = await wait(_SAFETY_SECONDS if here else self._limits.watch_poll_seconds)
        if told is None and not self._hub.draining:
            told = await self.get(tenant, identifier)
        return told
