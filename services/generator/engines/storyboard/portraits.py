"""Heads that fill the frame: a face in profile, and the shoulder of somebody who looks on."""

from typing import TYPE_CHECKING

from services.generator.engines.storyboard.figures import BEARD, HAT, PROFILE, Pen
from services.generator.engines.storyboard.palette import mix

if TYPE_CHECKING:
    from services.generator.engines.storyboard.stage import Stage


def portrait(stage: "Stage", x: float) -> None:
    """A head in profile, turned into the empty side of the frame, lit along its edge."""
    scene, aspect = stage.scene, stage.surface.aspect
    size = {"medium_close_up": 0.74, "close_up": 0.92, "extreme_close_up": 1.5}[scene.shot_type]
    size = min(size, 1.05 * aspect) if scene.shot_type != "extreme_close_up" else size
    left = x > 0.5
    face = 0.56 * size if scene.shot_type != "extreme_close_up" else 0.62 * size
    foot = (0.5 + (x - 0.5) * 0.75, 0.5 + face)
    pen = Pen(stage.mask(), foot, size, aspect, left=left)
    pen.shape(PROFILE)
    if "old" in scene.details:
        pen.shape(BEARD)
    if "hat" in scene.details:
        pen.shape(HAT)
    stage.figure(pen.mask, rim_width=0.016)
    _features(stage, pen)


def _features(stage: "Stage", pen: Pen) -> None:
    """Eye, brow, ear and jaw as a few light strokes: enough to read as a face."""
    scene = stage.scene
    strokes = pen.onto(stage.mask())
    strokes.limbs(
        (
            (0.135, 0.742, 0.004, 0.172, 0.748, 0.006),
            (0.12, 0.7, 0.003, 0.162, 0.702, 0.006),
            (0.135, 0.69, 0.002, 0.165, 0.694, 0.003),
            (0.195, 0.6, 0.004, 0.165, 0.594, 0.002),
            (0.2, 0.648, 0.003, 0.186, 0.662, 0.004),
            (-0.035, 0.7, 0.006, -0.045, 0.65, 0.004),
            (-0.045, 0.65, 0.004, -0.02, 0.62, 0.005),
        )
    )
    if "old" in scene.details:
        strokes.limbs(
            (
                (0.1, 0.765, 0.002, 0.165, 0.775, 0.003),
                (0.09, 0.79, 0.002, 0.16, 0.797, 0.003),
                (0.08, 0.695, 0.002, 0.1, 0.705, 0.002),
                (0.082, 0.685, 0.002, 0.104, 0.69, 0.002),
                (0.16, 0.64, 0.002, 0.145, 0.6, 0.003),
            )
        )
    tone = mix(scene.palette.near, scene.palette.horizon, 0.46)
    stage.add(strokes.mask.done(), (tone, tone), depth=0.7)


def shoulder(stage: "Stage") -> None:
    """The back of a head and a shoulder in the foreground, out of the light."""
    scene, aspect = stage.scene, stage.surface.aspect
    right = scene.subject_x < 0.5
    pen = Pen(stage.mask(), (0.86 if right else 0.14, 1.0), 0.95, aspect, left=right)
    pen.limbs(
        (
            (0.02, 0.66, 0.15, 0.0, 0.57, 0.14),
            (-0.15, 0.6, 0.03, -0.15, 0.56, 0.02),
            (0.16, 0.6, 0.03, 0.155, 0.56, 0.02),
        )
    )
    pen.limbs(
        (
            (0.0, 0.5, 0.1, 0.0, 0.3, 0.12),
            (-0.4, 0.13, 0.16, -0.05, 0.24, 0.15),
            (0.05, 0.24, 0.15, 0.34, 0.12, 0.15),
        )
    )
    pen.shape(((-0.56, 0.16), (0.46, 0.14), (0.52, -0.4), (-0.6, -0.4)), smooth=False)
    ink = mix(scene.palette.near, (5, 5, 8), 0.5)
    stage.add(pen.mask.done(), (ink, ink), depth=0.95, light=0.35, rim_width=0.009)
