"""Makes plain screenplays (Markdown, other scripts than Latin, "NAME: words") into Fountain."""

import re
from collections import Counter

HEADING_MARK = "S\u2063"
_MARKDOWN = re.compile(r"^\s{0,3}(#{1,6})\s*(.+?)\s*#*$")
_BOLD_LINE = re.compile(r"^\s*(\*{1,3}|_{1,2})([^*_].*?)\1\s*$")
_SCENE = re.compile(
    r"^\s*(?:(?:INT|EXT|EST|I/E|INT\.?/EXT|ИНТ|НАТ|ЭКСТ)[. ]|(?:ИНТЕРЬЕР|СЦЕНА|SCENE|SCÈNE|ESCENA"
    r"|NDANI|NJE|TUKIO|ONYESHO)\b(?=[ .:\d-])|(?:场景|場景|内景|外景|内\.|外\.|第.{1,4}[场場])"
    r"|(?:المشهد|مشهد|داخلي|خارجي)(?=[ :.-]))",
    re.IGNORECASE,
)
_KNOWN_TO_FOUNTAIN = re.compile(r"^\s*(?:INT|EXT|EST|I/E|INT\.?/EXT)[. ]", re.IGNORECASE)
_SPEECH = re.compile(r"^\s*(?:\*\*)?([^\W\d_][^:：\n*]{0,40}?)(?:\*\*)?\s*[:：](?:\*\*)?\s*(\S.*)$")
_TITLE_KEYS = {"title", "credit", "author", "authors", "source", "draft date", "contact", "notes"}


def to_fountain(script: str) -> str:
    """The script with its headings and speakers marked the way that Fountain forces them."""
    lines = script.replace("\r\n", "\n").replace("\r", "\n").replace("\u2028", "\n").split("\n")
    speakers = _speakers(lines)
    out: list[str] = []
    for index, line in enumerate(lines):
        after = lines[index + 1] if index + 1 < len(lines) else ""
        out += _line(line, out[-1] if out else "", after, speakers)
    return "\n".join(out)


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
        return ["", f"@{speech[1].strip()}", speech[2].strip().removeprefix("** "), ""]
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
