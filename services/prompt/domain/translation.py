"""Translating word by word from a list: what is left when no language model can."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

from services.prompt.domain.spans import quotes

_WORD = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)?")


@dataclass(frozen=True)
class WordList:
    """Words of one language in another; grammar is not attempted."""

    source: str
    target: str
    words: Mapping[str, str]
    drop: frozenset[str]

    @cached_property
    def _pattern(self) -> re.Pattern[str]:
        entries = sorted(self.words, key=len, reverse=True)
        known = "|".join(re.escape(entry).replace(r"\ ", r"\s+") for entry in entries)
        return re.compile(rf"(?<!\w)(?P<known>{known})(?!\w)|{_WORD.pattern}", re.IGNORECASE)

    def translate(self, text: str) -> "Translation":
        """The text with known words exchanged; quoted speech and capitalised names stay."""
        kept = quotes(text)
        pieces = re.split("(" + "|".join(map(re.escape, kept)) + ")", text) if kept else [text]
        counts = [0, 0]
        done = [piece if piece in kept else self._piece(piece, counts) for piece in pieces]
        return Translation("".join(done).strip(), counts[0], counts[1])

    def _piece(self, piece: str, counts: list[int]) -> str:
        def exchange(match: re.Match[str]) -> str:
            word = match.group()
            counts[0] += 1
            if match["known"]:
                return self.words[re.sub(r"\s+", " ", word.lower())]
            if word.lower() in self.drop:
                return ""
            counts[1] += not word[0].isupper()
            return word

        swapped = self._pattern.sub(exchange, piece)
        return re.sub(r"[ \t]{2,}", " ", re.sub(r"[ \t]+([,.;!?])", r"\1", swapped))


@dataclass(frozen=True)
class Translation:
    """A translated text, and how many of its words the list did not know."""

    text: str
    words: int
    unknown: int
