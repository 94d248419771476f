"""Places the subjects of a shot: where the eye should go, at the size that the shot type asks."""

from typing import TYPE_CHECKING

from services.generator.engines.storyboard import props
from services.generator.engines.storyboard.figures import (
    ANIMALS,
    BUN,
    DRESS,
    HAT,
    PERSON,
    Pen,
)
from services.generator.engines.storyboard.palette import mix
from services.generator.engines.storyboard.portraits import portrait, shoulder
from services.generator.engines.storyboard.urban import shine

if TYPE_CHECKING:
    from services.generator.engines.storyboard.stage import Stage

# How large each subject stands beside a person, and how far its head is from its feet (x, y).
_SCALE = {
    "elephant": 1.35,
    "giraffe": 2.1,
    "lion": 0.62,
    "dog": 0.46,
    "cat": 0.34,
    "horse": 1.0,
    "camel": 1.2,
    "bus": 0.95,
    "car": 0.66,
    "boat": 1.3,
    "person": 0.9,
}
_HEAD = {
    "elephant": (0.5, 0.74),
    "giraffe": (0.33, 0.93),
    "lion": (0.62, 0.8),
    "dog": (0.64, 0.92),
    "cat": (0.64, 0.82),
    "horse": (0.52, 0.88),
    "camel": (0.56, 0.88),
    "bus": (0.7, 0.55),
    "car": (0.8, 0.5),
    "boat": (0.0, 0.5),
}
_EYES = {
    "lion": (0.7, 0.86),
    "dog": (0.67, 0.955),
    "cat": (0.69, 0.845),
    "horse": (0.52, 0.93),
    "camel": (0.55, 0.925),
    "elephant": (0.55, 0.79),
    "giraffe": (0.33, 0.935),
}
_TIGHT = {"medium_close_up": 1.0, "close_up": 1.45, "extreme_close_up": 1.8, "medium": 0.8}


def paint(stage: "Stage") -> None:
    """Add every subject that can be drawn; none is fine."""
    scene = stage.scene
    if scene.shot_type == "over_the_shoulder":
        shoulder(stage)
    for index, subject in enumerate(scene.subjects):
        side = scene.subject_x if index == 0 else 1 - scene.subject_x
        if subject == "bird":
            continue  # birds are in the air: see weather.py
        if subject == "person" and scene.close and index == 0:
            portrait(stage, side)
        elif scene.shot_type in _TIGHT and subject in _HEAD and index == 0:
            _tight(stage, subject, side)
        elif not scene.close:
            _standing(stage, subject, side, index)


def _standing(stage: "Stage", subject: str, x: float, index: int) -> None:
    scene = stage.scene
    height = scene.subject_height * _SCALE.get(subject, 0.85)
    widest = 0.8 * stage.surface.aspect / {"bus": 2.4, "car": 3.3, "crowd": 2.0}.get(subject, 1.4)
    height = min(height, widest)
    foot = _foot(stage, height, subject) - 0.02 * index
    left = x > 0.5
    if subject in {"crowd", "couple"}:
        _people(stage, x, foot, height, count=9 if subject == "crowd" else 2)
    elif subject in {"bus", "car"}:
        _vehicle(
            stage, subject, Pen(stage.mask(), (x, foot), height, stage.surface.aspect, left=left)
        )
    else:
        pen = Pen(stage.mask(), (x, foot), height, stage.surface.aspect, left=left)
        _one(stage, pen, subject)
        if "herd" in scene.details and subject in ANIMALS:
            step = (0.95 if left else -0.95) * height / stage.surface.aspect
            for place, size in ((1.15, 0.86), (2.1, 0.92)):
                _one(
                    stage,
                    Pen(
                        pen.mask,
                        (x + step * place, foot - 0.012 * place),
                        height * size,
                        stage.surface.aspect,
                        left=left,
                    ),
                    subject,
                )
        stage.figure(pen.mask)


