"""Fountain and plain screenplays, through the parser of screenplay-tools."""

import re

from screenplay_tools.fountain.parser import Parser
from screenplay_tools.screenplay import ElementType

from services.prompt.adapters.scripts.normalising import HEADING_MARK, to_fountain
from services.prompt.adapters.scripts.plays import is_act
from services.prompt.domain.ports import Proceed, go_on
from services.prompt.domain.script import Action, Element, Heading, Line, ParsedScript

_CUE = re.compile(r"\[([^\[\]\n]{1,60})\]|\*((?:laugh|sigh|gasp|cough|sob|groan|cr)[a-z]*)\*")
_LINES = 500
_BLANK = re.compile(r"\n\s*\n")
_MARKS = re.compile(r"(\*{1,3}|_)(?=\S)(.+?)(?<=\S)\1")


def parse(script: str, proceed: Proceed = go_on) -> ParsedScript:
    """Headings, actions and lines in order; notes, sections and transitions are left out."""
    parser = _read(to_fountain(script), proceed)
    titles = [e.text for e in parser.script.titleEntries if e.key.lower() == "title"]
    elements: list[Element] = []
    speaker = ""
    cues: list[str] = []
    for item in parser.script.elements:
        if item.type is ElementType.CHARACTER:
            speaker, cues = f"{item.name} ({item.extension})" if item.extension else item.name, []
        elif item.type is ElementType.PARENTHETICAL:
            cues.append(item.text.strip("() "))
        elif item.type in {ElementType.DIALOGUE, ElementType.LYRIC} and speaker:
            elements.append(spoken(speaker, item.text, cues))
            cues = []
        elif item.type is ElementType.HEADING:
            elements.append(Heading(item.text.strip().removeprefix(HEADING_MARK)))
            speaker = ""
        elif item.type in {ElementType.ACTION, ElementType.LYRIC, ElementType.DIALOGUE}:
            elements += actions(item.text)
            speaker = ""
    if not titles:
        titles = _first_section(parser)
    return ParsedScript(titles[0].strip("* _\n") if titles else "", tuple(elements))


def _first_section(parser: Parser) -> list[str]:
    """The heading over everything, as Markdown has it; an act is none."""
    sections = [e for e in parser.script.elements if e.type is ElementType.SECTION]
    whole = [section.text.strip() for section in sections[:1] if section.level == 1]
    return [text for text in whole if not is_act(text)]


def _read(script: str, proceed: Proceed) -> Parser:
    """Line by line, so that a long script can be given up in the middle."""
    parser = Parser()
    for number, line in enumerate(script.splitlines()):
        if number % _LINES == 0:
            proceed()
        parser.add_line(line)
    parser.finalize()
    return parser


def actions(text: str) -> list[Element]:
    """One action for each paragraph."""
    paragraphs = (" ".join(_plain(part).split()) for part in _BLANK.split(text))
    return [Action(part) for part in paragraphs if part]


def spoken(speaker: str, text: str, cues: list[str] | None = None) -> Line:
    """A line with the non-verbal cues taken out of the words."""
    matches = list(_CUE.finditer(text))
    found = [(match[1] or match[2]).strip() for match in matches]
    before = [len(_words(text[: match.start()])) for match in matches]
    places = (*(0 for _ in cues or []), *before)
    return Line(speaker.strip(), " ".join(_words(text)), (*(cues or []), *found), places)


def _words(text: str) -> list[str]:
    return _plain(_CUE.sub(" ", text)).split()


def _plain(text: str) -> str:
    return _MARKS.sub(r"\2", text)
