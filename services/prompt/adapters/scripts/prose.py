"""Stories in prose: a paragraph is an action, speech a line where its speaker is certain."""

import re

from services.prompt.adapters.scripts.fountain import spoken
from services.prompt.domain.script import Action, Element, Heading, ParsedScript

_PARAGRAPH = re.compile(r"\n\s*\n|\r\n\s*\r\n")
_CHAPTER = re.compile(
    r"^\s*(?:(?:chapter|part|sura ya|sehemu ya)\b.{0,80}|[*\s]{3,}|#{1,6} .+)$", re.IGNORECASE
)
_NAME = r"[A-ZÀ-ÞА-Я][\w'’-]+(?:\s+[A-ZÀ-ÞА-Я][\w'’-]+)?"
_VERB = (
    r"(?:said|says|asked|asks|replied|whispered|shouted|cried|answered|called|laughed|sighed|added"
    r"|alisema|anasema|akasema|aliuliza|akauliza|anauliza|alijibu|akajibu|alinong'ona)"
)
_QUOTE = re.compile(r"[\"“«]([^\"”»\n]{1,1000})[\"”»]")
_BEFORE = re.compile(rf"({_NAME})\s+{_VERB}\s*(?:to \w+)?[,:]?\s*$")
_AFTER = re.compile(rf"^\s*,?\s*(?:({_NAME})\s+{_VERB}|{_VERB}\s+({_NAME}))")


def parse(script: str) -> ParsedScript:
    """A scene for each chapter; speech whose speaker is not named stays part of the action."""
    elements: list[Element] = []
    for paragraph in _PARAGRAPH.split(script):
        text = " ".join(paragraph.split())
        if not text:
            continue
        if _CHAPTER.match(paragraph.strip()):
            elements.append(Heading(text.strip("#* ")))
            continue
        elements += _paragraph(text)
    return ParsedScript("", tuple(elements))


def _paragraph(text: str) -> list[Element]:
    elements: list[Element] = []
    told = text
    for quote in _QUOTE.finditer(text):
        before, after = text[: quote.start()], text[quote.end() :]
        said = _BEFORE.search(before[-80:]) or _AFTER.match(after[:80])
        if said is None:
            continue
        speaker = next(group for group in said.groups() if group)
        elements.append(spoken(speaker, quote[1].rstrip(",")))
        told = told.replace(quote.group(), " ")
    told = " ".join(told.split()).strip(" ,.")
    return [Action(text if not elements else told), *elements] if told else elements
