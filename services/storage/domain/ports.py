"""What the use cases need from the outside, as protocols."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from services.storage.domain.chores import Chores
from services.storage.domain.leftovers import Leftovers
from services.storage.domain.waits import Waits

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterable, Mapping, Sequence
    from contextlib import AbstractAsyncContextManager
    from datetime import datetime, timedelta
    from pathlib import Path

    from services.storage.domain.assets import Asset
    from services.storage.domain.facets import Facets
    from services.storage.domain.keys import ObjectKey

    Clock = Callable[[], datetime]
    NewId = Callable[[], str]

CHUNK_BYTES = 256 * 1024
# A larger file goes to an object store in parts of this size, each with a CRC-32 of its own.
PART_BYTES = 8 * 1024 * 1024


def nothing() -> None:
    """Be told of something and do nothing about it."""


class KeyTakenError(Exception):
    """An object lies under that key already; nothing was changed."""


@dataclass(frozen=True, slots=True)
class StagedFile:
    """A whole file on the local disk, hashed, not yet visible to anybody.

    ``part_crcs`` are the CRC-32 of every ``PART_BYTES`` of it as they arrived, where they are
    known: an object store can check the bytes against them. ``tenant`` is whose it is, where that
    is known already.
    """

    path: Path
    size_bytes: int
    sha256: str
    part_crcs: tuple[int, ...] = ()
    tenant: str = ""


@dataclass(frozen=True, slots=True)
class ObjectFacts:
    """What is stored with an object: its media type and ASCII metadata."""

    content_type: str
    metadata: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class BlobInfo:
    """What the blob store says about one object."""

    key: str
    size_bytes: int
    content_type: str
    metadata: Mapping[str, str]
    modified: datetime


class Stage(Protocol):
    """A file being received."""

    @property
    def size_bytes(self) -> int:
        """Bytes received so far."""

    async def write(self, chunk: bytes) -> None:
        """Append; raises ``ResourceExhausted`` over the cap or when the disk is full."""

    async def finish(self) -> StagedFile:
        """Write what is left and return the file with its digest.

        It need not survive a power cut yet: whoever keeps it on this disk sees to that.
        """


class StagingArea(Protocol):
    """Local room for files before they are published."""

    def receive(self, max_bytes: int, announced: int = 0) -> AbstractAsyncContextManager[Stage]:
        """Open a stage, if ``announced`` bytes have room; what is left is removed on exit."""

    def folder(self) -> AbstractAsyncContextManager[Path]:
        """Open a folder for files that are made; it goes on exit with all that is in it."""

    def read(self, path: Path) -> AsyncGenerator[bytes, None]:
        """Yield the bytes of a file that was made."""

    async def sweep(self, older_than: timedelta) -> int:
        """Remove leftovers of crashed uploads; returns how many."""


class BlobStore(Protocol):
    """Objects under keys. Objects are whole when visible, and never overwritten."""

    async def publish(self, staged: StagedFile, key: str, facts: ObjectFacts) -> None:
        """Make the staged file visible under ``key``.

        Raises ``KeyTakenError`` when an object is there, ``Unavailable`` when the store is away,
        ``ResourceExhausted`` when it is full. On an error nothing is visible.
        """

    async def clone(self, source: str, key: str, facts: ObjectFacts) -> None:
        """Publish the bytes of ``source`` again; ``NotCopiedError`` where they have to be sent."""

    async def head(self, key: str) -> BlobInfo | None:
        """Return what is known about the object, ``None`` when there is none."""

    def read(self, key: str, *, offset: int = 0, length: int | None = None) -> AsyncIterator[bytes]:
        """Yield chunks of at most 256 KiB; raises ``DataLoss`` when the object is gone."""

    async def delete(self, key: str) -> None:
        """Remove the object; no error when there is none."""

    async def sign(
        self, asset: Asset, *, expires: datetime, download_name: str
    ) -> tuple[str, datetime]:
        """Return a URL to the bytes for anybody, and its end: ``expires`` at the latest."""

    def url(self, key: str) -> str:
        """Return where the object lies, for people and logs: ``s3://…`` or ``file:///…``."""

    async def sweep(self, older_than: timedelta) -> int:
        """Remove parts of uploads that nobody finished; returns how many."""

    async def check(self) -> None:
        """Raise ``Unavailable`` when the store cannot be used."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """Outcome of asking to write under a request id: a row of ours, or the asset that is there."""

    asset: Asset
    replayed: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """One page of a tenant's assets, newest first; ``before`` is the last id of the page before.

    STORED ones; derived ones only where asked for ``held`` and held alone, or for ``waiting``.
    """

    tenant: str
    limit: int = 0
    before: str = ""
    creative_id: str = ""
    facets: Facets | None = None
    labels: Mapping[str, str] | None = None
    waiting: bool = False
    held: bool = False


class AssetStore(Chores, Waits, Leftovers, Protocol):
    """Records of assets. Every method is one transaction."""

    async def claim(self, asset: Asset, *, former: str = "") -> Claim:
        """Insert a WRITING record, moving its key to the next free iteration.

        With a request id that is there already: a STORED record of the same fingerprint is
        returned as replayed, a WRITING one is taken over. Raises ``RequestConflict`` for another
        fingerprint, ``former`` excepted: an older release's of the same request.
        """

    async def move(self, asset: Asset) -> Asset:
        """Give a WRITING record the next free iteration after its present one.

        Both keys are noted as leftovers: an attempt may have published under either, and end under
        the other. Returns a faster twin's record. Raises ``GivenUpError`` when it ended unstored.
        """

    async def retype(self, asset: Asset) -> Asset:
        """Give a WRITING record the type of ``asset`` and a key that ends so; else as ``move``."""

    async def used(self, tenant: str) -> int:
        """Return the bytes that the tenant has in storage."""

    async def commit(self, asset: Asset, *, quota_bytes: int = 0) -> Asset:
        """Turn WRITING into STORED with size, digest and media; the first of several twins wins.

        Returns the stored record, which is another's when a twin was faster, or the proof that it
        was deleted since. Raises ``ResourceExhausted`` when the tenant would have more than
        ``quota_bytes`` (0: no quota), ``GivenUpError`` when the record was given up, or dropped
        while it waited: for good, no record ever has this id again.
        """

    async def abandon(self, asset: Asset) -> None:
        """Forget a WRITING record that never had an object, while it is of this attempt.

        One whose bytes wait in a spool stays: they may be the only ones.
        """

    async def give_up(self, asset: Asset) -> bool:
        """Turn WRITING into GIVEN_UP, which no commit accepts; false where another has it now.

        Under the conditions of ``abandon``; for a record that may have an object.
        """

    async def get(self, tenant: str, identifier: str) -> Asset | None:
        """Return the tenant's asset, whatever its state; one that was given up is not there."""

    async def many(self, tenant: str, identifiers: Iterable[str]) -> Sequence[Asset]:
        """Return the tenant's STORED assets among ``identifiers``, in any order."""

    async def page(self, query: Query) -> list[Asset]:
        """Return STORED assets, newest first."""

    async def twin(self, tenant: str, sha256: str, size_bytes: int) -> ObjectKey | None:
        """Return the key of a STORED asset of the tenant with the same bytes."""

    async def mark_deleted(self, asset: Asset, moment: datetime) -> Asset:
        """Turn the record, and those of what was derived from it, into proofs of what was there.

        All or none: raises ``FailedPrecondition`` when any of them is under legal hold.
        """

    async def mark_purged(self, asset: Asset, moment: datetime) -> None:
        """Note that the bytes of a DELETED asset are gone."""

    async def children(self, asset: Asset) -> Sequence[Asset]:
        """Return the STORED assets that were derived from this one."""

    async def hold(self, asset: Asset, *, held: bool) -> bool:
        """Hold the asset and what was derived from it, or let them go; false when not STORED."""

    async def everything(self, tenant: str, after: str, limit: int) -> Sequence[Asset]:
        """Return what the tenant has stored or had, with ids after ``after``, oldest first."""


class Search(Protocol):
    """Ranks assets by meaning."""

    async def best(
        self, tenant: str, words: Sequence[str], *, facets: Facets, limit: int
    ) -> Sequence[tuple[str, float]]:
        """Return ids of STORED assets with scores from 0 to 1, best first."""
