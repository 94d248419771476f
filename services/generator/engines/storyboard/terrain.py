"""Pieces of land that several settings share: skylines, bands, trees, a massif."""

import math
import random
from typing import TYPE_CHECKING

from services.generator.engines.storyboard.canvas import Point
from services.generator.engines.storyboard.figures import Pen
from services.generator.engines.storyboard.palette import mix

if TYPE_CHECKING:
    from collections.abc import Callable

    from services.generator.engines.storyboard.stage import Stage


def ridge(chance: random.Random, base: float, height: float, *, rough: float) -> list[Point]:
    """Return a skyline closed along the bottom; ``rough`` 0 rolls like downs, 1 is craggy."""
    octaves = 3 + round(rough * 4)
    waves = [
        (chance.uniform(0.7, 1.4) * 1.9**k, chance.uniform(0, math.tau), (0.36 + 0.2 * rough) ** k)
        for k in range(octaves)
    ]
    total = sum(wave[2] for wave in waves)
    line = []
    for i in range(401):
        x = -0.14 + 1.28 * i / 400
        level = sum(a * _wave(f * x * 4.2 + p, rough) for f, p, a in waves) / total
        line.append((x, base - height * level))
    return [*line, (1.2, 1.3), (-0.2, 1.3)]


def _wave(angle: float, rough: float) -> float:
    round_hill = 0.5 + 0.5 * math.sin(angle)
    crag = 1 - abs(math.sin(angle / 2))
    return round_hill * (1 - rough) + crag * rough


def band(
    stage: "Stage", points: list[Point], near: float, *, depth: float, light: float = 0.0
) -> None:
    """Fill a skyline with the colour of land that near, paler at its foot when far."""
    mask = stage.mask()
    mask.polygon(points)
    top = stage.land(near)
    foot = (
        mix(top, stage.scene.palette.horizon, 0.3 * (1 - near))
        if near < 0.6
        else mix(top, (6, 6, 9), 0.35)
    )
    stage.add(mask.done(), (top, foot), depth=depth, light=light, rim_width=0.007)


def trees(
    stage: "Stage",
    draw: "Callable[[Pen, random.Random], None]",
    *,
    count: int,
    foot: float,
    size: tuple[float, float],
    near: float,
) -> None:
    """Plant a row of trees along a line."""
    chance = stage.scene.random(f"trees{foot}")
    mask = stage.mask()
    for i in range(count):
        x = -0.08 + 1.16 * (i + chance.uniform(0.1, 0.9)) / count
        draw(
            Pen(
                mask,
                (x, foot + chance.uniform(-0.004, 0.012)),
                chance.uniform(*size),
                stage.surface.aspect,
            ),
            chance,
        )
    stage.add(
        mask.done(),
        (stage.land(near), stage.land(min(1.0, near + 0.1))),
        depth=near * 0.5,
        light=0.25,
    )


def ground(
    stage: "Stage", top: float, near: float, *, depth: float = 0.6, light: float = 0.0
) -> None:
    """Fill the ground from a gentle line down."""
    chance = stage.scene.random(f"ground{top}")
    mask = stage.mask()
    mask.polygon(ridge(chance, top, 0.02, rough=0.0))
    palette = stage.scene.palette
    colour = mix(stage.land(near), palette.horizon, 0.3 * light)
    stage.add(mask.done(), (colour, mix(colour, palette.near, 0.55)), depth=depth, light=light)


def massif(stage: "Stage", chance: random.Random) -> None:
    """Raise the one mountain that the shot is about, with its snow."""
    scene = stage.scene
    centre, foot = 0.5 + (scene.subject_x - 0.5) * 0.6, scene.horizon + 0.12
    top = max(0.07, scene.horizon - 0.36) if scene.shot_type != "aerial" else 0.09
    mask, snow = stage.mask(), stage.mask()
    line = []
    for i in range(121):
        t = i / 60 - 1
        shape = math.exp(-abs(t) * 2.9) * 0.78 + 0.22 * max(0.0, 1 - abs(t))
        crag = (chance.random() - 0.5) * 0.05 * shape + 0.045 * math.sin(t * 23 + 1) * shape * (
            abs(t) > 0.05
        )
        line.append((centre + t * 0.62, foot - (foot - top) * (shape + crag)))
    mask.polygon([*line, (1.3, 1.3), (-0.3, 1.3)])
    cap = [p for p in line if p[1] < top + (foot - top) * 0.42]
    teeth = [
        (x, min(foot, y + chance.uniform(0.02, 0.12) * (1 - (y - top) / (foot - top))))
        for x, y in reversed(cap)
    ]
    snow.polygon([*cap, *teeth])
    near = stage.land(0.2)
    stage.add(
        mask.done(),
        (stage.land(0.32), mix(near, scene.palette.horizon, 0.45)),
        depth=0.05,
        light=0.5,
        rim_width=0.03,
    )
    white = mix(scene.palette.light, scene.palette.sky, 0.28)
    stage.add(
        snow.done(),
        (white, mix(white, scene.palette.far, 0.4)),
        depth=0.05,
        light=0.6,
        rim_width=0.02,
    )
