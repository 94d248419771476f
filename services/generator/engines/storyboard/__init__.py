"""Storyboard placeholder engine: a real MP4 animatic drawn on the CPU from a quantified prompt."""

from services.generator.engines.storyboard.engine import StoryboardEngine
from services.generator.engines.storyboard.spec import (
    CAMERA_MOTIONS,
    MOODS,
    SHOT_TYPES,
    TIMES_OF_DAY,
    Rendered,
    StoryboardSpec,
)

__all__ = [
    "CAMERA_MOTIONS",
    "MOODS",
    "SHOT_TYPES",
    "TIMES_OF_DAY",
    "Rendered",
    "StoryboardEngine",
    "StoryboardSpec",
]
