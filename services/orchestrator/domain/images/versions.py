"""Characters of a tenant, and the versions of their sheets."""

import hashlib
from dataclasses import dataclass
from datetime import datetime

from services.orchestrator.domain.films.characters import CharacterSheet

# As many are told of: a character is seldom given a new look, and an answer has an end.
MAX_VERSIONS = 1_000


def character_id(name: str) -> str:
    """The id of a character: 26 letters and digits that follow from its name."""
    return hashlib.sha256(name.encode()).hexdigest()[:26]


@dataclass(frozen=True, kw_only=True)
class SheetVersion:
    """A sheet as it was from a moment on; `edit` is the id of the edit that it came of, or ""."""

    version: int
    sheet: CharacterSheet
    create_time: datetime
    edit: str = ""


@dataclass(frozen=True, kw_only=True)
class Character:
    """Somebody who is seen in films: the newest sheet and its number."""

    id: str
    sheet: CharacterSheet
    version: int

    @property
    def name(self) -> str:
        """The resource name."""
        return f"characters/{self.id}"
