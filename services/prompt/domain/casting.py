"""Who is who in a script: speakers merged across their aliases, and who is seen in a shot."""

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

from services.prompt.domain.prose import Person
from services.prompt.domain.script import Action, Character, Line, SceneDraft

_EXTENSION = re.compile(r"\s*[(（][^)）]*[)）]\s*|\^")
_NOT_NAMES = {"THE", "A", "AN", "DR", "MR", "MRS", "MS", "OLD", "YOUNG", "LITTLE", "AND", "NA"}
_WORD = re.compile(r"[^\W\d_]+(?:['’-][^\W\d_]+)*")
_PRONOUN = re.compile(r"\b(?:she|he|her|his|him|yeye)\b", re.IGNORECASE)
_NOBODY = frozenset({
    "she", "he", "her", "his", "him", "it", "they", "them", "i", "me", "you", "we", "us",
    "yeye", "wao", "mimi", "wewe", "sisi",
})  # fmt: skip
_TITLES = frozenset({
    "DR", "MR", "MRS", "MS", "MISS", "PROF", "PROFESSOR", "CAPTAIN", "OFFICER", "DETECTIVE",
    "SERGEANT",
    "INSPECTOR", "COLONEL", "GENERAL", "SIR", "LADY", "LORD", "KING", "QUEEN", "PRINCE", "PRINCESS",
    "CHIEF", "MZEE", "MWALIMU", "DAKTARI",
})  # fmt: skip
_INTRODUCED = re.compile(
    r"(?:\s+[A-Z][A-Z'’-]+){0,2}\s*[(（]([^)）]{1,120})[)）]|\s*,\s*((?:an?|the|mwenye|mzee)\s[^,.;]{1,80})"
)


@dataclass
class Cast:
    """The characters of one script."""

    names: dict[str, str] = field(default_factory=dict)
    """Canonical name by the spelling, upper case."""
    aliases: dict[str, list[str]] = field(default_factory=dict)
    lines: Counter[str] = field(default_factory=Counter)
    descriptions: dict[str, str] = field(default_factory=dict)
    _pattern: re.Pattern[str] | None = None

    @classmethod
    def of(cls, scenes: Iterable[SceneDraft], people: Iterable[Person] = ()) -> "Cast":
        """The speakers of all scenes, merged, with what is said of them when they come in.

        `people` are known before, with their other names.
        """
        cast = cls()
        for person in people:
            cast._introduce(person)
        elements = [element for scene in scenes for element in scene.elements]
        spoken = [bare_name(e.speaker) for e in elements if isinstance(e, Line)]
        counts = Counter(name.upper() for name in spoken if name)
        spelling = {name.upper(): name for name in reversed(spoken) if name}
        first = {name: place for place, name in reversed(list(enumerate(map(str.upper, spoken))))}
        for upper in sorted(counts, key=lambda name: (-len(_tokens(name)), first[name])):
            cast._enrol(upper, spelling[upper], counts)
        cast._compile()
        cast._describe(e.text for e in elements if isinstance(e, Action))
        return cast

    def canonical(self, speaker: str) -> str:
        """The name under which this speaker goes."""
        name = bare_name(speaker)
        return self.names.get(name.upper(), _display(name))

    def seen_in(self, text: str) -> tuple[str, ...]:
        """Characters named in a text, in order."""
        if self._pattern is None:
            return ()
        found = (self.names[match.group().upper()] for match in self._pattern.finditer(text))
        return tuple(dict.fromkeys(found))

    def meant_in(self, text: str, present: tuple[str, ...]) -> tuple[str, ...]:
        """Those named, and the one that a pronoun can mean when only one is present."""
        named = self.seen_in(text)
        if not named and len(present) == 1 and _PRONOUN.search(text):
            return present
        return named

    def sheet(self) -> tuple[Character, ...]:
        """Every character, the one with most lines first."""
        return tuple(
            Character(
                name=name,
                aliases=tuple(dict.fromkeys(a for a in self.aliases[name] if a != name)),
                description=self.descriptions.get(name, ""),
                lines=count,
            )
            for name, count in self.lines.most_common()
        )

    def _introduce(self, person: Person) -> None:
        name = self.names.get(person.name.upper(), person.name)
        for spelling in (person.name, *person.aliases):
            if spelling.lower() not in _NOBODY and spelling.upper() not in self.names:
                self.names[spelling.upper()] = name
                self.aliases.setdefault(name, []).append(spelling)
        self.lines[name] += 0
        if person.description:
            self.descriptions.setdefault(name, person.description)

    def _enrol(self, upper: str, spelling: str, counts: Counter[str]) -> None:
        if upper in self.names:
            self.lines[self.names[upper]] += counts[upper]
            return
        tokens = _tokens(upper)
        begins = {upper.split(maxsplit=1)[0].strip("."), *_TITLES}
        holders = {
            name
            for other, name in self.names.items()
            if tokens and tokens < _tokens(other) and other.split()[0].strip(".") in begins
        }
        name = holders.pop() if len(holders) == 1 else _display(spelling)
        self.names[upper] = name
        self.aliases.setdefault(name, []).append(spelling)
        self.lines[name] += counts[upper]

    def _compile(self) -> None:
        if self.names:
            known = sorted(self.names, key=len, reverse=True)
            self._pattern = re.compile(
                rf"(?<!\w)(?:{'|'.join(map(re.escape, known))})(?!\w)", re.IGNORECASE
            )

    def _describe(self, actions: Iterable[str]) -> None:
        for text in actions:
            for match in self._pattern.finditer(text) if self._pattern else ():
                name = self.names[match.group().upper()]
                told = _INTRODUCED.match(text, match.end())
                if told and name not in self.descriptions:
                    self.descriptions[name] = (told[1] or told[2]).strip()


def bare_name(speaker: str) -> str:
    """A speaker without (V.O.), (CONT'D) and their like."""
    return _EXTENSION.sub(" ", speaker).strip(" :*_@\t")


def _tokens(name: str) -> frozenset[str]:
    return frozenset(w.upper() for w in _WORD.findall(name)) - _NOT_NAMES


def _display(name: str) -> str:
    """Emma Jones for EMMA JONES; mixed case stays as it was written."""
    return name.title().replace("’S", "’s").replace("'S", "'s") if name.isupper() else name
