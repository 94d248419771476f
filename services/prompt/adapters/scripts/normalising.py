"""Makes plain screenplays into Fountain.

Markdown, other scripts than Latin, "NAME: words", and what a word processor or a PDF gives: columns
of blanks, scene numbers in the margins, page numbers, (MORE) and CONTINUED.
"""

import re
from collections import Counter

from services.prompt.adapters.scripts.plays import Play, is_act

HEADING_MARK = "S\u2063"
_MARKDOWN = re.compile(r"^\s{0,3}(#{1,6})\s*(.+?)\s*#*$")
_BOLD_LINE = re.compile(r"^\s*(\*{1,3}|_{1,2})([^*_].*?)\1\s*$")
_SCENE = re.compile(
    r"^\s*(?:(?:INT|EXT|EST|I/E|INT\.?/EXT|ИНТ|НАТ|ЭКСТ)[. ]|(?:ИНТЕРЬЕР|СЦЕНА|SCENE|SCÈNE|ESCENA"
    r"|NDANI|NJE|TUKIO|ONYESHO)(?=[ .:\d-]|$)|(?:场景|場景|内景|外景|内\.|外\.|第.{1,4}[场場])"
    r"|(?:المشهد|مشهد|داخلي|خارجي)(?=[ :.-]))",
    re.IGNORECASE,
)
_KNOWN_TO_FOUNTAIN = re.compile(r"^\s*(?:INT|EXT|EST|I/E|INT\.?/EXT)[. ]", re.IGNORECASE)
_SPEECH = re.compile(
    r"^\s*(?:\*\*)?([^\W\d_][^:：\n*(]{0,40}?)(?:\*\*)?\s*(?:[*_]?\(([^()\n]{1,60})\)[*_]?\s*)?"
    r"[:：](?:\*\*)?\s*(\S.*)$"
)
_RULE = re.compile(r"^\s*(?:[-*_]\s*){3,}$")
_NUMBERED = re.compile(r"^\s*(\d{1,4}[A-Z]?)[.)]?\s+((?:INT|EXT|EST|I/E)\b.*?)(?:\s+\1[.)]?)?\s*$")
_PAGE_MATTER = re.compile(
    r"^\s*(?:\(?(?:CONTINUED|MORE)\)?:?(?:\s*\(\d+\))?(?:\s+\d{1,3}\.)?|\s{20,}\d{1,3}\.)\s*$"
)
_TRANSITION = re.compile(
    r"^\s*>?\s*(?:FADE (?:IN|OUT|TO BLACK|TO WHITE)|(?:[A-Z]+ )*(?:CUT|DISSOLVE|WIPE|FADE) TO"
    r"|THE END)\s*[:.]?\s*<?\s*$"
)
_TITLE = re.compile(r"^[^a-z\n.:]{3,80}$")
_TITLE_KEYS = {"title", "credit", "author", "authors", "source", "draft date", "contact", "notes"}


def to_fountain(script: str) -> str:
    """The script with its headings and speakers marked the way that Fountain forces them."""
    plain = script.replace("\r\n", "\n").replace("\r", "\n").replace("\u2028", "\n")
    lines = [_cleared(line) for line in plain.split("\n") if not _PAGE_MATTER.match(line)]
    speakers, play = _speakers(lines), Play.of(lines)
    out = _titled(lines)
    for index, line in enumerate(lines):
        after = lines[index + 1] if index + 1 < len(lines) else ""
        before = out[-1] if out else ""
        out += play.line(line, before) or _line(line, before, after, speakers)
    return "\n".join(out)


def _cleared(line: str) -> str:
    """Without the blanks of its column and without the numbers in the margins."""
    if not line.strip() or _TRANSITION.match(line) or _RULE.match(line):
        return "" if line.strip() else line  # two blanks alone mean something in Fountain
    numbered = _NUMBERED.match(line)
    return numbered[2] if numbered else line.strip()


def _titled(lines: list[str]) -> list[str]:
    """A title page for a script that begins with its title in capitals; takes the line away."""
    first = next((i for i, line in enumerate(lines) if line.strip()), None)
    if first is None or first + 1 >= len(lines) or lines[first + 1].strip():
        return []
    title = lines[first]
    if not _TITLE.match(title) or not title.isupper() or _SCENE.match(title) or is_act(title):
        return []
    lines[first] = ""
    return [f"Title: {title.title()}", ""]


def _line(line: str, before: str, after: str, speakers: set[str]) -> list[str]:
    bold = _BOLD_LINE.match(line)
    plain = bold[2].strip() if bold else line
    heading = _MARKDOWN.match(plain)
    if heading:
        text = heading[2].strip("* _")
        return ["", _forced(text) if _SCENE.match(text) else f"# {text}", ""]
    if _SCENE.match(plain):
        return ["", _forced(plain.strip()), ""]
    speech = _SPEECH.match(plain)
    if speech and speech[1].strip() in speakers:
        how = [f"({speech[2].strip()})"] if speech[2] else []
        return ["", f"@{speech[1].strip()}", *how, speech[3].strip().removeprefix("** "), ""]
    if _is_foreign_cue(plain, before, after):
        return [f"@{plain.strip()}"]
    return [plain if bold else line]


def _forced(heading: str) -> str:
    """A heading that the parser knows by itself, or one behind a mark that it takes in Latin."""
    return heading if _KNOWN_TO_FOUNTAIN.match(heading) else f".{HEADING_MARK}{heading}"


def _speakers(lines: list[str]) -> set[str]:
    """Names before a colon: in capitals, or there more than once."""
    found: Counter[str] = Counter()
    for line in lines:
        match = _SPEECH.match(line)
        if match and len(match[1].split()) <= 4 and match[1].strip().lower() not in _TITLE_KEYS:
            found[match[1].strip()] += 1
    return {
        name
        for name, count in found.items()
        if (name.isupper() or count > 1 or not name.isascii())
        and not name[0].islower()
        and not name.upper().endswith((" TO", " IN", " OUT", "CUT", "FADE"))
    }


def _is_foreign_cue(line: str, before: str, after: str) -> bool:
    """A line of capitals in another alphabet, alone above a line of speech."""
    text = line.strip()
    return (
        not before.strip()
        and bool(after.strip())
        and len(text) <= 40
        and not text.isascii()
        and text.isupper()
        and not text.endswith((".", "!", "?", ":"))
    )
