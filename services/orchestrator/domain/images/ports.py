"""What edits and characters need from outside, as Protocols."""

from collections.abc import Callable, Sequence
from typing import Protocol

from services.orchestrator.domain.films.characters import CharacterSheet
from services.orchestrator.domain.images.edits import ImageEdit
from services.orchestrator.domain.images.versions import Character, SheetVersion


class EditStore(Protocol):
    """Edits. One change, one transaction."""

    async def accept(
        self, edit: ImageEdit, request_id: str, fingerprint: str
    ) -> tuple[ImageEdit, bool]:
        """Write the edit and the order to make it, at once.

        Returns the edit and whether it was there before. Raises RequestConflict for another
        fingerprint of the same request_id.
        """

    async def known(self, tenant: str, request_id: str, fingerprint: str) -> ImageEdit | None:
        """The edit that has this request_id. Raises RequestConflict for another fingerprint."""

    async def get(self, tenant: str, edit_id: str) -> ImageEdit:
        """The edit. Raises NotFound."""

    async def read(self, edit_id: str) -> ImageEdit:
        """The edit whoever owns it: for flows alone."""

    async def list(self, tenant: str, before: str, limit: int) -> Sequence[ImageEdit]:
        """Newest first, behind the edit with the id `before`."""

    async def unfinished(self, tenant: str) -> int:
        """How many of the tenant's have not ended."""

    async def change(
        self, edit_id: str, mutate: Callable[[ImageEdit], ImageEdit | None]
    ) -> ImageEdit:
        """Apply a change to the newest state; None from `mutate` means nothing to do."""


class CharacterBook(Protocol):
    """The sheets of a tenant's characters with all their versions."""

    async def put(self, tenant: str, sheet: CharacterSheet, edit: str = "") -> int:
        """Keep a sheet as the newest version; the same again, or of the same edit, changes nothing.

        A sheet of an edit that has no description keeps that of the newest version.
        Returns the number of the version.
        """

    async def character(self, tenant: str, character_id: str) -> Character:
        """The newest version. Raises NotFound."""

    async def characters(self, tenant: str, after: str, limit: int) -> Sequence[Character]:
        """By name, behind the character with the id `after`; none where there is no such one."""

    async def versions(self, tenant: str, character_id: str) -> Sequence[SheetVersion]:
        """The newest `MAX_VERSIONS` versions, oldest first."""
