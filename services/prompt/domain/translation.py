"""Translating word by word from a list: what is left when no language model can."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Self

from services.prompt.domain.inflection import Inflection
from services.prompt.domain.spans import quotes

NOUN, ADJECTIVE, NUMBER, OTHER = "noun", "adjective", "number", "other"
_WORD = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)*")
_DIGITS = r"\d+(?:[.,]\d+)?"
_SENTENCE_END = tuple(".!?:;\n")


@dataclass(frozen=True)
class Translation:
    """A translated text, and how many of its words the list did not know."""

    text: str
    words: int
    unknown: int


@dataclass(frozen=True)
class Entry:
    """A word of the other language, and what kind of word it is."""

    text: str
    kind: str = OTHER


@dataclass(frozen=True, kw_only=True)
class WordList:
    """Words of one language in another, and how they are inflected."""

    source: str
    target: str
    entries: Mapping[str, Entry]
    inflection: Inflection = field(default_factory=Inflection)
    drop: frozenset[str] = frozenset()
    names: frozenset[str] = frozenset()
    """Words that name a person where they are capitalised within a sentence."""

    def knowing(self, phrases: Iterable[Mapping[str, str]]) -> Self:
        """The list with phrases that are there in both languages, by their tags; its own win."""
        pairs = ((phrase.get(self.source), phrase.get(self.target)) for phrase in phrases)
        more = {said.lower(): Entry(meant) for said, meant in pairs if said and meant}
        return replace(self, entries={**more, **self.entries})

    @cached_property
    def _pattern(self) -> re.Pattern[str]:
        entries = sorted((e for e in self.entries if " " in e), key=len, reverse=True)
        phrases = "|".join(re.escape(entry).replace(r"\ ", r"\s+") for entry in entries) or "(?!)"
        known = rf"(?<!\w)(?P<phrase>{phrases})(?!\w)|(?P<digits>{_DIGITS})"
        return re.compile(rf"{known}|(?P<word>{_WORD.pattern})", re.IGNORECASE)

    def translate(self, text: str) -> Translation:
        """The text with known words exchanged; quoted speech and names of people stay."""
        kept = quotes(text)
        pieces = re.split("(" + "|".join(map(re.escape, kept)) + ")", text) if kept else [text]
        work = _Work(self)
        done = [piece if piece in kept else work.piece(piece) for piece in pieces]
        return Translation("".join(done).strip(), work.words, work.unknown)

    def find(self, word: str) -> Entry | None:
        """What a word means: as it stands, else by its endings and beginnings."""
        known = self.entries.get(word)
        if known is not None:
            return known
        if verb := self.inflection.verb(word):
            return Entry(verb)
        if adjective := self.inflection.adjective(word):
            return Entry(adjective, ADJECTIVE)
        stem = self.inflection.place_of(word)
        place = self.entries.get(stem) if stem else None
        if place is not None and place.kind == NOUN:
            return Entry(f"{self.inflection.place} {place.text}")
        return None


@dataclass
class _Work:
    """Counts on the way through one text."""

    words_of: WordList
    words: int = 0
    unknown: int = 0

    def piece(self, piece: str) -> str:
        """One stretch between quotations."""
        tokens: list[Entry] = []
        end = 0
        for match in self.words_of._pattern.finditer(piece):
            tokens.append(Entry(piece[end : match.start()], "gap"))
            tokens.append(self._token(match, piece))
            end = match.end()
        text = "".join(token.text for token in _reordered(tokens)) + piece[end:]
        text = self.words_of.inflection.once(text)
        return re.sub(r"[ \t]{2,}", " ", re.sub(r"[ \t]+([,.;!?])", r"\1", text))

    def _token(self, match: re.Match[str], piece: str) -> Entry:
        word, before = match.group(), piece[: match.start()].rstrip(" \t\"'“”«»(")
        if match["digits"]:
            return Entry(word, NUMBER)
        self.words += 1
        plain = re.sub(r"\s+", " ", word.lower().replace("’", "'"))
        opens = not before or before.endswith(_SENTENCE_END)
        if plain in self.words_of.names and word[0].isupper() and not opens:
            return Entry(word)
        if plain in self.words_of.drop:
            return Entry("")
        found = self.words_of.find(plain)
        if found is None:
            self.unknown += not word[0].isupper()
            return Entry(word)
        if word[0].isupper() and found.text:
            return Entry(found.text[0].upper() + found.text[1:], found.kind)
        return found


def _reordered(tokens: list[Entry]) -> list[Entry]:
    """Adjectives and numbers before the noun that they follow: "mti mkubwa" is a big tree."""
    out: list[Entry] = []
    noun = -1
    for token in tokens:
        before = out[-1] if out else None
        follows = before is not None and before.kind == "gap" and before.text.isspace()
        if noun >= 0 and follows and token.kind in {ADJECTIVE, NUMBER}:
            out[noun:noun] = [_like(token, out[noun]), Entry(" ", "gap")]
            noun += 2
            out[noun] = Entry(out[noun].text[:1].lower() + out[noun].text[1:], NOUN)
            continue
        if token.kind == NOUN:
            noun = len(out)
        elif token.kind != "gap" or not (token.text.isspace() or not token.text):
            noun = -1
        out.append(token)
    return out


def _like(token: Entry, noun: Entry) -> Entry:
    """The word with a capital where the noun that it moves before had one."""
    text = token.text[:1].upper() + token.text[1:] if noun.text[:1].isupper() else token.text
    return Entry(text, token.kind)
