"""Where lines of captions break, by language."""

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

from services.generator.media.words import is_mark, unspaced

_WIDE = frozenset({"W", "F"})
_NO_START = frozenset(
    "、。，．：；？！）】」』〉》”’…ー々ぁぃぅぇぉっゃゅょゎァィゥェォッャュョヮ,.!?;:)]}%"
    "ะาำๆฯ"  # Thai: vowels behind their consonant, the signs of repetition and abbreviation
)
_NO_END = frozenset("（【「『〈《“‘([{เแโใไ")  # Thai vowels stand before their consonant


@dataclass(frozen=True, slots=True)
class Language:
    """A language's customs: characters in a line and a second, words that begin a line.

    A character is `across` columns wide. Before a word of `opens` a line breaks well; after one of
    `clings` it does not.
    """

    characters: int = 42
    speed: float = 17.0
    across: int = 1
    opens: frozenset[str] = frozenset()
    clings: frozenset[str] = frozenset()


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_ENGLISH = Language(
    opens=_words(
        "and but or so because that which who when while if then than as in on at by for from to "
        "of with without into over under after before until about"
    ),
    clings=_words("a an the my your his her its our their this these those mr mrs dr"),
)
_SWAHILI = Language(
    opens=_words(
        "na lakini au ili kwa kwamba kama wakati ambapo ambaye katika kutoka hadi mpaka baada "
        "kabla bila kuhusu pia halafu kisha ya wa la cha za vya"
    ),
    clings=_words("ni si kila"),
)
_CHINESE = Language(characters=16, speed=9.0, across=2)
_JAPANESE = Language(characters=13, speed=7.0, across=2)
_KOREAN = Language(characters=16, speed=12.0, across=2)
_LANGUAGES = {
    "en": _ENGLISH,
    "sw": _SWAHILI,
    "zh": _CHINESE,
    "cmn": _CHINESE,
    "yue": _CHINESE,
    "ja": _JAPANESE,
    "ko": _KOREAN,
}
_SCRIPTS = (("HIRAGANA", "ja"), ("KATAKANA", "ja"), ("HANGUL", "ko"), ("CJK", "zh"))


def language_of(code: str, text: str) -> Language:
    """Return the customs of a BCP 47 language; without one, those of the text's script."""
    primary = code.lower().partition("-")[0]
    if not primary:
        names = " ".join(unicodedata.name(c, "") for c in text[:400])
        primary = next((found for script, found in _SCRIPTS if script in names), "")
    return _LANGUAGES.get(primary, Language())


def width(text: str) -> int:
    """Return the columns that a text takes: a wide character two, a mark on another none."""
    return sum(
        0 if is_mark(c) else 2 if unicodedata.east_asian_width(c) in _WIDE else 1 for c in text
    )


def joined(words: Sequence[str]) -> str:
    """Return words as a text: with spaces, save where a script has none."""
    text = ""
    for word in words:
        closed = text and (unspaced(text[-1]) or text[-1] in _NO_START) and unspaced(word[0])
        text += word if not text or closed else f" {word}"
    return text


def broken(text: str, columns: int, language: Language) -> list[str]:
    """Return the text in as few lines as it takes, broken at the best places between them."""
    pieces = _breakable(text)
    best: dict[int, tuple[int, float, list[str]]] = {len(pieces): (0, 0.0, [])}
    for start in range(len(pieces) - 1, -1, -1):
        for end in range(start + 1, len(pieces) + 1):
            line = "".join(pieces[start:end]).strip()
            if width(line) > columns and end > start + 1:
                break
            count, cost, rest = best[end]
            cost += _raggedness(line, columns) + badness(pieces, end, language)
            found = (count + 1, cost, [line, *rest])
            if start not in best or found[:2] < best[start][:2]:
                best[start] = found
    return [line for whole in best[0][2] for line in _cut(whole, columns)]


def _breakable(text: str) -> list[str]:
    """Return the pieces between which a line may end; spaces stay with the piece before."""
    pieces: list[str] = []
    for part in re.findall(r"\S+\s*", text):
        for character in part:
            new = not pieces or pieces[-1][-1].isspace()
            free = pieces and (unspaced(character) or unspaced(pieces[-1].rstrip()[-1:]))
            bound = character in _NO_START or is_mark(character)
            stuck = bound or (pieces and pieces[-1][-1] in _NO_END)
            if new or (free and not stuck and not character.isspace()):
                pieces.append(character)
            else:
                pieces[-1] += character
    return pieces


def _raggedness(line: str, columns: int) -> float:
    return (max(0, columns - width(line)) / columns) ** 2


def badness(pieces: Sequence[str], end: int, language: Language) -> float:
    """Return how bad it is to part words before number `end`: below 0 it is good."""
    if end == len(pieces):
        return 0.0
    before, after = pieces[end - 1].strip(), pieces[end].strip().lower().strip("\"'“”")
    if before.lower() in language.clings:
        return 1.0
    if before.endswith((",", ";", ":", ".", "!", "?", "，", "。", "、", "،", "؛", "؟", "—")):
        return -0.3
    return -0.15 if after in language.opens else 0.0


def _cut(line: str, columns: int) -> list[str]:
    """Return a line that has no place to break, cut where it is full."""
    parts, part = [], ""
    for character in line:
        if part and width(part + character) > columns:
            whole = len(part) - (character in _NO_START and len(part) > 1)
            while 1 < whole < len(part) and is_mark(part[whole]):
                whole -= 1
            parts.append(part[:whole])
            part = part[whole:]
        part += character
    return [*parts, part]
