"""Numbers that a prompt states: length, frame rate, picture size and how many variations."""

import re
from dataclasses import dataclass
from functools import cached_property

from services.prompt.domain.lexicon import Lexicon, flexible
from services.prompt.domain.parameters import ratio_value

_RATIO = re.compile(
    r"(?<![\d:.])(16|9|4|3|1|21|5|2|2\.39|2\.35)\s?(?::|x| by | to |/)\s?(9|16|3|4|1|5|2)"
    r"(?![\d:.]\d|\d|x)(?!\s*(?:am|pm|a\.m|p\.m|score|asubuhi|jioni|usiku)\b)",
    re.IGNORECASE,
)
_KNOWN_RATIOS = frozenset(
    [
        "16:9",
        "9:16",
        "1:1",
        "4:3",
        "3:4",
        "21:9",
        "4:5",
        "5:4",
        "3:2",
        "2:3",
        "2.39:1",
        "2.35:1",
        "2:1",
    ]
)
_CLOCK_BEFORE = re.compile(r"\b(?:at|by|until|saa|score|won|win)\s*$", re.IGNORECASE)
_SIZE = re.compile(r"(?<!\d)(\d{3,4})\s?[x×]\s?(\d{3,4})(?!\d)")
_SIZE_RATIOS = ("16:9", "9:16", "1:1", "4:3", "3:4", "4:5", "21:9")
_DECADE = re.compile(r"^(?:[2-9]0)$")
_LENGTHWORD = re.compile(r"\s*(?:[,.;!?)]|$|long|video|clip|footage|shot|of\b|duration|ya\b)")
_MINUTES_SECONDS = re.compile(r"(?<![\d:])(\d{1,2}):([0-5]\d)\s*(?:min(?:utes?)?|long|dakika)\b")


@dataclass(frozen=True)
class Span:
    """A number that was understood, and where it stood."""

    start: int
    end: int
    value: float


class Amounts:
    """Reads the numbers of one language."""

    def __init__(self, lexicon: Lexicon) -> None:
        self._lexicon = lexicon
        self._fixed = {
            re.compile(rf"(?<!\w){flexible(words)}(?!\w)", re.IGNORECASE): float(seconds)
            for words, seconds in lexicon.fixed_durations.items()
        }

    def duration(self, text: str) -> float | None:
        """Seconds that the text asks for: minutes and seconds that stand together are added."""
        if match := _MINUTES_SECONDS.search(text):
            return int(match[1]) * 60.0 + int(match[2])
        for pattern, seconds in self._fixed.items():
            if pattern.search(text):
                return seconds
        spans = [span for span in self._spans(text) if self._is_length(text, span)]
        if not spans:
            return None
        total, last = spans[0].value, spans[0]
        for span in spans[1:]:
            if len(text[last.end : span.start]) > 5 or span.value >= last.value:
                break
            total, last = total + span.value, span
        return total

    def fps(self, text: str) -> int:
        """Frames per second, or 0."""
        for match in self._frame_rate.finditer(text):
            rate = self._lexicon.number(next(group for group in match.groups() if group))
            if 1 <= rate <= 240:
                return int(rate)
        return 0

    def variations(self, text: str) -> int:
        """How many variations the text asks for, or 0."""
        match = self._variations.search(text)
        return int(self._lexicon.number(match["n"] or match["m"])) if match else 0

    @cached_property
    def _frame_rate(self) -> re.Pattern[str]:
        number, unit = self._lexicon.number_pattern, self._lexicon.units["frame_rate"]
        ways = [rf"(?<![\w.])({number})[\s-]*{unit}(?!\w)"]
        if self._lexicon.number_after_unit:
            ways.append(rf"fremu\s+({number})(?:\s+kwa\s+sekunde)?")
        return re.compile("|".join(ways), re.IGNORECASE)

    @cached_property
    def _variations(self) -> re.Pattern[str]:
        number, nouns = self._lexicon.number_pattern, self._lexicon.variation_nouns
        after = "|(?P<m>(?!))"  # never matches
        if self._lexicon.number_after_unit:
            after = rf"|{nouns}\s+(?P<m>{number})(?!\w)"
        pattern = rf"(?<![\w.:-])(?P<n>(?!an?\b){number})[\s-]+{nouns}(?!\w)" + after
        return re.compile(pattern, re.IGNORECASE)

    @cached_property
    def _lengths(self) -> list[tuple[re.Pattern[str], float]]:
        number, units = self._lexicon.number_pattern, self._lexicon.units
        found = []
        for unit, factor in (("hour", 3600.0), ("minute", 60.0), ("second", 1.0)):
            ways = [rf"(?<![\w.:])(?P<n>{number})[\s-]*(?P<unit>{units[unit]})(?!\w)"]
            if self._lexicon.number_after_unit:
                ways.insert(0, rf"(?<!\w){units[unit]}\s+(?:za\s+|ya\s+)?(?P<n>{number})(?!\w)")
            if unit == "hour" and self._lexicon.number_after_unit:
                continue  # "saa tatu" is a time of day
            found += [(re.compile(way, re.IGNORECASE), factor) for way in ways]
        return found

    def _spans(self, text: str) -> list[Span]:
        spans: list[Span] = []
        for pattern, factor in self._lengths:
            for match in pattern.finditer(text):
                if not any(s.start < match.end() and match.start() < s.end for s in spans):
                    value = self._lexicon.number(match["n"]) * factor
                    spans.append(Span(match.start(), match.end(), value))
        return sorted(spans, key=lambda span: span.start)

    def _is_length(self, text: str, span: Span) -> bool:
        before = " " + text[max(0, span.start - 40) : span.start].rstrip(" -").lower()
        after = text[span.end : span.end + 40].lstrip(" -").lower()
        if any(before.endswith(" " + word) for word in self._lexicon.duration_not_after):
            return False
        if any(after.startswith(word) for word in self._lexicon.duration_not_before):
            return False
        said = re.fullmatch(r"(\d+)s", text[span.start : span.end])
        if said and len(said[1]) == 4:
            return False  # "1920s" is a decade
        if said and _DECADE.match(said[1]):
            return not before.endswith("the") and bool(_LENGTHWORD.match(text, span.end))
        return 0 < span.value <= 14_400


def aspect_ratio(text: str) -> str:
    """A ratio written in numbers, or ""."""
    for match in _RATIO.finditer(text):
        ratio = f"{match[1]}:{match[2]}"
        if ratio in _KNOWN_RATIOS and not _CLOCK_BEFORE.search(
            text[max(0, match.start() - 12) : match.start()]
        ):
            return "21:9" if ratio in {"2.39:1", "2.35:1"} else ratio
    return ""


def picture_size(text: str) -> tuple[str, str]:
    """Resolution and ratio of a size such as "1920x1080", or two empty strings."""
    match = _SIZE.search(text)
    if match is None:
        return "", ""
    width, height = int(match[1]), int(match[2])
    near = min(_SIZE_RATIOS, key=lambda ratio: abs(ratio_value(ratio) - width / height))
    fits = abs(ratio_value(near) - width / height) < 0.03
    return f"{min(width, height)}p", near if fits else ""
