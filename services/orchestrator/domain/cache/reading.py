"""What a prompt says, as terms that can be compared: things, how many, what not, in which order."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

import snowballstemmer
from typing_extensions import override

from services.orchestrator.domain.cache.lexicon import LONGEST_PHRASE, Lexicon, Meaning, lexicon

_QUOTED = re.compile(r"[\"“”«»]([^\"“”«»]+)[\"“”«»]")
_TOKEN = re.compile(r"[^\W_]+(?:['’-][^\W_]+)*|[.,;:!?()]")
_CLAUSE = frozenset(".,;:!?()") | {"but", "lakini"}
# Swahili verbs: subject, tense, perhaps a relative, then the stem; "ku" is the infinitive.
_SW_VERB = re.compile(
    r"(?:(?P<subject>ni|u|a|tu|m|wa|i|zi|li|ya|ki|vi)(?:na|li|ta|me|ki)|ku)"
    r"(?P<stem>\w{2,})"
)
_SW_RELATIVE = re.compile(r"(?:ye|o|yo|cho|vyo|zo|lo|po)(?=\w{2})")
_SW_MANY = frozenset({"wa", "zi", "vi", "ya", "tu"})
_PARTICIPLE = re.compile(r"\w+(?:ed|en|own|ung|ught|elt|eld)")
_ORDERED = frozenset({"noun", "attribute", "verb", "relation", "count", "other", "quote"})
_english = snowballstemmer.stemmer("english")


@dataclass(frozen=True)
class Term:
    """One thing that a prompt says. `many` is None while the word alone does not tell.

    `name` says that it is written as a name, `first` that it begins a sentence.
    """

    concept: str
    group: str = ""
    kind: str = "other"
    many: bool | None = False
    negated: bool = False
    name: bool = field(default=False, compare=False)
    first: bool = field(default=False, compare=False)
    language: str = ""

    @property
    def ordered(self) -> bool:
        """Whether it means something else at another place."""
        return self.kind in _ORDERED

    @override
    def __str__(self) -> str:
        """For people: "no dog", "dogs"."""
        marks = "no " if self.negated else ""
        return f"{marks}{self.concept}{' (several)' if self.many else ''}"


@dataclass(frozen=True)
class Reading:
    """The terms of a prompt in order, and words that only ask for a good film."""

    terms: tuple[Term, ...]
    fillers: tuple[str, ...] = ()

    @property
    def features(self) -> dict[str, float]:
        """Weights by feature, for a lexical embedding."""
        found = {f"filler:{word}": 0.2 for word in self.fillers}
        for term in self.terms:
            found[str(term)] = found.get(str(term), 0.0) + 1.0
        return found


def read(text: str) -> Reading:
    """Read a prompt in English, Swahili or both."""
    quotes = [Term(f'"{found}"', "quote", "quote") for found in _QUOTED.findall(text)]
    tokens = _TOKEN.findall(_QUOTED.sub(" ", text).replace("’", "'"))
    terms, fillers = _Reader(lexicon()).read(tokens)
    return Reading(tuple(_settled(terms) + quotes), tuple(sorted(set(fillers))))


class _Reader:
    """Goes through the tokens once; what a negation covers ends with its clause."""

    def __init__(self, words: Lexicon) -> None:
        self._words = words
        self._terms: list[Term] = []
        self._fillers: list[str] = []
        self._negating = False

    def read(self, tokens: Sequence[str]) -> tuple[list[Term], list[str]]:
        """The terms as they stand, and the fillers."""
        position, begins = 0, True
        while position < len(tokens):
            length = self._phrase(tokens, position)
            phrase = tokens[position : position + length]
            self._take(phrase, begins=begins, before=tokens[max(position - 1, 0)].lower())
            begins = phrase[-1] in ".!?"
            position += length
        return self._terms, self._fillers

    def _phrase(self, tokens: Sequence[str], position: int) -> int:
        """How many tokens from here on mean something together."""
        known = (self._words.meanings, self._words.verbs, self._words.stop, self._words.filler)
        for length in range(LONGEST_PHRASE, 1, -1):
            joined = "_".join(t.lower() for t in tokens[position : position + length])
            if "_" in joined and any(joined in table for table in known):
                return length
        return 1

    def _take(self, phrase: Sequence[str], *, begins: bool, before: str) -> None:
        word = "_".join(phrase).lower().removesuffix("'s")
        if word in _CLAUSE:
            self._negating = False
        elif word in self._words.negation:
            self._negating = True
        elif word in self._words.either:
            self._negating = bool(self._terms) and self._terms[-1].negated
        elif word == "by" and _PARTICIPLE.fullmatch(before):
            self._terms.append(Term("passive", "voice", "relation"))
        elif word in self._words.filler:
            self._fillers.append(word)
        elif word not in self._words.stop:
            self._add(self._term(word, capital=phrase[0][0].isupper(), begins=begins))

    def _add(self, term: Term) -> None:
        self._terms.append(replace(term, negated=self._negating))
        # "no black dogs" is about dogs: attributes and numbers hand the negation on.
        self._negating = self._negating and term.kind in {"attribute", "count"}

    def _term(self, word: str, *, capital: bool, begins: bool) -> Term:
        meaning = self._meaning(word)
        if meaning is not None:
            return _known(meaning)
        swahili = _SW_VERB.fullmatch(word)
        if swahili and (verb := self._swahili(swahili["stem"])):
            many = swahili["subject"] in _SW_MANY
            return Term(verb.concept, verb.group, "verb", many, language="sw")
        verb = self._words.verbs.get(word) or self._stemmed(word)
        if verb is not None:
            return Term(verb.concept, verb.group, "verb", None, language=verb.language)
        many = word.endswith("s") and not word.endswith(("ss", "us", "is"))
        # Every sentence begins with a capital, so that its first word may be a name and may not.
        return Term(_english.stemWord(word), many=many, name=capital, first=begins)

    def _meaning(self, word: str) -> Meaning | None:
        found = self._words.meanings.get(word)
        if found is None and word.endswith("ni"):  # a place where something is, in Swahili
            found = self._words.meanings.get(word.removesuffix("ni"))
        return found

    def _swahili(self, stem: str) -> Meaning | None:
        """The verb of a stem, which may have a relative before it: "anaye-kimbia"."""
        return self._words.verbs.get(stem) or self._words.verbs.get(_SW_RELATIVE.sub("", stem, 1))

    def _stemmed(self, word: str) -> Meaning | None:
        """A regular form of an English verb."""
        return _verb_stems().get(_english.stemWord(word))


_stems: dict[str, Meaning] = {}


def _verb_stems() -> dict[str, Meaning]:
    if not _stems:
        english = {w: m for w, m in lexicon().verbs.items() if m.language == "en"}
        _stems.update({_english.stemWord(word): meaning for word, meaning in english.items()})
    return _stems


def _known(meaning: Meaning) -> Term:
    many = meaning.many if meaning.kind == "noun" else False
    return Term(meaning.concept, meaning.group, meaning.kind, many, language=meaning.language)


def _settled(terms: Sequence[Term]) -> list[Term]:
    """Swahili attributes before their noun, as in English, and every noun one or many."""
    several = any(t.kind == "verb" and t.language == "sw" and t.many for t in terms)
    return [*_counted(_before_nouns(terms), several=several)]


def _before_nouns(terms: Sequence[Term]) -> list[Term]:
    found: list[Term] = []
    place = 0
    for term in terms:
        follows = term.language == "sw" and term.kind in {"attribute", "count"}
        if follows and found and found[-1].kind == "noun":
            found.insert(place, term)
            place += 1
        else:
            place = len(found)
            found.append(term)
    return found


def _counted(terms: Sequence[Term], *, several: bool) -> Iterator[Term]:
    """`many` of each term settled; "one" alone says nothing more than a singular does."""
    count = ""
    for term in terms:
        if term.kind == "count":
            count = term.concept
            if count == "1" and not term.negated:
                continue
        if term.kind == "noun":
            many = term.many
            if many is None:
                many = count not in {"", "1"} or (term.language == "sw" and several)
            yield replace(term, many=many, language="")
            count = ""
        else:
            yield replace(term, many=bool(term.many) and term.kind == "other", language="")
