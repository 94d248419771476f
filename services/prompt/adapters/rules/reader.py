"""The rules: a text in, typed parameters out."""

from collections.abc import Mapping

from services.prompt.adapters.rules.amounts import Amounts, aspect_ratio, picture_size
from services.prompt.adapters.rules.language import MIXED, LanguageGuess
from services.prompt.adapters.rules.negatives import Negative, find_negatives
from services.prompt.domain.lexicon import Lexicon
from services.prompt.domain.names import NameBook, NamedSpan, find_names, opens_sentence
from services.prompt.domain.parameters import MAX_VARIATIONS, VideoParameters
from services.prompt.domain.ports import Reading
from services.prompt.domain.spans import blank, without_quotes

_WORDS = ("style", "quality", "shot_type", "mood", "time_of_day", "aspect_ratio", "resolution")
_FACETS = ("shot_type", "camera_motion", "mood", "time_of_day", "landscapes")
_SHORT = 12
_IMPLIED_MOOD = {"sunset": "peaceful", "sunrise": "hopeful"}


class RulesReader:
    """Reads prompts with the words of each language's file. Holds no state; safe to share."""

    def __init__(self, lexicons: Mapping[str, Lexicon], names: NameBook) -> None:
        self._lexicons = lexicons
        self._names = names
        self._guess = LanguageGuess(lexicons)
        self._amounts = {tag: Amounts(lexicon) for tag, lexicon in lexicons.items()}

    def read(self, text: str, *, language: str = "") -> Reading:
        """What the text says, outside its quoted speech."""
        open_text = without_quotes(text)
        found = self._guess.of(open_text if open_text.strip() else text, language)
        spoken = self._spoken(found)
        motion = self._first("camera_motion", open_text, spoken)
        negatives = [n for lex in spoken for n in find_negatives(open_text, lex.negation)]
        negatives = [
            n for n in negatives if not self._is_motion(open_text[n.start : n.end], spoken)
        ]
        wanted = _without(open_text, negatives, spoken)
        values: dict[str, object] = {name: self._first(name, wanted, spoken) for name in _WORDS}
        values["camera_motion"] = self._first("camera_motion", wanted, spoken) or (
            motion if motion == "static" else ""
        )
        values["negative_prompt"] = _joined(negatives)[:4_000]
        values |= self._sizes(wanted, values) | self._numbers(wanted, spoken)
        values |= self._named(wanted, spoken, trusted=found not in {*self._lexicons, MIXED})
        asked = int(str(values["variations"]))
        values["variations"] = min(asked, MAX_VARIATIONS)
        implied = self._imply(values, len(text.split()))
        return Reading(
            parameters=VideoParameters(**values),  # type: ignore[arg-type]  # checked on building
            language=found,
            implied=implied,
            asked_variations=asked,
        )

    def facets(self, text: str, language: str) -> dict[str, str]:
        """What a shot says of its picture: only facets that words state."""
        spoken = self._spoken(language)
        found = {name: self._first(name, text, spoken) for name in _FACETS}
        found["landscape"] = found.pop("landscapes")
        return {name: value for name, value in found.items() if value}

    def _spoken(self, language: str) -> list[Lexicon]:
        """The text's own language first; the others' words are borrowed by most writers."""
        first = [lex for tag, lex in self._lexicons.items() if tag == language]
        rest = [lex for tag, lex in self._lexicons.items() if tag != language]
        return [*first, *rest] if language in self._lexicons or language == MIXED else rest

    @staticmethod
    def _first(field: str, text: str, spoken: list[Lexicon]) -> str:
        found = (lex.fields[field].best(text) for lex in spoken if field in lex.fields)
        return next((value for value in found if value), "")

    def _is_motion(self, phrase: str, spoken: list[Lexicon]) -> bool:
        """Whether the phrase wants something after all: no movement is a static camera."""
        return self._first("camera_motion", phrase, spoken) == "static"

    @staticmethod
    def _sizes(text: str, values: Mapping[str, object]) -> dict[str, object]:
        height, ratio = picture_size(text)
        return {
            "aspect_ratio": aspect_ratio(text) or ratio or values["aspect_ratio"],
            "resolution": height or values["resolution"],
        }

    def _numbers(self, text: str, spoken: list[Lexicon]) -> dict[str, object]:
        readers = [self._amounts[lexicon.language] for lexicon in spoken]
        durations = (reader.duration(text) for reader in readers)
        return {
            "duration_seconds": next((value for value in durations if value), None),
            "fps": next((rate for reader in readers if (rate := reader.fps(text))), 0),
            "variations": next((n for reader in readers if (n := reader.variations(text))), 0),
        }

    def _named(self, text: str, spoken: list[Lexicon], *, trusted: bool) -> dict[str, object]:
        """Who and where; in languages that we do not speak only names that we know."""
        names = find_names(text, self._names, known_only=trusted)
        plain = text
        for name in names:
            plain = blank(plain, name.start, name.end)
        places = [(name.start, name.text) for name in names if name.is_place]
        for lexicon in spoken:
            places += [
                (start, value) for start, _, value in lexicon.fields["landscapes"].hits(plain)
            ]
        people = [n.text for n in names if not n.is_place and not _is_word(text, n, spoken[0])]
        return {
            "characters": tuple(dict.fromkeys(people))[:64],
            "landscapes": tuple(dict.fromkeys(value for _, value in sorted(places)))[:64],
        }

    @staticmethod
    def _imply(values: dict[str, object], words: int) -> frozenset[str]:
        """A short prompt that names only a time of day means the mood that goes with it."""
        mood = _IMPLIED_MOOD.get(str(values["time_of_day"]))
        if mood is None or values["mood"] or words > _SHORT:
            return frozenset()
        values["mood"] = mood
        return frozenset({"mood"})


def _is_word(text: str, name: NamedSpan, own: Lexicon) -> bool:
    """Whether a name is an ordinary word of the text's language that opens a sentence.

    "Simba anatembea" is a lion that walks, "mtoto Simba" a child of that name.
    """
    opens = opens_sentence(text[max(0, name.start - 20) : name.start])
    return opens and name.text.lower() in own.function_words


def _joined(negatives: list[Negative]) -> str:
    items = (
        item for negative in sorted(negatives, key=lambda n: n.start) for item in negative.items
    )
    return ", ".join(dict.fromkeys(items))


def _without(text: str, negatives: list[Negative], spoken: list[Lexicon]) -> str:
    """The text without what it does not want, so that "not scary" is not scary."""
    for negative in negatives:
        text = blank(text, negative.start, negative.end)
    for lexicon in spoken:
        text = lexicon.negation.marked.sub(lambda match: " " * len(match.group()), text)
    return text
