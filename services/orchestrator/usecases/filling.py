"""Templates, style presets and culture packs of a request: settled when it is accepted."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from services.common.errors import InvalidArgument, Unavailable
from services.orchestrator.domain.request import VideoRequest
from services.orchestrator.domain.styles import Looks, StylePreset, StylesPort


def as_styled(request: VideoRequest, packs: tuple[str, ...] = ()) -> VideoRequest:
    """The request with the packs that its tenant has enabled, known by what the caller asked."""
    every = tuple(dict.fromkeys((*packs, *request.packs)))
    if not (every or request.template):
        return request
    return replace(request, packs=every, asked=request.fingerprint())


def knowing(styles: StylesPort | None) -> StylesPort:
    """The port. Raises Unavailable where nothing is connected to it."""
    if styles is None:
        raise Unavailable("nothing here knows templates and presets")
    return styles


async def installed(
    styles: StylesPort, tenant: str, preset: str, packs: Sequence[str], *, field: str = "preset"
) -> StylePreset | None:
    """The preset of this name, None for ""; `field` is what a request calls it.

    Raises InvalidArgument for a preset or a pack that is not installed.
    """
    if not (preset or packs):
        return None
    looks = await styles.looks(tenant)
    known = {found.id: found for found in looks.presets}
    if preset and preset not in known:
        raise InvalidArgument(field, f"{preset!r} is not known", allowed=sorted(known))
    require_packs(looks, packs)
    return known.get(preset)


def require_packs(looks: Looks, packs: Sequence[str], field: str = "packs") -> None:
    """Raise InvalidArgument for a pack that is not installed, naming those that are."""
    for pack in packs:
        if pack not in looks.packs:
            raise InvalidArgument(field, f"{pack!r} is not known", allowed=looks.packs)


@dataclass(frozen=True, kw_only=True)
class FillRequest:
    """Fills a template in the version that is its newest now; later versions change nothing."""

    styles: StylesPort | None = None

    async def __call__(self, tenant: str, request: VideoRequest) -> VideoRequest:
        """The request with its words.

        Raises NotFound for a template that the tenant does not have, InvalidArgument for values
        that do not fit it and for a preset or pack that is not installed, Unavailable while the
        prompt service is away.
        """
        if not (request.template or request.preset or request.packs):
            return request
        styles = knowing(self.styles)
        await installed(styles, tenant, request.preset, request.packs)
        if not request.template:
            return request
        values = dict(request.template_values)
        if request.prompt and values.setdefault("prompt", request.prompt) != request.prompt:
            message = "is set twice: leave prompt empty"
            raise InvalidArgument("template_values.prompt", message, allowed=("one of the two",))
        filled = await styles.fill(tenant, request.template, values)
        unset = {n: v for n, v in filled.defaults.items() if not getattr(request, n)}
        return replace(request, prompt=filled.text, template=filled.name, **unset)
