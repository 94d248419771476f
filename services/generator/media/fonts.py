"""Which font draws which character: bundled faces for Latin, Noto for every other script.

Noto comes from two wheels under the Open Font License (``manimgx-fonts``, ``noto-cjk-sans-otc``);
where one is not installed the characters that only it has are reported, never drawn as boxes.
"""

import importlib.util
import unicodedata
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from fontTools.ttLib import TTCollection, TTFont
from PIL import ImageFont

_ASSETS = Path(__file__).parent / "assets" / "fonts"
CAPTION, CAPTION_LIGHT = "Barlow-SemiBold.ttf", "Barlow-Medium.ttf"
SLATE, MONO = "BarlowCondensed-SemiBold.ttf", "IBMPlexMono-Medium.ttf"

_NOTO, _CJK = "manimgx_fonts", "noto_cjk_sans_otc"
_NOTO_FACES = (
    "",
    "Arabic",
    "Devanagari",
    "Hebrew",
    "Ethiopic",
    "Thai",
    "Bengali",
    "Tamil",
    "Telugu",
    "Kannada",
    "Malayalam",
    "Gujarati",
    "Gurmukhi",
    "Oriya",
    "Sinhala",
    "Khmer",
    "Lao",
    "Myanmar",
    "Georgian",
    "Armenian",
    "Symbols",
)
_CJK_INDEX = {"ja": 0, "ko": 1, "zh": 2, "zh-tw": 3, "zh-hant": 3, "zh-hk": 4}


@dataclass(frozen=True)
class Face:
    """A font file (and its number inside a collection)."""

    path: Path
    index: int = 0

    def at(self, size: int) -> ImageFont.FreeTypeFont:
        """Return the face at a size in pixels."""
        return _load(self, size)

    def has(self, character: str) -> bool:
        """Whether the face has a glyph of its own for the character."""
        return ord(character) in _coverage(self)


def bundled(name: str) -> Face:
    """Return one of the faces that come with the engine."""
    return Face(_ASSETS / name)


@lru_cache(maxsize=8)
def fallbacks(language: str) -> tuple[Face, ...]:
    """Return the faces that are tried after the caption face, in order."""
    found = [_wheel_face(_NOTO, f"NotoSans{script}[wght].ttf") for script in _NOTO_FACES]
    index = _CJK_INDEX.get(language.lower(), _CJK_INDEX.get(language.lower().split("-")[0], 2))
    found += [
        _wheel_face(_CJK, "NotoSansCJK-Regular.ttc", index),
        _wheel_face(_NOTO, "NotoEmoji[wght].ttf"),
    ]
    return tuple(face for face in found if face is not None)


def script_of(character: str) -> str:
    """Return the script's name in words, as Unicode names it."""
    return unicodedata.name(character, "UNKNOWN").split(" ")[0].capitalize()


def _wheel_face(package: str, file: str, index: int = 0) -> Face | None:
    spec = importlib.util.find_spec(package)
    for folder in (spec.submodule_search_locations or ()) if spec else ():
        if (Path(folder) / file).is_file():
            return Face(Path(folder) / file, index)
    return None


@lru_cache(maxsize=64)
def _load(face: Face, size: int) -> ImageFont.FreeTypeFont:
    font = ImageFont.truetype(
        str(face.path), size, index=face.index, layout_engine=ImageFont.Layout.RAQM
    )
    if "[wght]" in face.path.name:
        font.set_variation_by_axes([560])
    return font


@lru_cache(maxsize=32)
def _coverage(face: Face) -> frozenset[int]:
    if face.path.suffix == ".ttc":
        with TTCollection(face.path, lazy=True) as collection:
            return frozenset(collection.fonts[face.index].getBestCmap())
    with TTFont(face.path, lazy=True) as font:
        return frozenset(font.getBestCmap())
