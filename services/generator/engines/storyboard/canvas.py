"""Drawing surface: anti-aliased masks in picture coordinates, and layers of YUV planes.

A plate is larger than the picture by ``MARGIN`` on every side, so that the camera can move.
Coordinates are fractions of the picture: (0, 0) is its top left corner, (1, 1) its bottom right.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageChops, ImageDraw

if TYPE_CHECKING:
    from collections.abc import Sequence

    from services.generator.engines.storyboard.palette import Colour

Point = tuple[float, float]
Planes = tuple[Image.Image, Image.Image, Image.Image]
"""Y, U and V of a 4:2:0 picture."""
Array = npt.NDArray[np.floating]

MARGIN = 0.13
_SUPERSAMPLE = 2


@dataclass(frozen=True)
class Layer:
    """Planes of a cut-out at (left, top) of its plate; ``alpha`` None means opaque."""

    planes: tuple[Image.Image, Image.Image, Image.Image]
    alpha: tuple[Image.Image, Image.Image] | None
    left: int
    top: int


class Mask:
    """A silhouette in the making, drawn at twice the plate's size."""

    def __init__(self, surface: "Surface") -> None:
        self._surface = surface
        size = (surface.width * _SUPERSAMPLE, surface.height * _SUPERSAMPLE)
        self._image = Image.new("L", size)
        self._draw = ImageDraw.Draw(self._image)

    def _at(self, point: Point) -> Point:
        x, y = self._surface.pixel(point)
        return (x * _SUPERSAMPLE, y * _SUPERSAMPLE)

    def polygon(self, points: "Sequence[Point]", value: int = 255) -> None:
        """Fill a polygon; ``value`` 0 cuts a hole."""
        self._draw.polygon([self._at(p) for p in points], fill=value)

    def ellipse(self, centre: Point, radius: Point, value: int = 255) -> None:
        """Fill an ellipse; the radii are fractions of the picture's *height*."""
        x, y = self._at(centre)
        rx, ry = (r * self._surface.unit * _SUPERSAMPLE for r in radius)
        self._draw.ellipse((x - rx, y - ry, x + rx, y + ry), fill=value)

    def capsule(self, a: Point, b: Point, radii: Point, value: int = 255) -> None:
        """Fill a tapered limb between two points (radii as fractions of the picture's height)."""
        self.ellipse(a, (radii[0], radii[0]), value)
        self.ellipse(b, (radii[1], radii[1]), value)
        (ax, ay), (bx, by) = self._at(a), self._at(b)
        length = float(np.hypot(bx - ax, by - ay))
        if length < 1:
            return
        nx, ny = (ay - by) / length, (bx - ax) / length
        ra, rb = (r * self._surface.unit * _SUPERSAMPLE for r in radii)
        corners = [(ax + nx * ra, ay + ny * ra), (bx + nx * rb, by + ny * rb),
                   (bx - nx * rb, by - ny * rb), (ax - nx * ra, ay - ny * ra)]  # fmt: skip
        self._draw.polygon(corners, fill=value)

    def rectangle(self, a: Point, b: Point, value: int = 255) -> None:
        """Fill a box between two corners."""
        (ax, ay), (bx, by) = self._at(a), self._at(b)
        self._draw.rectangle((min(ax, bx), min(ay, by), max(ax, bx), max(ay, by)), fill=value)

    def done(self) -> Image.Image:
        """Return the mask at the plate's size."""
        return self._image.reduce(_SUPERSAMPLE)


class Surface:
    """Size of the picture and of the plates that are drawn for it."""

    def __init__(self, width: int, height: int) -> None:
        self.picture = (width, height)
        self.unit = float(height)
        self.border = (round(width * MARGIN / 2) * 2, round(height * MARGIN / 2) * 2)
        self.width = width + 2 * self.border[0]
        self.height = height + 2 * self.border[1]
        self.aspect = width / height

    def pixel(self, point: Point) -> Point:
        """Return the plate's pixel of a picture point."""
        return (
            self.border[0] + point[0] * self.picture[0],
            self.border[1] + point[1] * self.picture[1],
        )

    def rows(self) -> Array:
        """Return the picture ordinate of every plate row, as a column."""
        span = np.arange(self.height, dtype=np.float32)[:, None]
        return (span - self.border[1]) / self.picture[1]

    def columns(self) -> Array:
        """Return the picture abscissa of every plate column, as a row."""
        span = np.arange(self.width, dtype=np.float32)[None, :]
        return (span - self.border[0]) / self.picture[0]

    def gradient(self, stops: "Sequence[tuple[float, Colour]]") -> Array:
        """Return an RGB field shaded from top to bottom; stops are (ordinate, colour)."""
        places = [stop[0] for stop in stops]
        rows = self.rows()[:, 0]
        channels = [np.interp(rows, places, [stop[1][c] for stop in stops]) for c in range(3)]
        column = np.stack(channels, axis=-1).astype(np.float32)[:, None, :]
        return np.repeat(column, self.width, axis=1)

    def layer(self, colours: Array, mask: Image.Image | None = None) -> Layer | None:
        """Turn an RGB field and its mask into planes cut to the mask's box; None if empty."""
        if mask is None:
            return Layer(to_planes(colours), None, 0, 0)
        box = mask.getbbox()
        if box is None:
            return None
        left, top = max(0, box[0] - 4) & ~1, max(0, box[1] - 4) & ~1
        right = min(self.width, (box[2] + 5) & ~1)
        bottom = min(self.height, (box[3] + 5) & ~1)
        cut = mask.crop((left, top, right, bottom))
        planes = to_planes(colours[top:bottom, left:right])
        return Layer(planes, (cut, cut.reduce(2)), left, top)


def rim(mask: Image.Image, towards: Point, width: int) -> Image.Image:
    """Return the edge of a mask that faces a light in direction ``towards`` (unit vector)."""
    shifted = ImageChops.offset(mask, round(-towards[0] * width), round(-towards[1] * width))
    return ImageChops.subtract(mask, shifted)


def to_planes(colours: Array) -> tuple[Image.Image, Image.Image, Image.Image]:
    """Return Y, U, V images (BT.709, limited range) of an RGB field with even sides."""
    red, green, blue = colours[..., 0], colours[..., 1], colours[..., 2]
    luma = 0.2126 * red + 0.7152 * green + 0.0722 * blue
    small = _halve(colours)
    small_luma = small @ np.array([0.2126, 0.7152, 0.0722], dtype=np.float32)
    chroma_blue = (small[..., 2] - small_luma) * (224 / 255 / 1.8556) + 128
    chroma_red = (small[..., 0] - small_luma) * (224 / 255 / 1.5748) + 128
    return _image(luma * (219 / 255) + 16), _image(chroma_blue), _image(chroma_red)


def _halve(colours: Array) -> Array:
    return (colours[::2, ::2] + colours[1::2, ::2] + colours[::2, 1::2] + colours[1::2, 1::2]) / 4


def _image(values: Array) -> Image.Image:
    # Ordered dither: gradients of a few levels would show bands in eight bits.
    pattern = np.array([[0, 8, 2, 10], [12, 4, 14, 6], [3, 11, 1, 9], [15, 7, 13, 5]], np.float32)
    height, width = values.shape
    tiled = np.tile(pattern / 16, (height // 4 + 1, width // 4 + 1))[:height, :width]
    return Image.fromarray(np.clip(values + tiled, 0, 255).astype(np.uint8))
