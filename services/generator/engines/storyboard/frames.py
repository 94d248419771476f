"""The camera: composes the layers of a shot into finished frames of three planes."""

from typing import TYPE_CHECKING

import numpy as np
from PIL import Image, ImageChops

from services.generator.engines.storyboard import (
    camera,
    hud,
    layout,
    scene,
    scenery,
    sky,
    subjects,
    weather,
)
from services.generator.engines.storyboard.canvas import Planes, Surface, to_planes
from services.generator.engines.storyboard.projection import Window, grouped, paste, project, to_rgb
from services.generator.engines.storyboard.stage import Cut, Stage

if TYPE_CHECKING:
    from services.generator.engines.storyboard.camera import View
    from services.generator.engines.storyboard.spec import StoryboardSpec

_GRAINS, _GRAIN = 4, 3
_PLANES = (0.2, 0.55)
"""Depths at which a moving camera sees the scene come apart."""
_VIGNETTE = 0.2


class Shot:
    """A spec turned into pictures: ``frame(i)`` may be asked in any order."""

    def __init__(self, spec: "StoryboardSpec") -> None:
        self.spec = spec
        self.scene = scene.read(spec)
        self.layout = layout.plan(spec.width, spec.height)
        self._surface = Surface(*self.layout.picture)
        self._cuts = self._paint()
        edges = _PLANES if self.scene.camera_motion in camera.PARALLAX else ()
        self._cuts = grouped(self._cuts, edges)
        self._hud = hud.Hud(spec, self.scene, self.layout)
        self._base = to_planes(np.asarray(self._hud.base, np.float32))
        self._marks = self._hud.marks()
        self._air = weather.Air(self.scene, self.layout.picture)
        self._grain = _grain(self.layout.picture, self.scene.seed)
        self._still: tuple[object, Planes] | None = None

    @property
    def warnings(self) -> tuple[str, ...]:
        """What could not be drawn as asked."""
        return tuple(self._hud.warnings)

    def _paint(self) -> list[Cut]:
        stage = Stage(self.scene, self._surface)
        sky.paint(stage)
        scenery.paint(stage)
        subjects.paint(stage)
        return sorted(stage.cuts, key=lambda cut: cut.depth)

    def frame(self, index: int) -> Planes:
        """Return the Y, U and V planes of a frame (4:2:0)."""
        spec = self.spec
        progress = index / max(1, spec.frames - 1)
        picture = self._picture(progress, index / spec.fps)
        luma = ImageChops.add(picture[0], self._grain[index * 3 // spec.fps % _GRAINS], 1, -128)
        luma.paste(228, (0, 0), self._marks)
        out = (self._base[0].copy(), self._base[1].copy(), self._base[2].copy())
        top = self.layout.top
        out[0].paste(luma, (0, top))
        out[1].paste(picture[1], (0, top // 2))
        out[2].paste(picture[2], (0, top // 2))
        self._run(out, index, progress)
        return out

    def image(self, index: int) -> Image.Image:
        """Return a frame as an RGB picture."""
        return to_rgb(self.frame(index))

    def _run(self, out: Planes, index: int, progress: float) -> None:
        left, top = self._hud.clock_box[:2]
        clock = to_planes(np.asarray(self._hud.clock(index), np.float32))
        paste(out, clock, (left, top))
        y, height, width = self._hud.bar
        done = max(2, round(width * progress / 2) * 2)
        colour = np.empty((height, done, 3), np.float32)
        colour[:] = self._hud.accent
        paste(out, to_planes(colour), (0, y))

    def _picture(self, progress: float, seconds: float) -> Planes:
        views = tuple(
            camera.view(self.scene.camera_motion, progress, cut.depth) for cut in self._cuts
        )
        if self._still is None or self._still[0] != views:
            self._still = (views, self._compose(views))
        picture = self._still[1]
        if self._air.empty:
            return picture
        luma, mask = picture[0].copy(), self._air.mask(seconds)
        luma.paste(46 if self._air.dark else 226, (0, 0), mask)
        return (luma, picture[1], picture[2])

    def _compose(self, views: "tuple[View, ...]") -> Planes:
        width, height = self.layout.picture
        out = (Image.new("L", (width, height)), Image.new("L", (width // 2, height // 2)),
               Image.new("L", (width // 2, height // 2)))  # fmt: skip
        for cut, view in zip(self._cuts, views, strict=True):
            project(out, cut.layer, self._window(view))
        return out

    def _window(self, view: "View") -> Window:
        (width, height), (bx, by) = self._surface.picture, self._surface.border
        scale = 1 / view.zoom
        left = bx + width * (view.x + (1 - scale) / 2)
        top = by + height * (view.y + (1 - scale) / 2)
        limit_x, limit_y = (
            self._surface.width - width * scale,
            self._surface.height - height * scale,
        )
        return Window(min(max(0.0, left), limit_x), min(max(0.0, top), limit_y), scale)


def _grain(size: tuple[int, int], seed: int) -> list[Image.Image]:
    """Return film grain around 128 with a soft vignette in it, to be added to the luma."""
    noise = np.random.default_rng(seed)
    width, height = size
    x = np.linspace(-1, 1, width, dtype=np.float32)[None, :]
    y = np.linspace(-1, 1, height, dtype=np.float32)[:, None]
    corner = -_VIGNETTE * 100 * np.clip((x * x + y * y) / 2 - 0.25, 0, 1) ** 1.3
    grains = []
    for _ in range(_GRAINS):
        speckle = noise.integers(-_GRAIN, _GRAIN + 1, (height, width), dtype=np.int8)
        grains.append(Image.fromarray(np.clip(128 + corner + speckle, 0, 255).astype(np.uint8)))
    return grains
