"""Streets and rooms."""

import random
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from services.generator.engines.storyboard import props
from services.generator.engines.storyboard.figures import Pen
from services.generator.engines.storyboard.palette import mix

if TYPE_CHECKING:
    from services.generator.engines.storyboard.canvas import Mask
    from services.generator.engines.storyboard.stage import Stage


def city(stage: "Stage") -> None:
    """Three ranks of buildings with lit windows over a street that reflects when wet."""
    scene = stage.scene
    chance, horizon = scene.random("city"), scene.horizon
    high = scene.shot_type in {"aerial", "high_angle"}
    for i, near in enumerate((0.12, 0.4, 0.72)):
        foot = horizon + (0.06 + 0.2 * i if high else 0.012 * i)
        walls, panes = stage.mask(), stage.mask()
        _rank(walls, panes, chance, foot, i)
        tone = stage.land(near)
        stage.add(
            walls.done(),
            (tone, mix(tone, scene.palette.horizon, 0.3 * (1 - near))),
            depth=0.08 + 0.12 * i,
            light=0.25,
        )
        lit = mix(scene.palette.accent, scene.palette.light, 0.35)
        lit = mix(lit, tone, 0.15 if scene.palette.moon or scene.time_of_day == "dusk" else 0.72)
        stage.add(panes.done(), (lit, lit), depth=0.08 + 0.12 * i)
        stage.haze(foot, 0.07, 0.2, depth=0.1 + 0.12 * i)
    if not high:
        _street(stage, chance)


def _rank(walls: "Mask", panes: "Mask", chance: random.Random, foot: float, rank: int) -> None:
    x = -0.15
    while x < 1.15:
        width = chance.uniform(0.04, 0.085) * (1 + 0.35 * rank)
        gap_middle = max(0.0, 1 - abs(x + width / 2 - 0.5) * 2.4) if rank == 2 else 0.0
        height = chance.uniform(0.2, 0.46) * (1 - 0.07 * rank) * (1 - 0.78 * gap_middle)
        top = foot - height
        walls.rectangle((x, top), (x + width, 1.3))
        if chance.random() < 0.35:
            walls.rectangle((x + width * 0.25, top - 0.03), (x + width * 0.7, top))
        if chance.random() < 0.3:
            walls.rectangle((x + width * 0.48, top - 0.085), (x + width * 0.5, top))
        _windows(panes, chance, (x, top), (width, height))
        x += width + chance.choice((0.0, 0.0, 0.008, 0.02))


def _windows(
    panes: "Mask", chance: random.Random, corner: tuple[float, float], size: tuple[float, float]
) -> None:
    columns = max(2, round(size[0] / 0.0155))
    rows = max(2, round(size[1] / 0.032))
    pitch = (size[0] / (columns + 0.4), size[1] / (rows + 0.6))
    for row in range(rows):
        for column in range(columns):
            if chance.random() < 0.34:
                left = corner[0] + (column + 0.45) * pitch[0]
                top = corner[1] + (row + 0.5) * pitch[1]
                shine = chance.randrange(70, 235)
                panes.rectangle((left, top), (left + pitch[0] * 0.55, top + pitch[1] * 0.5), shine)


def _street(stage: "Stage", chance: random.Random) -> None:
    scene, horizon = stage.scene, stage.scene.horizon
    wet = "rain" in scene.weather
    road, marks = stage.mask(), stage.mask()
    road.rectangle((-0.2, horizon + 0.045), (1.2, 1.3))
    tone = mix(stage.land(0.84), scene.palette.sky, 0.22 if wet else 0.08)
    stage.add(road.done(), (tone, mix(tone, (5, 6, 9), 0.5)), depth=0.42)
    if wet or scene.palette.moon:
        _reflections(stage, chance, 0.6 if wet else 0.24)
    for i in range(6):
        near = (i / 6) ** 2
        y = horizon + 0.1 + near * 0.5
        half = 0.006 + 0.02 * near
        marks.polygon(
            [
                (0.5 - half, y),
                (0.5 + half, y),
                (0.5 + half * 2, y + 0.02 + 0.09 * near),
                (0.5 - half * 2, y + 0.02 + 0.09 * near),
            ],
            90,
        )
    pale = mix(scene.palette.light, tone, 0.4)
    stage.add(marks.done(), (pale, pale), depth=0.44)
    _lamps(stage)


def _reflections(stage: "Stage", chance: random.Random, strength: float) -> None:
    scene, mask = stage.scene, stage.mask()
    for _ in range(46):
        x, y = chance.uniform(-0.1, 1.1), scene.horizon + 0.05 + 0.02 * chance.random()
        length, half = chance.uniform(0.05, 0.34), chance.uniform(0.0015, 0.007)
        for step in range(10):
            fade = 1 - step / 10
            top = y + length * step / 10
            drift = chance.uniform(-0.004, 0.004)
            mask.rectangle(
                (x + drift - half, top),
                (x + drift + half, top + length * 0.075),
                round(205 * fade * strength),
            )
    warm = mix(scene.palette.accent, scene.palette.light, 0.25)
    stage.add(mask.done(), (warm, mix(warm, scene.palette.horizon, 0.5)), depth=0.43)


