"""Draws captions into frames: each once as a picture with an alpha, laid over its frames."""

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFilter

from services.common.errors import InvalidArgument
from services.generator.domain.captions import CaptionStyle, Position
from services.generator.media import fonts
from services.generator.media.blending import Plane, frame_of, planes_of
from services.generator.media.captions import Caption
from services.generator.media.shaping import Target
from services.generator.media.typography import Block, Setter, draw, is_rtl

FONTS = {
    "Barlow": fonts.CAPTION,
    "Barlow Medium": fonts.CAPTION_LIGHT,
    "Barlow Condensed": fonts.SLATE,
    "IBM Plex Mono": fonts.MONO,
}
_SAFE = 0.9  # of the width
_MARGIN = 0.06  # of the height
_LEAST_PIXELS = 8
_BOX_ALPHA = 0.62
# Luma from red, green and blue (ITU-R BT.709, BT.601), limited range.
_WEIGHTS = {1: (0.2126, 0.0722), 6: (0.299, 0.114)}


@dataclass(frozen=True, slots=True)
class Overlay:
    """Planes of a part of the picture with their alphas (0 to 256), from pixel (left, top) on."""

    left: int
    top: int
    planes: tuple[npt.NDArray[np.int32], ...]
    alphas: tuple[npt.NDArray[np.int32], ...]


def spans(captions: Sequence[Caption], rate: Fraction) -> list[tuple[int, int]]:
    """Return the frames [start, end) that each caption is seen on."""
    return [(round(each.start * rate), round(each.end * rate)) for each in captions]


class Burner:
    """Lays captions over the frames of a cut."""

    def __init__(
        self, captions: Sequence[Caption], style: CaptionStyle, language: str, target: Target
    ) -> None:
        if style.font and style.font not in FONTS:
            raise InvalidArgument(
                "caption_style.font", f"{style.font} is not here", allowed=tuple(FONTS)
            )
        self._captions, self._style, self._target = captions, style, target
        self._spans, self._at = spans(captions, target.rate), 0
        self._setter = Setter(language, FONTS.get(style.font, fonts.CAPTION))
        self._overlay = lru_cache(maxsize=2)(self._drawn)

    @property
    def missing(self) -> set[str]:
        """Scripts of which some characters could not be drawn."""
        return self._setter.missing

    def drawn(self, frame: Any, number: int) -> Any:
        """Return frame `number` with the caption that is seen on it; numbers only go up."""
        while self._at < len(self._spans) and self._spans[self._at][1] <= number:
            self._at += 1
        if self._at == len(self._spans) or number < self._spans[self._at][0]:
            return frame
        return laid(frame, self._overlay(self._at))

    def _drawn(self, place: int) -> Overlay:
        style, width, height = self._style, self._target.width, self._target.height
        size = max(_LEAST_PIXELS, round(height * style.size_percent / 100))
        block = self._block(self._captions[place].lines, size, round(width * _SAFE))
        edge = max(1, round(block.size * 0.09)) + (round(block.size * 0.35) if style.box else 0)
        inner = (
            round(max(self._length(runs, block.size) for runs in block.lines)),
            block.leading * len(block.lines) + round(block.size * 0.3),
        )
        image = self._image(block, inner, edge)
        left = (width - image.width) // 2 // 2 * 2
        room = height - image.height
        margin = round(height * _MARGIN)
        top = {Position.TOP: margin, Position.MIDDLE: room // 2}.get(style.position, room - margin)
        return _planes(image, max(0, left), max(0, top) // 2 * 2, self._target)

    def _block(self, lines: Sequence[str], size: int, width: int) -> Block:
        """Return the lines as they are, smaller where one would not fit."""
        clean = [self._setter.clean(line) for line in lines]
        shown = [line for line in clean if line] or ["…"]
        longest = max(self._setter.width(line, size) for line in shown)
        fitting = size if longest <= width else max(_LEAST_PIXELS, int(size * width / longest))
        runs = tuple(self._setter.runs(line) for line in shown)
        return Block(runs, fitting, is_rtl(" ".join(shown)), truncated=False)

    def _length(self, runs: Any, size: int) -> float:
        long: float = sum(
            run.face.at(size).getlength(run.text, direction="rtl" if run.rtl else "ltr")
            for run in runs
        )
        return long

    def _image(self, block: Block, inner: tuple[int, int], edge: int) -> Image.Image:
        width, height = ((side + 2 * edge + 1) // 2 * 2 for side in inner)
        words = Image.new("L", (width, height))
        canvas = ImageDraw.Draw(words)
        for row, runs in enumerate(block.lines):
            line = Block((runs,), block.size, block.rtl, block.truncated)
            long = round(self._length(runs, block.size))
            box = ((width - long) // 2, edge + row * block.leading, long)
            draw(canvas, line, box, 255)
        around = max(1, round(block.size * 0.09))
        outline = words.filter(ImageFilter.MaxFilter(2 * around + 1))
        outline = outline.filter(ImageFilter.GaussianBlur(around * 0.4))
        back = Image.new("L", words.size, round(255 * _BOX_ALPHA)) if self._style.box else outline
        image = Image.new("RGBA", words.size, self._style.outline_color)
        image.paste(self._style.color, mask=words)
        alpha = np.maximum(np.asarray(words), np.asarray(back))
        image.putalpha(Image.fromarray(alpha))
        return image


def laid(frame: Any, overlay: Overlay) -> Any:
    """Return a new frame with the overlay on it."""
    planes = [np.array(plane) for plane in planes_of(frame)]
    for number, plane in enumerate(planes):
        shift = 1 if number else 0
        _lay(plane, overlay, number, (overlay.top >> shift, overlay.left >> shift))
    return frame_of(planes, frame)


def _lay(plane: Plane, overlay: Overlay, number: int, at: tuple[int, int]) -> None:
    source, alpha = overlay.planes[number], overlay.alphas[number]
    rows = min(source.shape[0], plane.shape[0] - at[0])
    columns = min(source.shape[1], plane.shape[1] - at[1])
    part = plane[at[0] : at[0] + rows, at[1] : at[1] + columns]
    share = alpha[:rows, :columns]
    mixed = part.astype(np.int32) * (256 - share) + source[:rows, :columns] * share
    part[:] = ((mixed + 128) >> 8).astype(np.uint8)


def _planes(image: Image.Image, left: int, top: int, target: Target) -> Overlay:
    data = np.asarray(image).astype(np.float64)
    red, green, blue, alpha = (data[..., n] for n in range(4))
    of_red, of_blue = _WEIGHTS.get(target.matrix, _WEIGHTS[1])
    luma = of_red * red + (1 - of_red - of_blue) * green + of_blue * blue
    chroma = [(blue - luma) / (2 - 2 * of_blue), (red - luma) / (2 - 2 * of_red)]
    scale, offset, wide = (1.0, 0.0, 1.0) if target.color.full else (219 / 255, 16.0, 224 / 255)
    planes = [luma * scale + offset, *(_halved(each) * wide + 128 for each in chroma)]
    alphas = [alpha, _halved(alpha), _halved(alpha)]
    return Overlay(
        left,
        top,
        tuple(np.rint(plane).astype(np.int32) for plane in planes),
        tuple(np.rint(each * 256 / 255).astype(np.int32) for each in alphas),
    )


def _halved(plane: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    rows, columns = plane.shape
    halved: npt.NDArray[np.float64] = plane.reshape(rows // 2, 2, columns // 2, 2).mean(axis=(1, 3))
    return halved
