"""The words of a script as they are spoken: markup and directions left out."""

import re
import unicodedata

from markdown_it import MarkdownIt

_MARKDOWN = MarkdownIt("commonmark", {"html": False}).enable("strikethrough")
_CUES = re.compile(r"\[[^\[\]\n]{1,80}\](?!\()")
"""Directions such as "[laughs]"; a link's text is followed by its address."""

_WORDLESS = re.compile(r"^[\W_]+$")
UNSPACED = ("CJK", "HIRAGANA", "KATAKANA", "THAI", "LAO", "KHMER", "MYANMAR")


def spoken(text: str) -> str:
    """Return a text on one line, without Markdown, directions and control characters."""
    plain = " ".join(_plain(_CUES.sub(" ", text)))
    kept = "".join(" " if unicodedata.category(c) in {"Cc", "Zl", "Zp"} else c for c in plain)
    return " ".join(kept.split())


def _plain(text: str) -> list[str]:
    found = []
    for block in _MARKDOWN.parse(text):
        if block.type in {"fence", "code_block"}:
            found.append(block.content)
        for part in block.children or ():
            found.append(" " if part.type in {"softbreak", "hardbreak"} else part.content)
        if block.type == "inline":
            found[-len(block.children or ()) :] = ["".join(found[-len(block.children or ()) :])]
    return [each for each in found if each.strip()]


def split(text: str) -> list[str]:
    """Return the words of a spoken text; scripts without spaces give one word a character.

    Punctuation stays with the word before it.
    """
    words: list[str] = []
    for piece in text.split():
        for part in _letters(piece):
            if words and _WORDLESS.match(part) and unspaced(words[-1][:1]):
                words[-1] += part
            else:
                words.append(part)
    return words


def _letters(piece: str) -> list[str]:
    parts: list[str] = []
    for character in piece:
        joins = parts and not unspaced(character) and not unspaced(parts[-1][0])
        if joins or (parts and is_mark(character)):
            parts[-1] += character
        else:
            parts.append(character)
    return parts


def unspaced(character: str) -> bool:
    """Whether a character belongs to a script that puts no spaces between words."""
    return (
        bool(character) and unicodedata.name(character, "").split("-")[0].split(" ")[0] in UNSPACED
    )


def is_mark(character: str) -> bool:
    """Whether a character stands on or under the one before it, and never without it."""
    return unicodedata.category(character) in {"Mn", "Me"}


def is_sound(word: str) -> bool:
    """Whether a word is heard at all: a dash alone is not."""
    return not _WORDLESS.match(word)


def spelt(word: str) -> str:
    """Return a word as it is compared with another: without case and punctuation."""
    return "".join(c for c in unicodedata.normalize("NFKC", word).casefold() if c.isalnum())
