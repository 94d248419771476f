"""What the use cases need from the outside, as protocols, and the values that cross them."""

from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol, TypeAlias

from services.generator.domain.bell import Bell
from services.generator.domain.callbacks import Callback, Callbacks
from services.generator.domain.facts import Cost, Failure, Identity, Progress, Quality, WordTime
from services.generator.domain.generation import Generation
from services.generator.domain.models import Model
from services.generator.domain.orders import Order
from services.generator.domain.tasks import Media, Task
from services.generator.domain.vendor_keys import OwnKeys

Clock: TypeAlias = Callable[[], datetime]
NewId: TypeAlias = Callable[[], str]

CHUNK_BYTES = 256 * 1024

NAMED = "named:"
"""Begins a job that is only known by the id that people are shown; the back end knows the rest."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A row of the ledger: the generation and what was ordered."""

    generation: Generation
    order: Order


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """One generation as a back end sees it. `task` is ready to send: references are addresses."""

    id: str
    tenant: str
    model: Model
    identity: Identity
    task: Task
    order: Order
    begun: datetime | None = None  # when it was sent, as far as that is known
    bell: Bell = field(default_factory=Bell, compare=False)  # rings when there may be news


@dataclass(frozen=True, slots=True, kw_only=True)
class Accepted:
    """The work was taken. `job` finds it again (opaque); `shown_id` is the vendor's own id."""

    job: str
    shown_id: str = ""
    queued: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Content:
    """Bytes of a result on their way: the type, facts known before storage measures them, chunks.

    `sha256` and `size_bytes` are given where the maker knows them, and are then checked.
    `cost_micros` is what was paid for it, as far as is known when it is stored; `untrained` is what
    no trained model made, `shown_outside` what a vendor was shown the words of.
    """

    content_type: str
    chunks: AsyncIterator[bytes]
    sha256: str = ""
    size_bytes: int = 0
    source_url: str = ""
    cost_micros: int = 0
    untrained: bool = False
    shown_outside: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """The work is done. `opened` gives the bytes, as often as asked; 0 and None mean unknown.

    With `asset` its maker has stored it already, and nobody needs the bytes.
    """

    opened: Callable[[], AbstractAsyncContextManager[Content]]
    asset: str = ""
    width: int = 0
    height: int = 0
    fps: float = 0.0
    duration_seconds: float = 0.0
    seed: int | None = None
    cost: Cost | None = None
    warnings: tuple[str, ...] = ()
    words: tuple[WordTime, ...] = ()
    quality: Quality | None = None
    method: str = ""


@dataclass(frozen=True, slots=True)
class Lost:
    """The work failed for good; `cost` is what the vendor takes all the same, when it says so."""

    failure: Failure
    cost: Cost | None = None
    stopped: bool = False  # it failed because somebody cancelled it


Update: TypeAlias = Progress | Made | Lost


