"""CreateTemplate and ListTemplates."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime

from services.common.errors import Aborted, InvalidArgument, NotFound
from services.prompt.domain.parameters import VideoParameters
from services.prompt.domain.templates import Page, Template, TemplateContent, TemplateStore

_TRIES = 5
_PREFIX = "templates/"
_NAME = re.compile(r"templates/([^/@]{1,64})(?:@([1-9]\d{0,8}))?")


@dataclass(frozen=True, kw_only=True)
class CreateTemplateRequest:
    """What a caller asks of CreateTemplate; `name` makes the next version of that template."""

    tenant: str
    content: TemplateContent
    name: str = ""
    request_id: str = ""

    def __post_init__(self) -> None:
        if self.name and not self.name.startswith(_PREFIX):
            raise InvalidArgument("template.name", 'must look like "templates/{id}"')
        if len(self.request_id) > 128:
            raise InvalidArgument("request_id", "must have at most 128 characters")


@dataclass(frozen=True)
class TemplateOrder:
    """Which template, by name with or without a version, and what fills its holes."""

    name: str
    values: Mapping[str, str]


@dataclass(frozen=True)
class FilledTemplate:
    """The text, and the version of the template that was used."""

    text: str
    template: Template

    @property
    def name(self) -> str:
        """The name that means this version for ever."""
        return self.template.pinned_name

    @property
    def defaults(self) -> VideoParameters:
        """The parameters that the template brings."""
        return self.template.content.defaults


class Templates:
    """The templates of every tenant; nobody sees another's."""

    def __init__(
        self, store: TemplateStore, *, now: Callable[[], datetime], new_id: Callable[[], str]
    ) -> None:
        self._store = store
        self._now = now
        self._new_id = new_id

    async def create(self, request: CreateTemplateRequest) -> Template:
        """A new template, or the next version of one.

        Raises:
            NotFound: `name` is no template of the tenant.
            RequestConflict: the `request_id` was used with other content.
        """
        for _ in range(_TRIES):
            try:
                return await self._store.add(await self._next(request))
            except Aborted:
                continue
        msg = "this template is being changed by many at once"
        raise Aborted(msg)

    async def fill(self, tenant: str, order: TemplateOrder) -> FilledTemplate:
        """A template of the tenant with its holes filled.

        Raises:
            NotFound: no such template or version of the tenant.
            InvalidArgument: a name of another shape, or values that do not fit the holes.
        """
        match = _NAME.fullmatch(order.name)
        if match is None:
            raise InvalidArgument(
                "template", 'must look like "templates/{id}" or with "@{version}"'
            )
        found = await self._store.get(tenant, match[1], int(match[2] or 0))
        if found is None:
            raise NotFound("template", order.name)
        text = found.content.filled(order.values)
        return FilledTemplate(text, found)

    async def list(self, tenant: str, page: Page) -> tuple[tuple[Template, ...], str]:
        """The newest version of each template, and where the next page begins."""
        found, more = await self._store.list(tenant, page)
        return found, found[-1].id if more else ""

    async def _next(self, request: CreateTemplateRequest) -> Template:
        template_id, version = self._new_id(), 1
        if request.name:
            template_id = request.name.removeprefix(_PREFIX)
            newest = await self._store.get(request.tenant, template_id)
            if newest is None:
                raise NotFound("template", request.name)
            version = newest.version + 1
        return Template(
            id=template_id,
            tenant=request.tenant,
            version=version,
            content=request.content,
            create_time=self._now(),
            request_id=request.request_id,
        )
