"""Chooses how a script is read; implements the port `ScriptParser`."""

import re

from services.prompt.adapters.scripts import fountain, prose, shot_list
from services.prompt.adapters.scripts.normalising import to_fountain
from services.prompt.domain.ports import Proceed, go_on
from services.prompt.domain.prose import NO_LABELS, Labels
from services.prompt.domain.script import Format, ParsedScript, Scene

_HEADING = re.compile(r"^\s*(?:(?:INT|EXT|EST|I/E)[. ]|\.\w)", re.IGNORECASE | re.MULTILINE)
_CUE = re.compile(r"^(?:@.+|[A-Z][A-Z .'()-]{1,38}[A-Z)])\n\S", re.MULTILINE)


class ScriptFiles:
    """Fountain, prose and shot lists."""

    def detect(self, script: str) -> Format:
        """How the script is written, told from its beginning."""
        if script.lstrip()[:1] in {"{", "["}:
            return Format.SHOTS_JSON
        beginning = to_fountain(script[:20_000])
        marked = _HEADING.search(beginning) or len(_CUE.findall(beginning)) >= 2
        return Format.FOUNTAIN if marked else Format.PROSE

    def parse(
        self, script: str, form: Format, *, labels: Labels = NO_LABELS, proceed: Proceed = go_on
    ) -> ParsedScript:
        """A script in words."""
        if form is Format.FOUNTAIN:
            return fountain.parse(script, proceed)
        return prose.parse(script, labels, proceed)

    def shots(self, script: str) -> tuple[str, list[Scene], list[tuple[int, str]]]:
        """A shot list; see `shot_list.parse`."""
        return shot_list.parse(script)