def _lamps(stage: "Stage") -> None:
    scene, mask, bulbs = stage.scene, stage.mask(), stage.mask()
    for x, size, left in (
        (0.1, 0.62, False),
        (0.9, 0.62, True),
        (0.27, 0.36, False),
        (0.73, 0.36, True),
    ):
        pen = Pen(
            mask,
            (x, scene.horizon + 0.05 + 0.13 * (size - 0.3)),
            size,
            stage.surface.aspect,
            left=left,
        )
        props.lamp(pen)
        bulbs.ellipse(pen.at(0.2, 0.965), (0.012 * size + 0.004, 0.008 * size + 0.003))
    ink = stage.land(1.0)
    stage.add(mask.done(), (ink, ink), depth=0.5, light=0.15)
    if scene.palette.moon or scene.time_of_day in {"dusk", "overcast", "sunset"}:
        shine(stage, bulbs, depth=0.5, spread=0.03)


def shine(stage: "Stage", lamps: "Mask", *, depth: float, spread: float) -> None:
    """Add lamps with a halo around them."""
    mask = lamps.done()
    halo = stage.glow(mask, spread) * 900 + stage.glow(mask, spread * 3) * 1300
    warm = mix(stage.scene.palette.accent, stage.scene.palette.light, 0.4)
    field = stage.surface.gradient([(0, warm), (1, warm)])
    stage.tint(Image.fromarray(np.clip(halo, 0, 150).astype(np.uint8)), field, depth=depth)
    stage.add(mask, (stage.scene.palette.light, stage.scene.palette.light), depth=depth)


def interior(stage: "Stage") -> None:
    """A room: wall, floor, a window that throws its light, a table and a hanging lamp."""
    scene, palette = stage.scene, stage.scene.palette
    right = scene.light_x > 0.5
    x = 0.7 if right else 0.3
    wall, window, bars, beam, floor = (stage.mask() for _ in range(5))
    wall.rectangle((-0.2, -0.2), (1.2, 1.2))
    tone = mix(palette.far, palette.near, 0.45)
    stage.add(wall.done(), (mix(tone, palette.near, 0.35), tone), depth=0.1)
    half, top, bottom = 0.085 if stage.surface.aspect > 1 else 0.17, 0.14, 0.56
    window.rectangle((x - half, top), (x + half, bottom))
    stage.add(window.done(), (palette.sky, mix(palette.horizon, palette.light, 0.5)), depth=0.12)
    for t in (-1, 0, 1):
        bars.rectangle((x + t * half - 0.004, top), (x + t * half + 0.004, bottom))
    bars.rectangle((x - half, 0.34), (x + half, 0.352))
    bars.rectangle((x - half - 0.015, bottom), (x + half + 0.015, bottom + 0.02))
    stage.add(bars.done(), (palette.near, palette.near), depth=0.12, light=0.3)
    floor.rectangle((-0.2, 0.78), (1.2, 1.3))
    stage.add(floor.done(), (mix(tone, palette.near, 0.5), palette.near), depth=0.3)
    away = -0.42 if right else 0.42
    beam.polygon(
        [
            (x - half, top),
            (x + half, top),
            (x + half, bottom),
            (x + half + away, 1.2),
            (x - half * 2 + away, 1.2),
            (x - half, bottom),
        ]
    )
    glow = stage.glow(beam.done(), 0.02) * 46
    stage.tint(
        Image.fromarray(glow.astype("uint8")),
        stage.surface.gradient([(0, palette.light), (1, palette.light)]),
        depth=0.32,
    )
    _furniture(stage, 0.26 if right else 0.74)


def _furniture(stage: "Stage", desk: float) -> None:
    """A table under a hanging lamp."""
    palette, table = stage.scene.palette, stage.mask()
    table.rectangle((desk - 0.19, 0.71), (desk + 0.19, 0.735))
    for leg in (-0.17, 0.16):
        table.rectangle((desk + leg, 0.73), (desk + leg + 0.012, 0.93))
    table.rectangle((desk - 0.002, -0.2), (desk + 0.002, 0.26))
    table.polygon(
        [(desk - 0.02, 0.25), (desk + 0.02, 0.25), (desk + 0.055, 0.33), (desk - 0.055, 0.33)]
    )
    stage.add(
        table.done(), (palette.near, mix(palette.near, (5, 5, 8), 0.4)), depth=0.5, light=0.35
    )
