"""Words that change at both ends: agreement, tense, place, read from prefixes and suffixes."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property


@dataclass(frozen=True)
class Verb:
    """The forms of a verb in the language of the translation."""

    base: str
    third: str
    participle: str
    past: str


@dataclass(frozen=True, kw_only=True)
class Inflection:
    """How verbs and adjectives are built in a language that puts most of it before the stem."""

    verbs: Mapping[str, Verb] = field(default_factory=dict)
    adjectives: Mapping[str, str] = field(default_factory=dict)
    subjects: tuple[str, ...] = ()
    plain: frozenset[str] = frozenset()
    """Subjects after which the verb has no ending of the third person."""
    tenses: Mapping[str, str] = field(default_factory=dict)
    relatives: tuple[str, ...] = ()
    objects: tuple[str, ...] = ()
    negatives: tuple[str, ...] = ()
    prohibitions: tuple[str, ...] = ()
    infinitives: tuple[str, ...] = ()
    agreements: tuple[str, ...] = ()
    locative: str = ""
    place: str = ""
    prepositions: tuple[str, ...] = ()
    """Words of the other language that say where by themselves: "from in the city" is twice."""

    @cached_property
    def _negated(self) -> Mapping[str, str]:
        """Stems by the form that they take behind a negative prefix."""
        ends = {stem[:-1] + "i": stem for stem in self.verbs if stem.endswith("a")}
        return ends | {stem: stem for stem in self.verbs if not stem.endswith("a")}

    @cached_property
    def _finite(self) -> re.Pattern[str]:
        return re.compile(
            rf"(?P<subject>{_any(self.subjects)})(?P<tense>{_any(self.tenses)})"
            rf"(?P<relative>{_any(self.relatives)})??(?:{_any(self.objects)})??"
            rf"(?P<stem>{_any(self.verbs)})"
        )

    @cached_property
    def _not(self) -> re.Pattern[str]:
        return re.compile(
            rf"(?:{_any(self.negatives)})(?:{_any(self.objects)})??"
            rf"(?:(?P<now>{_any(self._negated)})|ku(?P<then>{_any(self.verbs)}))"
        )

    @cached_property
    def _unwanted(self) -> re.Pattern[str]:
        ends = {stem[:-1] + "e" for stem in self.verbs if stem.endswith("a")}
        stems = ends | {stem for stem in self.verbs if not stem.endswith("a")}
        return re.compile(
            rf"(?:{_any(self.subjects)})(?:{_any(self.prohibitions)})(?:{_any(self.objects)})??"
            rf"(?P<stem>{_any(stems)})"
        )

    @cached_property
    def _bare(self) -> re.Pattern[str]:
        return re.compile(
            rf"(?:(?P<infinitive>{_any(self.infinitives)})(?:{_any(self.objects)})??)?"
            rf"(?P<stem>{_any(self.verbs)})"
        )

    @cached_property
    def _agreeing(self) -> re.Pattern[str]:
        return re.compile(rf"(?:{_any(self.agreements)})?(?P<stem>{_any(self.adjectives)})")

    def verb(self, word: str) -> str:
        """A verb's form in the other language, or ""."""
        if found := self._finite.fullmatch(word):
            return self._form(found)
        if found := self._not.fullmatch(word):
            stem = found["then"] or self._negated[found["now"]]
            return f"not {self.verbs[stem].participle}"
        if found := self._unwanted.fullmatch(word):
            stem = found["stem"]
            verb = self.verbs.get(stem) or self.verbs[stem[:-1] + "a"]
            return f"do not {verb.base}"
        if found := self._bare.fullmatch(word):
            base = self.verbs[found["stem"]].base
            return f"to {base}" if found["infinitive"] else base
        return ""

    def adjective(self, word: str) -> str:
        """An adjective in the other language, or ""."""
        found = self._agreeing.fullmatch(word)
        return self.adjectives[found["stem"]] if found else ""

    def place_of(self, word: str) -> str:
        """The noun of a word that says "in" or "at" at its end, or ""."""
        end = self.locative
        return word.removesuffix(end) if end and word.endswith(end) and len(word) > 4 else ""

    def once(self, text: str) -> str:
        """The text with places that are said twice said once: "from the city"."""
        if not (self.place and self.prepositions):
            return text
        twice = rf"\b({_any(self.prepositions)}) {re.escape(self.place)}\b"
        return re.sub(twice, rf"\1 {self.place.split()[-1]}", text)

    def _form(self, found: re.Match[str]) -> str:
        verb, tense = self.verbs[found["stem"]], self.tenses[found["tense"]]
        if found["relative"] and tense == "present":
            return verb.participle
        if tense == "present":
            return verb.base if found["subject"] in self.plain else verb.third
        return f"will {verb.base}" if tense == "future" else str(getattr(verb, tense))


def _any(words: Iterable[str]) -> str:
    """One expression for any of the words, the longest first; nothing matches none."""
    return "|".join(map(re.escape, sorted(words, key=len, reverse=True))) or "(?!)"
