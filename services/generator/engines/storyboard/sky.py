"""Sky, sun, moon, stars and clouds."""

import numpy as np
from PIL import Image

from services.generator.engines.storyboard.canvas import Array
from services.generator.engines.storyboard.palette import mix
from services.generator.engines.storyboard.stage import Stage


def paint(stage: Stage) -> None:
    """Lay the sky with its light; the light stands where the scene put it."""
    scene, palette = stage.scene, stage.scene.palette
    horizon = max(0.2, scene.horizon)
    field = stage.surface.gradient(
        [(-0.1, palette.zenith), (horizon * 0.62, palette.sky), (horizon, palette.horizon)]
    )
    overcast = scene.time_of_day == "overcast"
    if not overcast:
        _halo(stage, field)
    if palette.moon or scene.setting == "space":
        _stars(stage, field)
    _clouds(stage, field)
    if not overcast and scene.setting not in {"interior", "space"}:
        _disc(stage, field)
    if scene.setting == "space":
        _planet(stage, field)
    stage.backdrop(field)


def _halo(stage: Stage, field: Array) -> None:
    scene, surface = stage.scene, stage.surface
    across = (surface.columns() - scene.light_x) * surface.aspect
    down = (surface.rows() - scene.light_y) * 1.25
    distance = np.sqrt(across**2 + down**2)
    strength = np.exp(-distance / 0.34) * (0.34 if scene.palette.moon else 0.66)
    colour = np.array(mix(scene.palette.horizon, scene.palette.light, 0.6), np.float32)
    field += (colour - field) * strength[..., None]


def _disc(stage: Stage, field: Array) -> None:
    scene = stage.scene
    low = scene.time_of_day in {"dawn", "sunset", "golden_hour", "dusk"}
    radius = 0.105 if low else 0.055
    mask = stage.mask()
    mask.ellipse((scene.light_x, scene.light_y), (radius, radius))
    _paint(field, mask.done(), scene.palette.light)
    if scene.palette.moon:  # a shadow bites the disc to a gibbous moon
        bite = stage.mask()
        for dx, dy, r in ((-0.2, -0.25, 0.2), (0.3, 0.1, 0.14), (-0.1, 0.42, 0.12)):
            centre = (
                scene.light_x + dx * radius / stage.surface.aspect,
                scene.light_y + dy * radius,
            )
            bite.ellipse(centre, (radius * r, radius * r))
        _paint(field, bite.done(), mix(scene.palette.light, scene.palette.sky, 0.28))


def _stars(stage: Stage, field: Array) -> None:
    chance, mask = stage.scene.random("stars"), stage.mask()
    for _ in range(260):
        x, y = chance.uniform(-0.13, 1.13), chance.uniform(-0.13, stage.scene.horizon)
        size = 0.0011 + 0.0022 * chance.random() ** 4
        mask.ellipse((x, y), (size, size), chance.randrange(70, 230))
    _paint(field, mask.done(), stage.scene.palette.light)


def _clouds(stage: Stage, field: Array) -> None:
    scene = stage.scene
    chance = scene.random("clouds")
    if scene.setting == "space":
        return
    heavy = scene.time_of_day == "overcast" or scene.setting == "sky"
    lit = mix(scene.palette.light, scene.palette.horizon, 0.45)
    shade = mix(scene.palette.sky, scene.palette.zenith, 0.35)
    for _ in range(9 if heavy else 4):
        centre = (chance.uniform(-0.1, 1.1), chance.uniform(0.02, max(0.12, scene.horizon - 0.16)))
        body, under = stage.mask(), stage.mask()
        length = chance.uniform(0.16, 0.42) / max(1.0, stage.surface.aspect / 1.8)
        for _ in range(chance.randrange(4, 8)):
            x = centre[0] + chance.gauss(0, length * 0.45)
            y = centre[1] + chance.gauss(0, 0.008)
            rx, ry = chance.uniform(0.08, 0.24), chance.uniform(0.005, 0.016)
            body.ellipse((x, y), (rx, ry))
            under.ellipse((x, y + ry * 0.9), (rx * 0.92, ry * 0.5))
        strength = (0.25 if scene.palette.moon else 0.5) * chance.uniform(0.6, 1)
        _blend(field, stage.glow(body.done(), 0.007) * strength, lit)
        _blend(field, stage.glow(under.done(), 0.006) * strength * 0.7, shade)


def _planet(stage: Stage, field: Array) -> None:
    scene, mask = stage.scene, stage.mask()
    mask.ellipse((scene.light_x, 0.42), (0.27, 0.27))
    _paint(field, mask.done(), mix(scene.palette.accent, scene.palette.near, 0.25))
    bands = stage.mask()
    chance = scene.random("planet")
    for _ in range(7):
        y = 0.42 + chance.uniform(-0.22, 0.22)
        half = max(0.0, 0.27**2 - (y - 0.42) ** 2) ** 0.5
        bands.ellipse((scene.light_x, y), (half, chance.uniform(0.006, 0.02)), 110)
    _paint(field, bands.done(), scene.palette.light)
    lit = stage.mask()
    lit.ellipse((scene.light_x - 0.12 / stage.surface.aspect, 0.35), (0.27, 0.27))
    disc = np.asarray(mask.done(), np.float32) / 255
    _blend(field, disc * (1 - stage.glow(lit.done(), 0.02)) * 0.88, scene.palette.near)
    ring = stage.mask()
    for spread, value in ((0.46, 255), (0.425, 0), (0.41, 170), (0.33, 0)):
        ring.ellipse((scene.light_x, 0.42), (spread, spread * 0.2), value)
    behind = np.where(stage.surface.rows() < 0.42, 1 - disc, 1.0)
    alpha = np.asarray(ring.done(), np.float32) / 255 * behind
    _blend(field, alpha * 0.75, mix(scene.palette.light, scene.palette.accent, 0.3))


def _paint(field: Array, mask: Image.Image, colour: tuple[float, float, float]) -> None:
    _blend(field, np.asarray(mask, np.float32) / 255, colour)


def _blend(field: Array, alpha: Array, colour: tuple[float, float, float]) -> None:
    rows = np.flatnonzero(alpha.any(axis=1))
    if rows.size:
        part = slice(rows[0], rows[-1] + 1)
        field[part] += (np.array(colour, np.float32) - field[part]) * alpha[part][..., None]


def cloudscape(stage: Stage) -> None:
    """A sea of clouds below the eye."""
    scene = stage.scene
    chance = scene.random("cloudsea")
    for i in range(4):
        mask = stage.mask()
        base = scene.horizon + 0.04 + 0.1 * i
        for _ in range(44):
            size = chance.uniform(0.03, 0.1) * (0.7 + 0.35 * i)
            mask.ellipse(
                (chance.uniform(-0.15, 1.15), base + chance.uniform(0, 0.05)), (size * 1.7, size)
            )
        mask.rectangle((-0.2, base + 0.05), (1.2, 1.2))
        top = mix(scene.palette.light, scene.palette.sky, 0.15 + 0.12 * i)
        stage.add(
            mask.done(),
            (top, mix(top, scene.palette.far, 0.6)),
            depth=0.1 + 0.17 * i,
            light=0.5,
            rim_width=0.012,
        )
