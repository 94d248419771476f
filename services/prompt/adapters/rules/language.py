"""Which language a prompt is in."""

import re
import unicodedata
from collections.abc import Mapping

from lingua import Language, LanguageDetectorBuilder

from services.prompt.domain.lexicon import Lexicon

_WORD = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)?")
_SCRIPTS = {
    "CYRILLIC": "ru",
    "ARABIC": "ar",
    "CJK": "zh",
    "HIRAGANA": "ja",
    "KATAKANA": "ja",
    "HANGUL": "ko",
    "DEVANAGARI": "hi",
    "ETHIOPIC": "am",
    "HEBREW": "he",
    "THAI": "th",
    "GREEK": "el",
    "BENGALI": "bn",
    "TAMIL": "ta",
}
_LATIN = (
    Language.ENGLISH, Language.SWAHILI, Language.FRENCH, Language.SPANISH, Language.PORTUGUESE,
    Language.GERMAN, Language.ITALIAN, Language.DUTCH, Language.SOMALI, Language.TURKISH,
    Language.POLISH, Language.INDONESIAN, Language.YORUBA, Language.ZULU, Language.VIETNAMESE,
)  # fmt: skip
MIXED = "mul"


class LanguageGuess:
    """Function words decide between the languages that rules speak; statistics name the others."""

    def __init__(self, lexicons: Mapping[str, Lexicon]) -> None:
        self._lexicons = lexicons
        every = [lexicon.function_words for lexicon in lexicons.values()]
        self._shared = frozenset.intersection(*every) if len(every) > 1 else frozenset[str]()
        builder = LanguageDetectorBuilder.from_languages(*_LATIN)
        self._statistics = builder.with_low_accuracy_mode().build()
        self._statistics.detect_language_of("the first call loads the models")

    def of(self, text: str, hint: str = "") -> str:
        """A BCP 47 tag, or "mul" where two languages share the text."""
        if (script := _other_script(text)) is not None:
            return script
        words = _WORD.findall(text[:4000])
        scores = {tag: self._score(words, text, lex) for tag, lex in self._lexicons.items()}
        ranked = sorted(scores, key=lambda tag: scores[tag], reverse=True)
        best, second = scores[ranked[0]], scores[ranked[1]] if len(ranked) > 1 else 0
        if min(best, second) >= 2 and second >= 0.2 * (best + second):
            return MIXED
        plain = sum(word[0].islower() for word in words)  # names are of no language
        if best and best >= 0.2 * plain:
            return ranked[0]
        return self._by_statistics(text, len(words)) or hint or ranked[0]

    def _score(self, words: list[str], text: str, lexicon: Lexicon) -> int:
        score = 0
        for word in words:
            lower = word.lower()
            if lower in self._shared:
                continue
            if lower in lexicon.function_words or self._has_shape(word, lexicon):
                score += 1
        for name in ("time_of_day", "mood", "style", "landscapes"):
            score += len(lexicon.fields[name].every(text))
        return score

    @staticmethod
    def _has_shape(word: str, lexicon: Lexicon) -> bool:
        shape = lexicon.verb_shape
        return shape is not None and word[0].islower() and bool(shape.fullmatch(word))

    def _by_statistics(self, text: str, words: int) -> str:
        if words < 3:
            return ""
        found = self._statistics.detect_language_of(text[:1000])
        return found.iso_code_639_1.name.lower() if found else ""


def _other_script(text: str) -> str | None:
    """The language of a text that is mostly not in Latin letters."""
    counts: dict[str, int] = {}
    letters = [char for char in text[:400] if char.isalpha()]
    for char in letters:
        if not char.isascii():
            script = unicodedata.name(char, "").split(" ")[0]
            counts[script] = counts.get(script, 0) + 1
    counts.pop("LATIN", None)
    if "HIRAGANA" in counts or "KATAKANA" in counts:
        counts["HIRAGANA"] = sum(counts.values())
    if not counts or sum(counts.values()) < 0.5 * len(letters):
        return None
    return _SCRIPTS.get(max(counts, key=lambda script: counts[script]), "und")
