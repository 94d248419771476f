"""Sea and lake."""

import math
from typing import TYPE_CHECKING

from services.generator.engines.storyboard import props
from services.generator.engines.storyboard.figures import Pen
from services.generator.engines.storyboard.palette import mix

if TYPE_CHECKING:
    from services.generator.engines.storyboard.stage import Stage


def ocean(stage: "Stage") -> None:
    """Open water under the light, a headland, and a dark beach with palms to frame it."""
    scene = stage.scene
    _headland(stage, 0.045, 0.18)
    surface(stage)
    if scene.shot_type in {"wide", "extreme_wide", "full", "pov"}:
        _shore(stage)


def lake(stage: "Stage") -> None:
    """Still water between hills."""
    _headland(stage, 0.13, 0.14)
    _headland(stage, 0.07, 0.34)
    surface(stage)
    _reeds(stage)


def surface(stage: "Stage") -> None:
    """Paint water from the horizon down, with swell lines and the light's path."""
    scene, palette = stage.scene, stage.scene.palette
    chance, horizon = scene.random("water"), scene.horizon
    mask = stage.mask()
    mask.rectangle((-0.2, horizon), (1.2, 1.3))
    far, deep = mix(palette.horizon, palette.sky, 0.6), mix(palette.sky, palette.near, 0.82)
    stage.add(mask.done(), (mix(far, palette.near, 0.12), deep), depth=0.2)
    dark, bright = stage.mask(), stage.mask()
    for _ in range(330):
        t = chance.random() ** 1.5
        y = horizon + 0.006 + t * (1.1 - horizon)
        half, thick = 0.012 + 0.09 * t * chance.random(), 0.0012 + 0.006 * t
        dark.ellipse(
            (chance.uniform(-0.15, 1.15), y), (half * 1.6, thick), chance.randrange(40, 130)
        )
    for _ in range(240):
        t = chance.random() ** 1.2
        y = horizon + 0.004 + t * (1.08 - horizon)
        x = scene.light_x + chance.gauss(0, 0.03 + 0.06 * t) / math.sqrt(stage.surface.aspect)
        bright.ellipse(
            (x, y),
            (0.01 + 0.055 * t * chance.random(), 0.0014 + 0.0042 * t),
            chance.randrange(110, 245),
        )
    stage.add(dark.done(), (palette.near, palette.near), depth=0.22)
    if scene.time_of_day != "overcast":
        stage.add(
            bright.done(), (palette.light, mix(palette.light, palette.horizon, 0.5)), depth=0.22
        )
    stage.haze(horizon, 0.018, 0.5, depth=0.2)


def _headland(stage: "Stage", height: float, near: float) -> None:
    scene = stage.scene
    chance, side = scene.random(f"headland{near}"), math.copysign(1, scene.subject_x - 0.5)
    points = []
    for i in range(81):
        t = i / 80
        fall = math.cos(min(1.0, t * 1.05) * math.pi / 2) ** 0.8
        bump = 1 + 0.16 * math.sin(t * 17 + chance.random() * 0.2) + 0.08 * math.sin(t * 41)
        points.append(
            (0.5 + side * (0.66 - t * 0.55), scene.horizon + 0.004 - height * fall * bump)
        )
    points += [(0.5 + side * 0.1, scene.horizon + 0.01), (0.5 + side * 0.7, scene.horizon + 0.01)]
    mask = stage.mask()
    mask.polygon(points)
    stage.add(mask.done(), (stage.land(near + 0.1), stage.land(near)), depth=0.1, light=0.3)


def _shore(stage: "Stage") -> None:
    scene = stage.scene
    chance, right = scene.random("shore"), scene.subject_x > 0.5
    ink = mix(scene.palette.near, (5, 5, 8), 0.35)
    foam, mask = stage.mask(), stage.mask()
    foam.polygon(_beach(right, -0.016))
    mask.polygon(_beach(right, 0.0))
    pale = mix(scene.palette.light, scene.palette.sky, 0.45)
    stage.add(foam.done(), (pale, pale), depth=0.5)
    edge = 1.0 if right else 0.0
    for offset, size in ((0.04, 0.86), (0.13, 0.6)):
        x = edge - offset if right else edge + offset
        foot = 0.93 + offset * 0.35
        props.palm(Pen(mask, (x, foot), size, stage.surface.aspect, left=right), chance)
    stage.add(mask.done(), (ink, ink), depth=0.7, light=0.3)


def _beach(right: bool, lift: float) -> list[tuple[float, float]]:
    edge = [
        (t / 40, 1.0 - 0.13 * (t / 40) ** 1.7 + 0.008 * math.sin(t * 0.5) + lift)
        for t in range(-6, 47)
        if t >= 0
    ]
    edge = [(-0.2, 1.0 + lift), *edge, (1.3, 1.3), (-0.2, 1.3)]
    return edge if right else [(1 - x, y) for x, y in edge]


def _reeds(stage: "Stage") -> None:
    scene = stage.scene
    chance, mask = scene.random("reeds"), stage.mask()
    for side in (-0.02, 1.02):
        for _ in range(46):
            x = side + chance.gauss(0, 0.06)
            height, lean = chance.uniform(0.1, 0.34), chance.uniform(-0.03, 0.03)
            mask.polygon([(x - 0.003, 1.15), (x + lean, 1.04 - height), (x + 0.003, 1.15)])
            if chance.random() < 0.3:
                mask.capsule((x + lean, 1.06 - height), (x + lean, 1.02 - height), (0.007, 0.005))
    ink = mix(scene.palette.near, (5, 5, 8), 0.4)
    stage.add(mask.done(), (ink, ink), depth=0.85, light=0.2)
