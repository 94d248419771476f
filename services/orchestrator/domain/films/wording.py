"""How the words of every shot are put: template, preset and packs as they were at the beginning."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Self

from services.common.errors import InvalidArgument
from services.orchestrator.domain.styles import Filled, StylePreset

HOLE = "{prompt}"


@dataclass(frozen=True, kw_only=True)
class FilmWording:
    """A snapshot: later versions of the template, other presets and packs change nothing.

    `template` has its version, `text` one hole for a shot's words, `fields` those of a request by
    name that count where a shot says nothing.
    """

    template: str = ""
    text: str = HOLE
    preset: str = ""
    phrase: str = ""
    fields: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def of(cls, filled: Filled | None, preset: StylePreset | None) -> Self:
        """The snapshot; a template without a hole for the shots is refused with InvalidArgument."""
        if filled is not None and HOLE not in filled.text:
            raise InvalidArgument("template", "has no hole for the shots", allowed=(HOLE,))
        taken = dict(preset.parameters) if preset else {}
        return cls(
            template=filled.name if filled else "",
            text=filled.text if filled else HOLE,
            preset=preset.id if preset else "",
            phrase=preset.phrase if preset else "",
            fields=taken | (dict(filled.defaults) if filled else {}),
        )

    def put(self, words: str, *, styled: bool = False) -> str:
        """A shot's words as they are asked for; `styled` ones have a look already."""
        said = self.text.replace(HOLE, words)
        if styled or not self.phrase or self.phrase.casefold() in said.casefold():
            return said
        return f"{said.rstrip(' .')}. {self.phrase}"

    def told(self, name: str, own: Any) -> Any:
        """A field of a shot's request: its own, or else the template's or the preset's."""
        return own or self.fields.get(name, own)
