"""Backdrops: each setting is a handful of layers from far to near."""

import math
import random
from typing import TYPE_CHECKING

from services.generator.engines.storyboard import props, sky, urban, water
from services.generator.engines.storyboard.figures import Pen
from services.generator.engines.storyboard.palette import mix
from services.generator.engines.storyboard.terrain import band, ground, massif, ridge, trees

if TYPE_CHECKING:
    from services.generator.engines.storyboard.stage import Stage


def paint(stage: "Stage") -> None:
    """Add the layers of the scene's setting."""
    _SETTINGS.get(stage.scene.setting, hills)(stage)


def hills(stage: "Stage") -> None:
    """Rolling hills."""
    chance, horizon = stage.scene.random("hills"), stage.scene.horizon
    step = 0.27 * (1 - horizon)
    for i, (near, depth) in enumerate(((0.12, 0.08), (0.36, 0.2), (0.66, 0.4))):
        points = ridge(chance, horizon + 0.06 + step * i, 0.11 - 0.015 * i, rough=0.05)
        band(stage, points, near, depth=depth, light=0.3)
        stage.haze(horizon + 0.12 + step * i, 0.05, 0.22, depth=depth)
    trees(
        stage,
        props.round_tree,
        count=5,
        foot=horizon + 0.03 + 2 * step,
        size=(0.07, 0.13),
        near=0.74,
    )
    ground(stage, horizon + 0.07 + 2 * step, 0.9)


def mountains(stage: "Stage") -> None:
    """A chain with one massif, lit on one side, mist between the ridges."""
    scene = stage.scene
    chance, horizon = scene.random("mountains"), scene.horizon
    massif(stage, chance)
    stage.haze(horizon + 0.04, 0.06, 0.5, depth=0.08)
    steps = 4 if scene.shot_type == "aerial" else 3
    for i in range(steps):
        near = 0.28 + 0.62 * i / steps
        base = horizon + 0.1 + (1.02 - horizon) * 0.8 * i / steps
        height = 0.2 if steps == 4 else 0.13
        band(
            stage,
            ridge(chance, base + height - 0.13, height, rough=0.62),
            near,
            depth=0.14 + 0.5 * i / steps,
            light=0.32,
        )
        stage.haze(base + 0.06, 0.06, 0.42 * (1 - i / steps), depth=0.16 + 0.5 * i / steps)


def savanna(stage: "Stage") -> None:
    """A plain with thorn trees and grass."""
    scene = stage.scene
    chance, horizon = scene.random("savanna"), scene.horizon
    band(stage, ridge(chance, horizon + 0.01, 0.05, rough=0.1), 0.1, depth=0.06)
    stage.haze(horizon, 0.035, 0.3, depth=0.07)
    ground(stage, horizon + 0.015, 0.42, depth=0.2, light=0.5)
    trees(stage, props.acacia, count=5, foot=horizon + 0.035, size=(0.06, 0.11), near=0.5)
    mask = stage.mask()
    x = scene.light_x + math.copysign(0.17, scene.light_x - 0.5)
    props.acacia(Pen(mask, (x, horizon + 0.1), 0.42, stage.surface.aspect), chance)
    stage.add(mask.done(), (stage.land(0.8), stage.land(0.9)), depth=0.36, light=0.3)
    ground(stage, horizon + 0.17, 0.86, depth=0.5)
    _grass(stage, chance)


def _grass(stage: "Stage", chance: random.Random, *, tall: float = 1.0) -> None:
    mask = stage.mask()
    for _ in range(520):
        x, y = chance.uniform(-0.13, 1.13), chance.uniform(1.0, 1.1)
        height, lean = chance.uniform(0.06, 0.15) * tall, chance.uniform(-0.025, 0.03)
        mask.polygon([(x - 0.0022, y), (x + lean, y - height), (x + 0.0022, y)])
    near = mix(stage.scene.palette.near, (4, 4, 6), 0.5)
    stage.add(mask.done(), (near, near), depth=0.85)


def desert(stage: "Stage") -> None:
    """Dunes with one lit face each."""
    scene = stage.scene
    chance, horizon = scene.random("desert"), scene.horizon
    warm = mix(scene.palette.horizon, scene.palette.accent, 0.5)
    for i, near in enumerate((0.1, 0.34, 0.62)):
        points = ridge(chance, horizon + 0.05 + 0.11 * i, 0.09, rough=0.3)
        mask = stage.mask()
        mask.polygon(points)
        top = mix(warm, scene.palette.near, 0.18 + near)
        stage.add(
            mask.done(),
            (top, mix(top, scene.palette.near, 0.4)),
            depth=0.1 + 0.2 * i,
            light=0.4,
            rim_width=0.02,
        )


def forest(stage: "Stage") -> None:
    """Ranks of conifers that fade into mist."""
    scene = stage.scene
    chance, horizon = scene.random("forest"), scene.horizon
    for i, near in enumerate((0.1, 0.34, 0.6)):
        foot = horizon + 0.07 * (i + 1)
        mask = stage.mask()
        for _ in range(34 - 8 * i):
            size = (
                chance.uniform(0.3, 0.5)
                * (0.75 + 0.34 * i)
                * min(1.0, 0.3 + 0.35 * stage.surface.aspect)
            )
            place = (chance.uniform(-0.14, 1.14), foot + 0.02)
            props.pine(Pen(mask, place, size, stage.surface.aspect), chance)
        mask.rectangle((-0.14, foot - 0.005), (1.14, 1.2))
        top = stage.land(near)
        stage.add(
            mask.done(),
            (top, mix(top, scene.palette.horizon, 0.25)),
            depth=0.12 + 0.18 * i,
            light=0.22,
        )
        stage.haze(foot + 0.02, 0.09, 0.5 - 0.12 * i, depth=0.14 + 0.18 * i)
    ground(stage, horizon + 0.25, 0.86)
    frame = stage.mask()
    for x, width in ((-0.02, 0.06), (0.97, 0.075)):
        frame.capsule((x, -0.2), (x + 0.01, 1.2), (width * 0.6, width))
    near_ink = mix(scene.palette.near, (4, 4, 6), 0.4)
    stage.add(frame.done(), (near_ink, near_ink), depth=0.9, light=0.14)


