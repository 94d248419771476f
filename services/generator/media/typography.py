"""Sets a text in a box: font fallback, both directions, line breaks, a size that fits."""

import unicodedata
from dataclasses import dataclass
from typing import TYPE_CHECKING

from services.generator.media import fonts

if TYPE_CHECKING:
    from PIL import ImageDraw

_ELLIPSIS = "…"
_JOINERS = {"\u200c", "\u200d", "\ufe0e", "\ufe0f"}


@dataclass(frozen=True)
class Run:
    """Characters that one face draws in one direction."""

    text: str
    face: fonts.Face
    rtl: bool


@dataclass(frozen=True)
class Block:
    """A text broken into lines, with the size in pixels at which it fits its box."""

    lines: tuple[tuple[Run, ...], ...]
    size: int
    rtl: bool
    truncated: bool

    @property
    def leading(self) -> int:
        """Distance from line to line in pixels."""
        return round(self.size * 1.3)


class Setter:
    """Chooses faces for a text; remembers which scripts could not be drawn."""

    def __init__(self, language: str, face: str = fonts.CAPTION) -> None:
        self._faces = (fonts.bundled(face), *fonts.fallbacks(language))
        self.missing: set[str] = set()

    def clean(self, text: str) -> str:
        """Return the text on one line, without control characters and what no face can draw."""
        spaced = " ".join(
            "".join(
                c if unicodedata.category(c)[0] != "C" or c in _JOINERS else " " for c in text
            ).split()
        )
        return " ".join("".join(c for c in spaced if self._drawable(c)).split())

    def _drawable(self, character: str) -> bool:
        if character == " " or character in _JOINERS or self._face(character) is not None:
            return True
        self.missing.add(fonts.script_of(character))
        return False

    def _face(self, character: str) -> fonts.Face | None:
        return next((face for face in self._faces if face.has(character)), None)

    def runs(self, text: str) -> tuple[Run, ...]:
        """Split a text by face and direction, in reading order."""
        runs: list[Run] = []
        for character in text:
            rtl = _direction(character, runs[-1].rtl if runs else is_rtl(text))
            stays = runs and (
                character in _JOINERS or unicodedata.combining(character) or character == " "
            )
            face = runs[-1].face if stays else self._face(character)
            if runs and face and not stays and runs[-1].face.has(character) and runs[-1].rtl == rtl:
                face = runs[-1].face
            if runs and runs[-1].face == face and runs[-1].rtl == rtl:
                runs[-1] = Run(runs[-1].text + character, runs[-1].face, rtl)
            else:
                runs.append(Run(character, face or self._faces[0], rtl))
        return tuple(runs)

    def width(self, text: str, size: int) -> float:
        """Return the length of a text in pixels."""
        return sum(
            run.face.at(size).getlength(run.text, direction=_raqm(run)) for run in self.runs(text)
        )

    def fit(self, text: str, box: tuple[int, int], *, largest: int, smallest: int) -> Block:
        """Break a clean text so that it fits ``box``; cut it with an ellipsis if it cannot."""
        size = largest
        words = text[:1200]
        while True:
            rows = max(1, int((box[1] - size * 0.25) // round(size * 1.3)))
            lines = self._wrap(words, box[0], size, rows + 1)
            fits = len(lines) <= rows
            if fits or size <= smallest:
                break
            size = max(smallest, round(size * 0.92))
        cut = not fits or len(words) < len(text)
        lines = lines[:rows]
        if cut:
            lines[-1] = self._shorten(lines[-1], box[0], size)
        return Block(tuple(self.runs(line) for line in lines), size, is_rtl(text), cut)

    def _wrap(self, text: str, width: int, size: int, limit: int) -> list[str]:
        lines, line = [], ""
        for piece in _pieces(text):
            if line and self.width(line + piece.rstrip(), size) > width:
                lines.append(line.rstrip())
                line = ""
                if len(lines) >= limit:
                    return lines
            line += piece
            while self.width(line.rstrip(), size) > width and len(line) > 1:
                head = self._head(line, width, size)
                lines.append(line[:head])
                line = line[head:]
                if len(lines) >= limit:
                    return lines
        return [*lines, line.rstrip()] if line.strip() else lines

    def _head(self, line: str, width: int, size: int) -> int:
        low, high = 1, len(line)
        while low < high - 1:
            middle = (low + high) // 2
            low, high = (
                (middle, high) if self.width(line[:middle], size) <= width else (low, middle)
            )
        return low

    def _shorten(self, line: str, width: int, size: int) -> str:
        while line and self.width(line + _ELLIPSIS, size) > width:
            line = line[:-1].rstrip()
        return line + _ELLIPSIS


def draw(
    canvas: "ImageDraw.ImageDraw",
    block: Block,
    box: tuple[int, int, int],
    fill: int | tuple[int, int, int],
) -> None:
    """Draw a block at (left, top), ``box[2]`` wide; right to left texts hang from the right."""
    left, top, width = box
    for row, runs in enumerate(block.lines):
        ordered = tuple(reversed(runs)) if block.rtl else runs
        length = sum(
            run.face.at(block.size).getlength(run.text, direction=_raqm(run)) for run in ordered
        )
        x = left + width - length if block.rtl else float(left)
        baseline = top + block.size + row * block.leading
        for run in ordered:
            font = run.face.at(block.size)
            canvas.text((x, baseline), run.text, fill, font, anchor="ls", direction=_raqm(run))
            x += font.getlength(run.text, direction=_raqm(run))


def is_rtl(text: str) -> bool:
    """Whether the first letter with a direction runs from right to left."""
    for character in text:
        kind = unicodedata.bidirectional(character)
        if kind in {"L", "R", "AL"}:
            return kind != "L"
    return False


def _direction(character: str, before: bool) -> bool:
    kind = unicodedata.bidirectional(character)
    return kind in {"R", "AL"} if kind in {"L", "R", "AL", "EN"} else before


def _raqm(run: Run) -> str:
    return "rtl" if run.rtl else "ltr"


def _pieces(text: str) -> list[str]:
    """Split where a line may end: after spaces, and between the letters of scripts without them."""
    pieces, piece = [], ""
    for character in text:
        free = _unspaced(character)
        if (
            free
            and piece
            and not unicodedata.combining(character)
            and unicodedata.category(character)[0] != "P"
        ):
            pieces.append(piece)
            piece = ""
        piece += character
        if character == " ":
            pieces.append(piece)
            piece = ""
    return [*pieces, piece] if piece else pieces


def _unspaced(character: str) -> bool:
    code = ord(character)
    return (
        0x2E80 <= code <= 0x9FFF
        or 0xAC00 <= code <= 0xD7A3
        or 0x0E00 <= code <= 0x0EFF
        or 0x20000 <= code <= 0x3FFFF
    )
