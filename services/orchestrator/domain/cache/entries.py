"""What can be served again, and what is promised of whoever keeps it."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from services.orchestrator.domain.films.tasks import Word
from services.orchestrator.domain.options import ImageInput
from services.orchestrator.domain.values import Clip


@dataclass(frozen=True, kw_only=True)
class Entry:
    """A stored clip, picture or recording, by what it was made from. Money in micro-USD.

    `prompt` is the caller's, `sent` what was made of it. `job` made the clip, `user` is the API key
    that asked for it, `vector` the meaning of its prompt as `embedder` sees it; both are empty
    where it can only be found by its key. Pictures and recordings are of films: `job` is the film,
    they have neither shape nor prompt, and `words` are those that are spoken.
    """

    id: str
    tenant: str
    key: str
    shape: str
    clip: Clip
    prompt: str
    language: str
    model: str
    provider: str
    cost_micros: int
    job: str
    create_time: datetime
    expire_time: datetime
    sent: str = ""
    user: str = ""
    embedder: str = ""
    vector: tuple[float, ...] = ()
    words: tuple[Word, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Use:
    """An entry that served an attempt instead of a vendor, and what that has saved."""

    attempt: str
    entry: str
    tenant: str
    asset: str
    kind: str
    model: str
    provider: str
    saved_micros: int
    create_time: datetime


@dataclass(frozen=True, kw_only=True)
class AssetUse:
    """How often a clip was used again, and what that has saved."""

    asset: str
    model: str
    provider: str
    uses: int
    saved_micros: int


@dataclass(frozen=True, kw_only=True)
class KindUse:
    """Uses of one kind of one provider's clips."""

    kind: str
    provider: str
    uses: int
    saved_micros: int


@dataclass(frozen=True, kw_only=True)
class Stats:
    """A tenant's cache as it stands; `assets` are those used most."""

    entries: int
    searchable: int
    kinds: tuple[KindUse, ...] = ()
    assets: tuple[AssetUse, ...] = ()


@dataclass(frozen=True)
class Search:
    """Where and what to look for: vectors of other tenants, shapes and embedders do not count."""

    tenant: str
    shape: str
    embedder: str
    vector: tuple[float, ...]


@dataclass(frozen=True, kw_only=True)
class Near:
    """An entry near in meaning; similarity is a cosine, at most 1."""

    entry: Entry
    similarity: float


@dataclass(frozen=True, kw_only=True)
class Fading:
    """Clips worth making again: they expire before `until`, used `uses` times since `since`.

    At most `limit` of them, those that come behind `after`.
    """

    until: datetime
    since: datetime
    uses: int
    limit: int
    after: Entry | None = None


class CacheStore(Protocol):
    """Entries, their vectors, their uses, and who is making what; one tenant at a time."""

    async def find(self, tenant: str, keys: Collection[str]) -> Mapping[str, Entry]:
        """The entries with these keys that have not expired, by key; without vectors."""

    async def nearest(self, search: Search, limit: int) -> Sequence[Near]:
        """The entries whose vectors are nearest, best first."""

    async def put(self, entry: Entry) -> None:
        """Keep an entry; a fresh clip takes the place of an older one with the same key."""

    async def use(self, uses: Collection[Use]) -> Collection[str]:
        """Put down what was served; returns the attempts that had not been counted before."""

    async def claim(self, tenant: str, keys: Collection[str], job: str) -> Mapping[str, str]:
        """Say that `job` makes these unless another job does already; who makes each, by key."""

    async def take_over(self, tenant: str, key: str, *, owner: str, job: str) -> bool:
        """Make it instead of `owner`, who has ended; False when somebody else was faster."""

    async def forget(self, tenant: str, assets: Collection[str]) -> int:
        """Drop the entries of these assets, with their vectors; returns how many there were."""

    async def assets(self, tenant: str) -> Sequence[str]:
        """The assets that the tenant's entries stand for, expired ones too."""

    async def purge(self, tenant: str) -> int:
        """Drop all that the tenant has here; returns how many entries there were."""

    async def stats(self, tenant: str) -> Stats:
        """What is there and what it has saved."""

    async def evict(self, most: int) -> int:
        """Leave every tenant `most` entries, those used or made last; returns how many went."""

    async def fading(self, wanted: "Fading") -> Sequence[Entry]:
        """Entries of all tenants that are served often and expire soon, the soonest first."""

    async def expire(self) -> int:
        """Drop what is too old, of all tenants; returns how many entries."""


class Embedder(Protocol):
    """Turns words into vectors whose cosine says how alike they mean."""

    @property
    def name(self) -> str:
        """The model and its revision: vectors of different names are never compared."""

    async def embed(self, texts: Sequence[str]) -> Sequence[tuple[float, ...]]:
        """One vector of length 1 for each text, () for one that says nothing.

        Raises ServiceError.
        """


class Clips(Protocol):
    """What the cache asks of storage, on behalf of a tenant."""

    async def digest(self, tenant: str, image: ImageInput, once: str) -> str:
        """SHA-256 of a picture's bytes; `once` names the fetch of an address.

        Raises ServiceError.
        """

    async def present(self, tenant: str, asset: str) -> bool:
        """Whether the bytes are there still; True while storage cannot be asked."""

    async def reused(self, use: Use) -> None:
        """Count a use of an asset; the same attempt counts once. Raises ServiceError."""

    async def delete(self, tenant: str, asset: str) -> None:
        """Delete the bytes. Raises ServiceError."""
