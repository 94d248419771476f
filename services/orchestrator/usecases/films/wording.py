"""Template, style preset and packs of a film: settled when it is planned."""

from dataclasses import dataclass, replace

from services.common.errors import InvalidArgument
from services.orchestrator.domain.films.brief import FilmBrief
from services.orchestrator.domain.films.wording import HOLE, FilmWording
from services.orchestrator.domain.styles import Filled, StylesPort
from services.orchestrator.usecases.filling import installed, knowing

_SHOTS_HOLE = "template_values.prompt"


@dataclass(frozen=True, kw_only=True)
class WordFilm:
    """Takes the snapshot by which every shot of a film is worded."""

    styles: StylesPort | None = None

    async def __call__(
        self, tenant: str, brief: FilmBrief, enabled: tuple[str, ...] = ()
    ) -> FilmBrief:
        """The film with what its words are put into; `enabled` are the packs of its tenant.

        Raises NotFound, InvalidArgument naming the field, Unavailable.
        """
        packs = tuple(dict.fromkeys((*enabled, *brief.packs)))
        if not (brief.template or brief.style_preset or packs):
            return brief
        styles = knowing(self.styles)
        preset = await installed(styles, tenant, brief.style_preset, packs, field="style_preset")
        filled = await self._filled(styles, tenant, brief) if brief.template else None
        return replace(brief, packs=packs, wording=FilmWording.of(filled, preset))

    async def _filled(self, styles: StylesPort, tenant: str, brief: FilmBrief) -> Filled:
        """The template with all holes filled but that for the shots."""
        values = {"prompt": HOLE, **brief.template_values}
        try:
            return await styles.fill(tenant, brief.template, values)
        except InvalidArgument as error:
            faults = {violation.field for violation in error.violations}
            if faults != {_SHOTS_HOLE} or "prompt" in brief.template_values:
                raise
            raise InvalidArgument(
                "template", "has no hole for the shots", allowed=(HOLE,)
            ) from error
