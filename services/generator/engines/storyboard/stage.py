"""The stage: collects the painted layers of a shot from the sky to the foreground."""

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image, ImageFilter

from services.generator.engines.storyboard.canvas import Array, Layer, Mask, Surface, rim
from services.generator.engines.storyboard.palette import mix

if TYPE_CHECKING:
    from services.generator.engines.storyboard.palette import Colour
    from services.generator.engines.storyboard.scene import Scene


@dataclass(frozen=True)
class Cut:
    """A layer and how near it stands: 0 is the sky, 1 the lens."""

    layer: Layer
    depth: float


class Stage:
    """Paints masks in flat gouache colours with a little tooth, light on the edges, and haze."""

    def __init__(self, scene: "Scene", surface: Surface) -> None:
        self.scene = scene
        self.surface = surface
        self.cuts: list[Cut] = []
        self._tooth = _tooth(surface, scene.seed)

    def mask(self) -> Mask:
        """Return an empty mask of the plate's size."""
        return Mask(self.surface)

    def land(self, nearness: float) -> "Colour":
        """Return the colour of land between the horizon (0) and the lens (1)."""
        return mix(self.scene.palette.far, self.scene.palette.near, nearness)

    def backdrop(self, colours: Array) -> None:
        """Lay the opaque plate behind everything."""
        layer = self.surface.layer(colours * self._tooth)
        if layer is not None:
            self.cuts.append(Cut(layer, 0.0))

    def add(
        self,
        mask: Image.Image,
        colours: "tuple[Colour, Colour]",
        *,
        depth: float,
        light: float = 0.0,
        rim_width: float = 0.006,
    ) -> None:
        """Paint a mask from top to bottom colour; ``light`` is how strongly its lit edge glows."""
        box = mask.getbbox()
        if box is None:
            return
        top, bottom = (self._ordinate(box[1]), self._ordinate(box[3]))
        field = self.surface.gradient([(top, colours[0]), (bottom, colours[1])])
        if light > 0:
            edge = self._edge(mask, box, rim_width)
            field += (np.array(self.scene.palette.light, np.float32) - field) * (edge * light)[
                ..., None
            ]
        self.tint(mask, field, depth=depth)

    def figure(self, mask: Mask, *, rim_width: float = 0.008) -> None:
        """Paint a subject: almost black, with the light along its edge."""
        near = mix(self.scene.palette.near, (8, 7, 10), 0.3)
        top = mix(near, self.scene.palette.far, 0.1)
        self.add(mask.done(), (top, near), depth=0.6, light=0.62, rim_width=rim_width)

    def tint(self, mask: Image.Image, field: Array, *, depth: float) -> None:
        """Add a mask painted with a ready RGB field."""
        layer = self.surface.layer(field * self._tooth, mask)
        if layer is not None:
            self.cuts.append(Cut(layer, depth))

    def haze(self, ordinate: float, spread: float, strength: float, *, depth: float) -> None:
        """Lay a soft band of mist, strongest at ``ordinate``."""
        rows = self.surface.rows()
        alpha = np.exp(-(((rows - ordinate) / spread) ** 2)) * strength * 255
        band = np.repeat(alpha.astype(np.uint8), self.surface.width, axis=1)
        colour = mix(self.scene.palette.horizon, self.scene.palette.light, 0.15)
        self.tint(
            Image.fromarray(band), self.surface.gradient([(0, colour), (1, colour)]), depth=depth
        )

    def glow(self, mask: Image.Image, blur: float) -> Array:
        """Return a mask blurred by a fraction of the height, as 0..1 values."""
        small = mask.reduce(4)
        small = small.filter(ImageFilter.GaussianBlur(blur * self.surface.unit / 4))
        grown = small.resize(mask.size, Image.Resampling.BILINEAR)
        return np.asarray(grown, np.float32) / 255

    def _edge(self, mask: Image.Image, box: tuple[int, int, int, int], width: float) -> Array:
        surface, scene = self.surface, self.scene
        light = surface.pixel((scene.light_x, scene.light_y))
        dx, dy = light[0] - (box[0] + box[2]) / 2, light[1] - (box[1] + box[3]) / 2
        length = math.hypot(dx, dy) or 1.0
        pixels = max(1, round(width * surface.unit))
        edge = rim(mask, (dx / length, min(-0.45, dy / length)), pixels)
        return np.asarray(edge.filter(ImageFilter.BoxBlur(pixels / 5)), np.float32) / 255

    def _ordinate(self, row: int) -> float:
        return (row - self.surface.border[1]) / self.surface.picture[1]


def _tooth(surface: Surface, seed: int) -> Array:
    """Return brush marks: long, faint, horizontal, around 1."""
    noise = np.random.default_rng(seed)
    marks = np.zeros((surface.height, surface.width), np.float32)
    for across, down, strength in ((22, 190, 0.022), (90, 420, 0.014)):
        coarse = noise.integers(0, 256, (down, across), dtype=np.uint8)
        grown = Image.fromarray(coarse).resize(
            (surface.width, surface.height), Image.Resampling.BICUBIC
        )
        marks += (np.asarray(grown, np.float32) / 127.5 - 1) * strength
    return (1 + marks)[..., None]
