"""Templates: prompts with named holes. A change is a new version, so that what uses one stays."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from string import Formatter
from typing import Protocol

from services.common.errors import InvalidArgument
from services.prompt.domain.parameters import MAX_PROMPT_CHARACTERS, VideoParameters

MAX_VALUE_CHARACTERS = 4_000
MAX_PAGE = 200
DEFAULT_PAGE = 50


@dataclass(frozen=True, kw_only=True)
class TemplateContent:
    """What the caller decides about a template.

    Raises:
        InvalidArgument: no name, no text, or a hole that is not a plain name.
    """

    display_name: str
    body: str
    defaults: VideoParameters

    def __post_init__(self) -> None:
        if not self.display_name.strip() or len(self.display_name) > 200:
            raise InvalidArgument("template.display_name", "must have 1 to 200 characters")
        if not self.body.strip() or len(self.body) > MAX_PROMPT_CHARACTERS:
            raise InvalidArgument(
                "template.body", f"must have 1 to {MAX_PROMPT_CHARACTERS} characters"
            )
        holes_of(self.body)

    def filled(self, values: Mapping[str, str]) -> str:
        """The body with every hole filled; what is put in is text and opens no hole.

        Raises:
            InvalidArgument: a hole without a value, a value without a hole, a text too long.
        """
        holes = holes_of(self.body)
        for name in sorted(values):
            if name not in holes:
                raise InvalidArgument(
                    f"template_values.{name}", "is no hole of the template", allowed=holes
                )
        for hole in holes:
            if not values.get(hole, "").strip():
                raise InvalidArgument(f"template_values.{hole}", "must not be empty")
            if len(values[hole]) > MAX_VALUE_CHARACTERS:
                limit = f"must have at most {MAX_VALUE_CHARACTERS} characters"
                raise InvalidArgument(f"template_values.{hole}", limit)
        return Formatter().vformat(self.body, (), values)


@dataclass(frozen=True, kw_only=True)
class Template:
    """One version of a template."""

    id: str
    tenant: str
    version: int
    content: TemplateContent
    create_time: datetime
    request_id: str = ""

    @property
    def pinned_name(self) -> str:
        """The name that means this version for ever."""
        return f"templates/{self.id}@{self.version}"

    def __post_init__(self) -> None:
        if self.version < 1 or self.create_time.tzinfo is None:
            raise InvalidArgument("template", "needs a version from 1 and an aware time")


@dataclass(frozen=True)
class Page:
    """How much of a list, and from where: after the template with this id."""

    size: int = DEFAULT_PAGE
    after: str = ""

    def __post_init__(self) -> None:
        if not 1 <= self.size <= MAX_PAGE:
            raise InvalidArgument("page_size", f"must be between 1 and {MAX_PAGE}")


class TemplateStore(Protocol):
    """Keeps every version of every template."""

    async def add(self, template: Template) -> Template:
        """Stores a version; the same `request_id` again returns what it stored before.

        Raises:
            RequestConflict: the same `request_id` came with other content.
            Aborted: somebody else took that version number.
        """
        ...

    async def get(self, tenant: str, template_id: str, version: int = 0) -> Template | None:
        """A version, 0 for the newest, or None."""
        ...

    async def list(self, tenant: str, page: Page) -> tuple[tuple[Template, ...], bool]:
        """The newest version of each template by id, and whether there are more."""
        ...


def holes_of(body: str) -> tuple[str, ...]:
    """Names of the holes, each once, in order.

    Raises:
        InvalidArgument: unbalanced braces, or a hole that does more than name a value.
    """
    try:
        parts = list(Formatter().parse(body))
    except ValueError as error:
        raise InvalidArgument("template.body", f"has a broken hole: {error}") from error
    holes = []
    for _, name, spec, conversion in parts:
        if name is None:
            continue
        if not name.isidentifier() or spec or conversion:
            raise InvalidArgument(
                "template.body", f'holes are plain names such as "{{animal}}", not "{name}"'
            )
        holes.append(name)
    return tuple(dict.fromkeys(holes))
