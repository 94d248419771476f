"""Templates and style presets of the prompt service, as far as jobs and films keep them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol


@dataclass(frozen=True, kw_only=True)
class Filled:
    """A template's text; `name` has its version, `defaults` fields of a request by name."""

    name: str
    text: str
    defaults: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class StylePreset:
    """A named look: words that are added, and fields of a request by name."""

    id: str
    pack: str
    phrase: str
    parameters: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Looks:
    """All presets and culture packs that are installed; a pack may have no presets."""

    presets: tuple[StylePreset, ...] = ()
    packs: tuple[str, ...] = ()


class StylesPort(Protocol):
    """The prompt service's templates and presets, on behalf of a tenant."""

    async def fill(self, tenant: str, template: str, values: Mapping[str, str]) -> Filled:
        """A template with its holes filled. Raises NotFound, InvalidArgument, Unavailable."""

    async def looks(self, tenant: str) -> Looks:
        """Everything that is installed. Raises Unavailable."""