class Backend(Protocol):
    """Whatever can make a result: an engine in this process, or a vendor behind HTTP.

    `remote` tells whether the work lives elsewhere: it then survives this process, may cost money,
    and the answer to `submit` can be lost.
    """

    @property
    def remote(self) -> bool:
        """Whether the work outlives this process."""

    async def submit(self, work: Work) -> "Accepted | Made":
        """Ask for the work, once; some vendors answer with the result itself.

        Raises UnknownOutcome when the answer was lost, Unavailable when the request provably never
        arrived, any other ServiceError when it was refused.
        """

    async def take_in(self, work: Work, picture: Media) -> Media:
        """Put a picture where the vendor fetches it, for models that take uploads; costs nothing.

        Raises Unavailable, ProviderRefused, Unimplemented where there is no such place.
        """

    async def look_up(self, work: Work) -> Accepted | None:
        """Find what an unanswered `submit` led to; None when nobody can tell.

        Raises NotFound when the vendor, asked by our own id, says that it has no such work.
        """

    def pause(
        self, work: Work, job: str, trouble: int = 0, asked: float | None = None
    ) -> float | None:
        """Return the seconds until `look` should be called again; None where `updates` tells all.

        `trouble` looks in a row have failed, and the last was told to wait for `asked` seconds.
        """

    def updates(self, work: Work, job: str) -> AsyncGenerator[Update, None]:
        """Yield how it goes, the last one Made or Lost. Can be called again after a restart."""

    async def look(self, work: Work, job: str) -> Update:
        """Say how it stands, asked once and now. Raises Unavailable when nobody answers."""

    async def cancel(self, work: Work, job: str) -> bool:
        """Stop it where that is possible; no error when it cannot or has ended.

        Returns whether it may have begun: what was done until then may be billed.
        """

    async def forget(self, work: Work) -> None:
        """Drop whatever was kept for work that has ended."""

    async def hear(self, headers: Mapping[str, str], body: bytes) -> Callback:
        """Tell a vendor's callback from a forgery; raises PermissionDenied or Unavailable."""

    def still_billed(self, generation: Generation) -> str:
        """Return a sentence on what a cancelled generation costs all the same, "" for nothing."""


class Backends(Protocol):
    """Chooses the back end of a model and freezes where it is sent."""

    def identity(self, model: Model, task: Task, own: OwnKeys) -> Identity:
        """Return where work on this model goes now; the tenant's own key counts first."""

    def limit(self, identity: Identity) -> int:
        """Return how many jobs may be under way with this credential; 0 is any number."""

    async def serving(self, identity: Identity, tenant: str) -> Backend:
        """Return the back end of an identity. Raises NoCredentials or NoDevice when it is gone."""


class Ledger(Callbacks, Protocol):
    """The intents and what became of them. Every method is one transaction."""

    async def open(self, entry: Entry, owner: str) -> tuple[Entry, bool]:
        """Insert the intent, or return the row that has its (tenant, request_id), and whether new.

        A tombstone takes the request in, stays cancelled, and counts as not new.
        """

    async def save(
        self, generation: Generation, *, owner: str = "", release: bool = False, soon: bool = False
    ) -> bool:
        """Write the next state where the row has the one before; False when somebody was faster.

        With `owner` the row must still be that owner's. `release` gives it up. What need not be
        written at once is written `soon`, in one go with others.
        """

    async def save_within(self, generation: Generation, *, owner: str, limit: int) -> bool | None:
        """As `save`, unless `limit` jobs are under way with its credential: then None.

        A call whose answer was lost counts for ten minutes: it may be at work all the same.
        Replicas that ask at once are answered one after the other.
        """

    async def sent(self, provider: str, start: datetime, end: datetime) -> Sequence[Generation]:
        """Return what was sent to a provider in a time, for all tenants."""

    async def get(self, tenant: str, identifier: str) -> Generation | None:
        """Return the tenant's generation."""

    async def find(self, tenant: str, request_id: str) -> Entry | None:
        """Return the tenant's row by request id; a tombstone is not one."""

    async def load(self, identifier: str) -> Entry | None:
        """Return a row, whoever's it is."""

    async def bury(self, mark: Generation) -> Generation | None:
        """Insert a tombstone, or return what is there already under its request id."""

    async def heartbeat(self, owner: str, *, now: datetime) -> Sequence[str]:
        """Say that `owner` lives; returns the ids of its rows that somebody else cancelled."""

    async def claim(self, owner: str, *, dead_before: datetime) -> Sequence[Entry]:
        """Take over every row whose owner was not heard of since then."""

    async def succeed(self, replica: str, owner: str) -> None:
        """Forget earlier lives of a replica; owners of one replica are named `{replica}/…`."""

    async def retire(self, owner: str) -> None:
        """Forget an owner that ends, so that others take its rows over at once."""

    async def adopt(self, identifier: str, owner: str) -> bool:
        """Take one row that nobody owns; False when it is owned."""

    async def release(self, identifier: str, owner: str) -> None:
        """Give a row up without changing it."""
