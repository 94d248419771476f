"""Parts of a text that are nobody's to change or to read parameters from."""

import re

_QUOTES = re.compile(
    '"[^"\n]{1,500}"|“[^”\n]{1,500}”|«[^»\n]{1,500}»|„[^“”\n]{1,500}[“”]'
    r"|(?<!\w)'[^'\n]{2,300}'(?!\w)|(?<!\w)‘[^’\n]{2,300}’(?!\w)|「[^」\n]{1,500}」"
)
_NUMBER = re.compile(r"\d+(?:[.,:]\d+)*")


def quotes(text: str) -> tuple[str, ...]:
    """Every quoted span, with its marks, in order."""
    return tuple(match.group() for match in _QUOTES.finditer(text))


def numbers(text: str) -> tuple[str, ...]:
    """Every number written in digits, in order."""
    return tuple(_NUMBER.findall(text))


def without_quotes(text: str) -> str:
    """The text with quoted spans blanked; positions stay the same."""
    return _QUOTES.sub(lambda match: " " * len(match.group()), text)


def blank(text: str, start: int, end: int) -> str:
    """The text with one span blanked; positions stay the same."""
    return text[:start] + " " * (end - start) + text[end:]
