"""What a film's characters look like, and which of their pictures a shot carries. Pure."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Self

from services.common.errors import InvalidArgument, Violation
from services.orchestrator.domain.films.likeness import LikenessRule
from services.orchestrator.domain.films.shots import Shot
from services.orchestrator.domain.options import ImageInput, check_text

MAX_SHEETS = 32
MAX_NAME = 128
MAX_DESCRIPTION = 500
MAX_REFERENCE = 2_000
REFERENCE = r"(assets/[0-9a-z]{1,64}|https?://\S+)"


@dataclass(frozen=True, kw_only=True)
class CharacterSheet:
    """What a character looks like: in words, and in a picture, "assets/{id}" or an address.

    `sha256` is that of the picture where it is the tenant's asset, and "" until it was looked up.
    """

    name: str
    description: str = ""
    reference: str = ""
    sha256: str = ""

    def __post_init__(self) -> None:
        """Raise InvalidArgument naming the field that cannot work."""
        if not self.name.strip():
            raise InvalidArgument("name", "is empty", allowed=("who it is",))
        check_text("name", self.name, MAX_NAME)
        check_text("description", self.description, MAX_DESCRIPTION)
        check_text("reference", self.reference, MAX_REFERENCE)
        if self.reference and not re.fullmatch(REFERENCE, self.reference):
            raise InvalidArgument(
                "reference", "is no picture's place", allowed=("assets/{id}", "https://…")
            )
        if not (self.description.strip() or self.reference):
            raise InvalidArgument("description", "is empty", allowed=("words", "or a reference"))

    @property
    def picture(self) -> ImageInput | None:
        """The picture, where there is one."""
        if not self.reference:
            return None
        stored = self.reference.startswith("assets/")
        return ImageInput(asset=self.reference) if stored else ImageInput(uri=self.reference)

    @property
    def known_by(self) -> str:
        """What its picture is known by: the digest of an asset, an address by itself."""
        return self.sha256 or self.reference


@dataclass(frozen=True, kw_only=True)
class Cast:
    """A snapshot of the sheets that a film uses: what is given later changes nothing.

    `begun` are the ids of the shots without a still whose clips begin with a picture. What follows
    a picture is held against it by the `rule`.
    """

    sheets: tuple[CharacterSheet, ...] = ()
    begun: tuple[str, ...] = ()
    rule: LikenessRule = field(default_factory=LikenessRule)

    @classmethod
    def of(cls, shots: Iterable[Shot], *sheets: Iterable[CharacterSheet]) -> Self:
        """The sheets of those who are seen; of one name the first wins."""
        known: dict[str, CharacterSheet] = {}
        for sheet in (each for some in sheets for each in some):
            known.setdefault(sheet.name, sheet)
        seen = dict.fromkeys(name for shot in shots for name in shot.characters)
        return cls(sheets=tuple(known[name] for name in seen if name in known))

    def beginning(self, shots: Iterable[str]) -> Self:
        """The same, with the shots whose clips begin with a picture."""
        return replace(self, begun=tuple(shots))

    def seen_in(self, shot: Shot) -> tuple[CharacterSheet, ...]:
        """The sheets of a shot's characters, in the shot's order."""
        by_name = {sheet.name: sheet for sheet in self.sheets}
        return tuple(by_name[name] for name in dict.fromkeys(shot.characters) if name in by_name)

    def pictured(self, shot: Shot) -> tuple[CharacterSheet, ...]:
        """Those of them that have a picture. A request carries the first one's."""
        return tuple(sheet for sheet in self.seen_in(shot) if sheet.reference)

    def looks(self, shot: Shot) -> str:
        """What a shot's characters look like, in words."""
        described = (sheet for sheet in self.seen_in(shot) if sheet.description.strip())
        return ". ".join(f"{sheet.name}: {sheet.description.strip(' .')}" for sheet in described)

    def first_frame(self, shot: Shot) -> ImageInput | None:
        """The picture that a clip without a still begins with."""
        shown = self.pictured(shot) if shot.shot_id in self.begun else ()
        return shown[0].picture if shown else None


def require_one_each(sheets: Sequence[CharacterSheet], field: str) -> None:
    """Raise InvalidArgument for too many sheets, or two of one name."""
    if len(sheets) > MAX_SHEETS:
        raise InvalidArgument(field, f"are {len(sheets)}", allowed=(f"0 to {MAX_SHEETS}",))
    names = [sheet.name for sheet in sheets]
    twice = [
        Violation(f"{field}[{at}].name", f"{name!r} is taken by {field}[{names.index(name)}]")
        for at, name in enumerate(names)
        if names.index(name) < at
    ]
    if twice:
        raise InvalidArgument.of(twice)
