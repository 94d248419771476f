"""How plays are printed: "ALGERNON." above his words or before them, acts over scenes."""

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

_ACT = re.compile(
    r"^\s*(?:(?:THE )?(?:FIRST|SECOND|THIRD|FOURTH|FIFTH) ACT"
    r"|ACT (?:[IVX]+|\d+|ONE|TWO|THREE|FOUR|FIVE)|PROLOGUE|EPILOGUE)\s*[.:]?\s*$"
)
_CUE = re.compile(r"^([A-Z][A-Z'’ -]{1,30}[A-Z])\.(?:\s+(\S.*))?$")
_SCREENPLAY = re.compile(r"^\s*(?:INT|EXT|EST|I/E)[. /]")
_NEVER = frozenset({"ACT", "SCENE", "INT", "EXT", "THE END", "CURTAIN", "FIN", "NOTE"})
_LEAST = 4


@dataclass(frozen=True)
class Play:
    """Whether a script is a play."""

    is_play: bool

    @classmethod
    def of(cls, lines: Iterable[str]) -> "Play":
        """A play has no slug lines of film, and many names in capitals with a full stop."""
        names: Counter[str] = Counter()
        for line in lines:
            if _SCREENPLAY.match(line):
                return cls(False)
            if cue := _cue(line):
                names[cue[1]] += 1
        return cls(names.total() >= _LEAST and max(names.values()) > 1)

    def line(self, line: str, before: str) -> list[str]:
        """An act or a cue of a play in Fountain; nothing for every other line."""
        if is_act(line):
            return ["", f"# {line.strip(' .:')}", ""]
        cue = _cue(line) if self.is_play and not before.strip() else None
        if cue is None:
            return []
        return [f"@{cue[1]}", cue[2]] if cue[2] else [f"@{cue[1]}"]


def is_act(line: str) -> bool:
    """Whether a line names an act, which holds scenes and is none."""
    return _ACT.match(line) is not None


def _cue(line: str) -> re.Match[str] | None:
    found = _CUE.match(line.strip())
    return None if found is None or found[1].split()[0] in _NEVER else found
