"""What moves in the air: rain, snow, dust, birds. One small mask for each frame."""

import math
from typing import TYPE_CHECKING

from PIL import Image, ImageDraw

if TYPE_CHECKING:
    from random import Random

    from services.generator.engines.storyboard.scene import Scene


class Air:
    """Particles of a scene; the same time gives the same drops."""

    def __init__(self, scene: "Scene", size: tuple[int, int]) -> None:
        self._size = size
        chance = scene.random("air")
        outside = scene.setting != "interior"
        self._rain = _seeds(chance, 150) if "rain" in scene.weather and outside else []
        self._snow = _seeds(chance, 130) if "snow" in scene.weather and outside else []
        self._dust = _seeds(chance, 26) if "dust" in scene.weather and outside else []
        flock = "bird" in scene.subjects or (
            scene.setting in {"ocean", "savanna", "lake"}
            and not scene.palette.moon
            and not scene.close
        )
        count = 7 if "bird" in scene.subjects else 4
        self._birds = _seeds(chance, count) if flock and not self._rain else []
        self._wing = 0.03 if "bird" in scene.subjects else 0.011
        self._ceiling = scene.horizon * 0.62

    @property
    def empty(self) -> bool:
        """Whether nothing moves."""
        return not (self._rain or self._snow or self._dust or self._birds)

    @property
    def dark(self) -> bool:
        """Whether the particles are darker than the sky: birds are."""
        return bool(self._birds) and not (self._rain or self._snow)

    def mask(self, seconds: float) -> Image.Image:
        """Return the particles at a moment as a mask of the picture's size."""
        image = Image.new("L", self._size)
        draw = ImageDraw.Draw(image)
        self._draw_rain(draw, seconds)
        self._draw_flakes(draw, seconds)
        self._draw_birds(draw, seconds)
        return image

    def _draw_rain(self, draw: ImageDraw.ImageDraw, seconds: float) -> None:
        width, height = self._size
        for x, y, z in self._rain:
            length = (0.05 + 0.08 * z) * height
            top = ((y + seconds * (1.5 + z)) % 1.2 - 0.15) * height
            left = ((x - seconds * 0.12) % 1.1) * width
            draw.line(
                (left, top, left - length * 0.13, top + length),
                round(60 + 70 * z),
                max(1, round(height * 0.0022 * z)),
            )

    def _draw_flakes(self, draw: ImageDraw.ImageDraw, seconds: float) -> None:
        width, height = self._size
        for x, y, z in self._snow:
            top = ((y + seconds * (0.08 + 0.14 * z)) % 1.06 - 0.03) * height
            left = ((x + 0.02 * math.sin(seconds * 1.3 + x * 40)) % 1.0) * width
            radius = height * (0.0018 + 0.0052 * z * z)
            draw.ellipse(
                (left - radius, top - radius, left + radius, top + radius), round(120 + 120 * z)
            )
        for x, y, z in self._dust:
            left = ((x + seconds * 0.02 * (0.4 + z)) % 1.0) * width
            top = (0.45 + 0.5 * y + 0.01 * math.sin(seconds + x * 30)) * height
            radius = height * (0.0012 + 0.002 * z)
            draw.ellipse(
                (left - radius, top - radius, left + radius, top + radius), round(60 + 60 * z)
            )

    def _draw_birds(self, draw: ImageDraw.ImageDraw, seconds: float) -> None:
        width, height = self._size
        for i, (x, y, z) in enumerate(self._birds):
            left = ((0.2 + 0.5 * x + seconds * 0.012 * (1 + z)) % 1.1) * width
            top = (0.1 + self._ceiling * y * 0.8) * height
            span = self._wing * (0.6 + 0.7 * z) * height
            lift = math.sin(seconds * (5 + 2 * z) + i * 1.9) * span * 0.5
            stroke = max(1, round(span * 0.16))
            draw.line(
                (
                    left - span,
                    top - lift,
                    left - span * 0.4,
                    top - span * 0.25 - lift * 0.3,
                    left,
                    top,
                ),
                230,
                stroke,
                joint="curve",
            )
            draw.line(
                (
                    left,
                    top,
                    left + span * 0.4,
                    top - span * 0.25 - lift * 0.3,
                    left + span,
                    top - lift,
                ),
                230,
                stroke,
                joint="curve",
            )


def _seeds(chance: "Random", count: int) -> list[tuple[float, float, float]]:
    return [(chance.random(), chance.random(), chance.random()) for _ in range(count)]
