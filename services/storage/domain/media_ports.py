"""What the use cases need to look into media, to make more of it, and to fetch it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from services.common.errors import Unavailable

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence
    from contextlib import AbstractAsyncContextManager
    from pathlib import Path

    from services.storage.domain.assets import Description, MediaInfo, Provenance
    from services.storage.domain.ports import StagedFile


@dataclass(frozen=True, slots=True)
class DerivedFile:
    """A file made from another one: what it is for, its media type, where it lies for now."""

    role: str
    content_type: str
    path: Path


@dataclass(frozen=True, slots=True)
class Finished:
    """A staged file after finishing; ``moved`` where its index came last and comes first now."""

    staged: StagedFile
    provenance: Provenance
    moved: bool = False


class UndrawnError(Unavailable):
    """Try again later: whoever draws died or took too long, which says nothing sure of the file."""


class Maker(Protocol):
    """Makes thumbnails, posters, contact sheets and previews."""

    async def make(
        self, source: Path, folder: Path, *, frames: int, roles: Sequence[str]
    ) -> Sequence[DerivedFile]:
        """Make the files inside ``folder``.

        Raises ``DataLoss`` when ``source`` cannot be read, ``StorageFull`` when the folder is full,
        and ``UndrawnError`` when nobody knows why there are none.
        """


class Inspector(Protocol):
    """Looks into media files with a real demuxer."""

    async def expect(self, description: Description) -> None:
        """Get ready for such a file, which is being received; fails never."""

    async def inspect(self, staged: StagedFile, description: Description) -> MediaInfo | None:
        """Return the measured facts, ``None`` for other files; raises ``DataLoss`` for damage."""


class Finisher(Protocol):
    """Makes a file fit to be played and labelled, without encoding it again."""

    async def finish(
        self, staged: StagedFile, description: Description, *, by_model: bool
    ) -> Finished:
        """Return the file, changed in place or as it was, and what it says about its origin.

        What cannot be finished stays as it came; trouble of ours is ``Unavailable``.
        ``by_model`` tells that a trained model made it, or a part of it.
        """

    async def look(self, staged: StagedFile, description: Description) -> Provenance:
        """Return what the file says about its origin; changes nothing."""


@dataclass(slots=True)
class Answer:
    """What a source says of the file that it sends, once the first byte is there; "" is nothing."""

    content_type: str = ""


class Source(Protocol):
    """Fetches from URLs."""

    def fetch(self, uri: str, answer: Answer) -> AbstractAsyncContextManager[AsyncIterator[bytes]]:
        """Open the URL and yield its bytes; ``answer`` is filled in.

        Raises ``InvalidArgument``, ``PermissionDenied`` or ``Unavailable``.
        """