def park(stage: "Stage") -> None:
    """A lawn, a path, and trees on both sides."""
    scene = stage.scene
    chance, horizon = scene.random("park"), scene.horizon
    band(stage, ridge(chance, horizon + 0.02, 0.06, rough=0.05), 0.14, depth=0.08)
    trees(stage, props.round_tree, count=9, foot=horizon + 0.03, size=(0.16, 0.26), near=0.32)
    ground(stage, horizon + 0.02, 0.46, depth=0.22, light=0.5)
    path = stage.mask()
    vanish = 0.5 + (scene.light_x - 0.5) * 0.5
    path.polygon(
        [
            (vanish - 0.01, horizon + 0.02),
            (vanish + 0.012, horizon + 0.02),
            (vanish + 0.34, 1.2),
            (vanish - 0.1, 1.2),
        ]
    )
    pale = mix(stage.land(0.3), scene.palette.horizon, 0.5)
    stage.add(path.done(), (pale, mix(pale, scene.palette.near, 0.35)), depth=0.24)
    mask = stage.mask()
    for x, size in (
        (scene.light_x - math.copysign(0.03, 0.5 - scene.light_x), 0.62),
        (1.06 if scene.light_x < 0.5 else -0.06, 0.9),
    ):
        props.round_tree(Pen(mask, (x, horizon + 0.16), size, stage.surface.aspect), chance)
    stage.add(mask.done(), (stage.land(0.72), stage.land(0.84)), depth=0.42, light=0.3)
    _grass(stage, chance, tall=0.5)


def village(stage: "Stage") -> None:
    """Thatched houses on a plain."""
    scene = stage.scene
    chance, horizon = scene.random("village"), scene.horizon
    band(stage, ridge(chance, horizon + 0.02, 0.09, rough=0.1), 0.14, depth=0.08)
    ground(stage, horizon + 0.02, 0.4, depth=0.2, light=0.5)
    trees(stage, props.round_tree, count=4, foot=horizon + 0.05, size=(0.14, 0.22), near=0.44)
    mask = stage.mask()
    for x, y, size in (
        (0.12, 0.07, 0.15),
        (0.3, 0.05, 0.11),
        (0.84, 0.07, 0.16),
        (0.66, 0.05, 0.1),
    ):
        props.hut(Pen(mask, (x, horizon + y), size, stage.surface.aspect), chance)
    stage.add(mask.done(), (stage.land(0.7), stage.land(0.85)), depth=0.34, light=0.3)
    ground(stage, horizon + 0.2, 0.84, depth=0.5)


def snowfield(stage: "Stage") -> None:
    """White hills and dark conifers."""
    scene = stage.scene
    chance, horizon = scene.random("snow"), scene.horizon
    white = mix(scene.palette.light, scene.palette.sky, 0.3)
    massif(stage, chance)
    for i in range(3):
        foot = horizon + 0.07 + 0.1 * i
        mask = stage.mask()
        mask.polygon(ridge(chance, foot, 0.07, rough=0.05))
        tone = mix(white, scene.palette.sky, 0.34 - 0.1 * i)
        stage.add(
            mask.done(), (tone, mix(tone, scene.palette.far, 0.3)), depth=0.12 + 0.16 * i, light=0.4
        )
        if i < 2:
            trees(
                stage,
                props.pine,
                count=11,
                foot=foot - 0.005,
                size=(0.1, 0.2 + 0.1 * i),
                near=0.55 + 0.2 * i,
            )


def airless(stage: "Stage") -> None:
    """The rim of a cratered moon."""
    scene = stage.scene
    chance, aspect = scene.random("moon"), stage.surface.aspect
    ground, craters = stage.mask(), stage.mask()
    top = 0.84
    curve = [
        (x / 50, top + 0.1 * (x / 50 - 0.5) ** 2 + chance.uniform(0, 0.006)) for x in range(-8, 59)
    ]
    ground.polygon([*curve, (1.3, 1.3), (-0.3, 1.3)])
    for _ in range(14):
        y = chance.uniform(0.88, 1.08)
        size = (y - 0.8) * chance.uniform(0.1, 0.3)
        craters.ellipse((chance.uniform(-0.1, 1.1), y), (size * min(2.0, aspect), size * 0.3), 120)
    tone = mix(scene.palette.far, scene.palette.light, 0.22)
    stage.add(ground.done(), (tone, scene.palette.near), depth=0.5, light=0.6)
    stage.add(craters.done(), (scene.palette.near, scene.palette.near), depth=0.5)


_SETTINGS = {
    "hills": hills, "mountain": mountains, "savanna": savanna, "desert": desert, "forest": forest,
    "park": park, "village": village, "snow": snowfield, "sky": sky.cloudscape, "space": airless,
    "ocean": water.ocean, "lake": water.lake, "city": urban.city, "interior": urban.interior,
}  # fmt: skip
