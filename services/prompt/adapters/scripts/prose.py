"""Stories in prose: a paragraph is an action, speech a line where its speaker is certain."""

import re

from services.prompt.adapters.scripts.fountain import spoken
from services.prompt.domain.ports import Proceed, go_on
from services.prompt.domain.prose import NO_LABELS, Labels, Passage, Quote, passages_of
from services.prompt.domain.script import Action, Element, Heading, ParsedScript

_CHAPTER = re.compile(
    r"^\s*(?:(?:chapter|part|sura ya|sehemu ya)\b.{0,80}|[*\s]{3,}|#{1,6} .+)$", re.IGNORECASE
)
_NAME = r"[A-ZÀ-ÞА-Я][\w'’-]+(?:\s+[A-ZÀ-ÞА-Я][\w'’-]+)?"
_VERB = (
    r"(?:said|says|asked|asks|replied|whispered|shouted|cried|answered|called|laughed|sighed|added"
    r"|remarked|exclaimed|muttered|murmured|returned|continued|observed|began|repeated|screamed"
    r"|alisema|anasema|akasema|aliuliza|akauliza|anauliza|alijibu|akajibu|alinong'ona)"
)
_THE = r"(?:[Tt]he\s+)?"
_BEFORE = re.compile(
    rf"(?:({_NAME})\s+{_VERB}\b[^.!?\"“”«»]{{0,40}}|[\"”»]\s*{_VERB}\s+{_THE}({_NAME})\s*)[,;:]?\s*$"
)
_AFTER = re.compile(rf"^\s*,?\s*{_THE}(?:({_NAME})\s+{_VERB}|{_VERB}\s+{_THE}({_NAME}))")
_PRONOUNS = frozenset({"He", "She", "They", "It", "I", "We", "You", "Then", "And", "But", "Yeye"})
_OFTEN = 200


def parse(script: str, labels: Labels = NO_LABELS, proceed: Proceed = go_on) -> ParsedScript:
    """A scene for each chapter, and for each scene that the labels tell.

    Speech whose speaker is not named stays part of the action.
    """
    elements: list[Element] = []
    begins = {scene.first: scene.heading for scene in labels.scenes}
    for passage in passages_of(script):
        if passage.number % _OFTEN == 0:
            proceed()
        if _CHAPTER.match(passage.text):
            elements.append(Heading(passage.text.strip("#* ")))
            continue
        if passage.number in begins:
            elements.append(Heading(begins[passage.number]))
        elements += _paragraph(passage, labels)
    return ParsedScript("", tuple(elements), labels.people)


def _paragraph(passage: Passage, labels: Labels) -> list[Element]:
    text, lines, told, end = passage.text, list[Element](), "", 0
    for number, quote in enumerate(passage.quotes):
        speaker = labels.speakers.get((passage.number, number)) or _named(text, quote)
        if not speaker:
            continue
        lines.append(spoken(speaker, quote.words.rstrip(",")))
        told += text[end : quote.start] + " "
        end = quote.end
    told = " ".join((told + text[end:]).split()).strip(" ,.")
    return [Action(told if lines else text), *lines] if told else lines


def _named(text: str, quote: Quote) -> str:
    """Who speaks, when the words right beside the speech say so."""
    before, after = text[max(0, quote.start - 80) : quote.start], text[quote.end : quote.end + 80]
    said = _BEFORE.search(before) or _AFTER.match(after)
    if said is None:
        return ""
    speaker = next(group for group in said.groups() if group)
    return "" if speaker in _PRONOUNS else speaker
