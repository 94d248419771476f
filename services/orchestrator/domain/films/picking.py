"""What a film is like by its words: the preset that "auto" stands for, a technical topic. Pure."""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from services.orchestrator.domain.films.shots import Shot
from services.orchestrator.domain.models import Model, is_offline

# Words of looks that are drawn, in the languages of our prompts.
_DRAWN = frozenset({"animated", "anime", "cartoon", "cartoons", "katuni", "manga", "vibonzo"})
# Words of a news report; a story may have one of them, a report has several.
_NEWS = frozenset(
    {
        "anchor", "breaking", "bulletin", "correspondent", "headline", "headlines", "news",
        "newsreader", "newsroom", "reporter", "reporting", "studio", "mtangazaji", "mwandishi",
        "taarifa", "habari",
    }
)  # fmt: skip
# Words of what has to be drawn right, and of which there is no stock.
_TECHNICAL = frozenset(
    {
        "algorithm", "anatomy", "architecture", "blueprint", "cells", "chemistry", "circuit",
        "code", "cross-section", "cutaway", "database", "diagram", "engine", "engineering",
        "equation", "formula", "geometry", "graph", "kernel", "layers", "mechanism", "molecule",
        "neural", "network", "orbit", "physics", "processor", "protein", "protocol", "reactor",
        "schematic", "semiconductor", "server", "software", "technical", "technology", "turbine",
        "mchoro", "mfumo", "mtambo", "programu", "teknolojia", "uhandisi",
    }
)  # fmt: skip
_SEVERAL = 3
_WORD = re.compile(r"\w+")


@dataclass(frozen=True)
class Picked:
    """The preset, and the half sentence that says why."""

    preset: str
    because: str


def pick_preset(shots: Sequence[Shot], title: str, models: Sequence[Model]) -> Picked:
    """The preset for these shots, here and now.

    Offline while no vendor that is set up can be reached; else cartoon where the title or more than
    half of the shots have a drawn look, news for the words of a report (a style that says so, or
    three of them in title, pictures and lines), and basic for everything else.
    """
    if is_offline(models):
        return Picked("offline", "no vendor can be reached")
    looks = [_words([shot.prompt, *shot.styles]) & _DRAWN for shot in shots]
    drawn = _words([title]) & _DRAWN or set().union(*looks)
    if drawn and (_words([title]) & _DRAWN or 2 * sum(map(bool, looks)) > len(shots)):
        return Picked("cartoon", f"it is to look {min(drawn)}")
    report = _words([title, *_told(shots)]) & _NEWS
    if len(report) >= _SEVERAL or "news" in _words(s for shot in shots for s in shot.styles):
        return Picked("news", f"it has the words of a report: {', '.join(sorted(report))}")
    return Picked("basic", "nothing speaks for another")


def is_technical(shots: Sequence[Shot], title: str) -> bool:
    """Whether title, pictures and lines have three technical words, or a style says so."""
    words = _words([title, *_told(shots)])
    return len(words & _TECHNICAL) >= _SEVERAL or "technical" in _words(
        style for shot in shots for style in shot.styles
    )


def _told(shots: Sequence[Shot]) -> Iterator[str]:
    """What is seen and said."""
    for shot in shots:
        yield from (shot.prompt, *shot.styles)
        for line in shot.lines:
            yield from (line.text, line.speaker)


def _words(texts: Iterable[str]) -> set[str]:
    return {word for text in texts for word in _WORD.findall(text.casefold())}
