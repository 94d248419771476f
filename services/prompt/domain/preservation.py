"""What a rewrite may not lose: quoted speech, names, numbers, negations and the language."""

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from services.prompt.domain.lexicon import Lexicon
from services.prompt.domain.names import NameBook, find_names
from services.prompt.domain.spans import numbers, quotes, without_quotes

_WORD = re.compile(r"[\w'’-]+")
_REACH = 5


@dataclass(frozen=True)
class Preservation:
    """Compares a rewritten prompt with the caller's own words."""

    lexicons: Mapping[str, Lexicon]
    names: NameBook

    def lost(self, original: str, rewritten: str, *, translated: bool = False) -> tuple[str, ...]:
        """What the rewrite lost, as short texts for a message; empty when nothing."""
        missing = [quote for quote in quotes(original) if quote[1:-1] not in rewritten]
        missing += self._lost_numbers(original, rewritten, translated=translated)
        lowered = rewritten.casefold()
        names = find_names(without_quotes(original), self.names)
        missing += [
            n.text
            for n in names
            if n.text.casefold() not in lowered and not (translated and n.is_place)
        ]
        missing += self._lost_negations(original, rewritten, translated=translated)
        return tuple(dict.fromkeys(missing))

    def _lost_numbers(self, original: str, rewritten: str, *, translated: bool) -> list[str]:
        left = Counter(numbers(rewritten))
        missing = list((Counter(numbers(original)) - left).elements())
        if translated:
            return missing
        said = _words(rewritten)
        for lexicon in self.lexicons.values():
            for word, value in lexicon.numbers.items():
                if value > 1 and " " not in word and word in _words(original) and word not in said:
                    missing += [] if str(value) in left else [word]
        return missing

    def _lost_negations(self, original: str, rewritten: str, *, translated: bool) -> list[str]:
        before, after = self._negated(original), self._negated(rewritten)
        if translated:
            return [" ".join(words[:2]) for words in before[len(after) :]]
        return [
            " ".join(words[:2])
            for words in before
            if not any(set(words[1:2]) <= set(others[1:]) for others in after)
        ]

    def _negated(self, text: str) -> list[list[str]]:
        """For each negating word: itself and the words within its reach, fillers left out."""
        open_words = [word.lower() for word in _WORD.findall(without_quotes(text))]
        found = []
        for index, word in enumerate(open_words):
            if any(word in lexicon.negation.markers for lexicon in self.lexicons.values()):
                reach = [
                    w for w in open_words[index + 1 : index + 1 + _REACH] if not self._filler(w)
                ]
                found.append([word, *reach])
        return found

    def _filler(self, word: str) -> bool:
        return any(word in lex.negation.articles for lex in self.lexicons.values())


def _words(text: str) -> set[str]:
    return {word.lower() for word in _WORD.findall(text)}