def _foot(stage: "Stage", height: float, subject: str) -> float:
    scene = stage.scene
    if subject == "boat":
        return min(0.9, scene.horizon + 0.05 + height * 0.12)
    if scene.shot_type == "medium":
        return 0.24 + height
    room = (0.86 if subject in {"bus", "car"} else 0.94) - scene.horizon
    return scene.horizon + max(0.05, min(room, 0.1 + height * 0.42))


def _one(stage: "Stage", pen: Pen, subject: str) -> None:
    if subject == "boat":
        props.dhow(pen)
        return
    if subject != "person":
        pen.limbs(ANIMALS[subject])
        if subject == "elephant":
            pen.oval(0.32, 0.74, 0.13, 0.19)
        return
    pen.limbs(PERSON)
    if "dress" in stage.scene.details:
        pen.shape(DRESS)
        pen.limbs(BUN)
    if "hat" in stage.scene.details:
        pen.shape([(x * 0.42, (y - 0.5) * 0.42 + 0.83) for x, y in HAT])
    if "old" in stage.scene.details:  # a stick
        pen.limbs(((0.16, 0.46, 0.012, 0.24, 0.0, 0.01), (0.16, 0.46, 0.014, 0.12, 0.47, 0.012)))


def _people(stage: "Stage", x: float, foot: float, height: float, *, count: int) -> None:
    chance, mask = stage.scene.random("people"), stage.mask()
    spread = 0.24 if count > 2 else 0.09 * height / stage.surface.aspect * 2
    for i in range(count):
        t = (i / (count - 1)) * 2 - 1
        jitter = chance.uniform(-0.03, 0.03) if count > 2 else 0.0
        size = height * (chance.uniform(0.84, 1.06) if count > 2 else (1.0, 0.92)[i])
        place = (x + t * spread + jitter, foot + (chance.uniform(-0.01, 0.03) if count > 2 else 0))
        Pen(mask, place, size, stage.surface.aspect, left=chance.random() < 0.5).limbs(PERSON)
    stage.figure(mask)


def _vehicle(stage: "Stage", subject: str, pen: Pen) -> None:
    scene = stage.scene
    body, panes, lamps = (
        (props.bus, props.bus_windows, props.bus_lamps)
        if subject == "bus"
        else (props.car, props.car_windows, props.car_lamps)
    )
    body(pen)
    stage.figure(pen.mask)
    glass, light = pen.onto(stage.mask()), pen.onto(stage.mask())
    panes(glass)
    lamps(light)
    lit = scene.palette.moon or scene.time_of_day in {"dusk", "overcast"}
    pane = (
        mix(scene.palette.accent, scene.palette.light, 0.45)
        if lit
        else mix(scene.palette.sky, scene.palette.near, 0.25)
    )
    stage.add(glass.mask.done(), (pane, mix(pane, scene.palette.accent, 0.4)), depth=0.6)
    if lit:
        shine(stage, light.mask, depth=0.62, spread=0.025)
    else:
        stage.add(light.mask.done(), (scene.palette.light, scene.palette.accent), depth=0.62)


def _tight(stage: "Stage", subject: str, x: float) -> None:
    """Frame the head of an animal, or the nose of a vehicle, so that it fills the picture."""
    scene, aspect = stage.scene, stage.surface.aspect
    hx, hy = _HEAD[subject]
    height = min(_TIGHT[scene.shot_type] * (0.8 if subject == "giraffe" else 1.1), 1.6 * aspect)
    left = x > 0.5
    head_x = 0.5 + (0.05 if left else -0.05)
    foot = (head_x - (-hx if left else hx) * height / aspect, 0.42 + hy * height)
    pen = Pen(stage.mask(), foot, height, aspect, left=left)
    if subject in {"bus", "car"}:
        _vehicle(stage, subject, pen)
        return
    _one(stage, pen, subject)
    stage.figure(pen.mask, rim_width=0.012)
    if subject in _EYES:
        eye = pen.onto(stage.mask())
        eye.oval(*_EYES[subject], 0.016, 0.011)
        glint = mix(scene.palette.accent, scene.palette.light, 0.3)
        stage.add(eye.mask.done(), (glint, glint), depth=0.6)
