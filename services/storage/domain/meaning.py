"""What a text is about, as a set of concepts: finds assets by a sentence, with no model to load.

Words are folded, stemmed a little, and words of the same meaning in film talk become one concept,
the same way when an asset is stored and when it is searched.
"""

from __future__ import annotations

import math
import re
import unicodedata
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from services.storage.domain.assets import Description

MAX_CONCEPTS = 120
MAX_WORD = 40
_WORD = re.compile(r"[^\W_]+")
_STOP_WORDS = """
a an and are as at be been being by do for from has have he her here him his i in into is it its me
my no not of off on or our out over she show shows showing so some than that the their them then
there these they this those through to up us video clip scene shot picture was we were what where
which while who with you your find looking ya wa na kwa ni katika la za
"""
_STOP = frozenset(_STOP_WORDS.split())
_SAME = (
    "night nighttime midnight dark nocturnal usiku",
    "dawn sunrise daybreak alfajiri",
    "dusk sunset twilight evening goldenhour machweo",
    "day daytime daylight noon afternoon mchana",
    "morning asubuhi",
    "happy joyful cheerful glad merry joyous smiling furaha",
    "sad melancholy sorrowful gloomy mournful huzuni",
    "calm peaceful serene tranquil quiet still utulivu",
    "tense suspenseful anxious nervous",
    "scary frightening horror spooky eerie creepy",
    "romantic love loving mapenzi",
    "woman lady girl female mwanamke",
    "man guy boy male gentleman mwanaume",
    "child kid toddler mtoto",
    "people crowd persons watu",
    "house home cottage dwelling nyumba",
    "attic loft garret",
    "forest wood woodland jungle msitu",
    "sea ocean bahari",
    "beach shore coast seaside pwani",
    "mountain hill peak mlima",
    "river stream creek mto",
    "city town urban downtown jiji mji",
    "street road avenue barabara",
    "car automobile vehicle gari",
    "rain rainy raining mvua",
    "snow snowy winter",
    "old ancient antique aged historic",
    "victorian nineteenth",
    "fast quick rapid speedy",
    "slow slowly",
    "big large huge giant",
    "small little tiny",
    "closeup close portrait headshot",
    "wide panorama establishing longshot",
    "aerial drone overhead birdseye",
    "film movie cinematic",
    "cartoon animation animated anime",
    "music song tune muziki",
    "speech voice narration voiceover sauti",
    "dog puppy hound mbwa",
    "cat kitten paka",
    "horse pony farasi",
    "bird ndege",
)
_PAIRS = {"close up": "closeup", "golden hour": "goldenhour", "voice over": "voiceover"}
_SUFFIXES = (("ies", "y"), ("sses", "ss"), ("ing", ""), ("ed", ""), ("es", "e"), ("s", ""))


def concepts(text: str) -> list[str]:
    """Return the distinct concepts of a text, in the order in which they appear."""
    folded = unicodedata.normalize("NFKD", text.casefold())
    plain = "".join(c for c in folded if not unicodedata.combining(c)).replace("-", " ")
    for pair, word in _PAIRS.items():
        plain = plain.replace(pair, word)
    found = (_concept(word) for word in _WORD.findall(plain) if word not in _STOP)
    return list(dict.fromkeys(found))[:MAX_CONCEPTS]


def concepts_of(told: Description) -> list[str]:
    """Return what an asset is about: its facets and labels first, then the prompt that made it."""
    return concepts(about(told))


def about(told: Description) -> str:
    """Return what an asset is about as one text; empty parts are left out."""
    return " ; ".join(filter(None, _texts(told)))


def rarity(total: int, counts: Mapping[str, int]) -> dict[str, float]:
    """Return the weight of each concept: the fewer of ``total`` assets have it, the more it is."""
    return {word: math.log(1 + total / (1 + count)) for word, count in counts.items()}


def _texts(told: Description) -> Iterator[str]:
    for _, value in told.facets.pairs():
        yield value
    yield told.asset_type
    yield from told.labels.values()
    yield told.lineage.prompt


def _concept(word: str) -> str:
    stem = _stem(word)[:MAX_WORD]
    return _BY_WORD.get(word) or _BY_WORD.get(stem) or stem


def _stem(word: str) -> str:
    for suffix, instead in _SUFFIXES:
        if word.endswith(suffix) and len(word) - len(suffix) >= 3 and not word.endswith("ss"):
            return _single(word[: -len(suffix)] + instead, suffix)
    return word


def _single(stem: str, suffix: str) -> str:
    """Undo the doubling of "running" and "stopped", and the silent e of "dancing" and "houses"."""
    if suffix in {"ing", "ed"} and len(stem) > 3 and stem[-1] == stem[-2] and stem[-1] not in "ls":
        return stem[:-1]
    return stem.removesuffix("e") if len(stem) > 3 else stem


_BY_WORD = {
    known: group.split()[0]
    for group in _SAME
    for word in group.split()
    for known in (word, _stem(word))
}
