"""What will be drawn: a prompt read into setting, subjects, light, framing and weather."""

import random
from dataclasses import dataclass
from typing import TYPE_CHECKING

from services.generator.engines.storyboard.lexicon import Words
from services.generator.engines.storyboard.palette import Palette, choose

if TYPE_CHECKING:
    from services.generator.engines.storyboard.spec import StoryboardSpec

#                     horizon (0 top .. 1 bottom), subject height in picture heights
_FRAMING = {
    "extreme_close_up": (0.58, 2.6), "close_up": (0.62, 1.25), "medium_close_up": (0.62, 1.0),
    "medium": (0.62, 1.3), "full": (0.66, 0.72), "wide": (0.68, 0.36), "extreme_wide": (0.72, 0.15),
    "aerial": (0.3, 0.075), "over_the_shoulder": (0.6, 0.62), "low_angle": (0.86, 0.86),
    "high_angle": (0.3, 0.4), "pov": (0.6, 0.34),
}  # fmt: skip

_HOME = {"boat": "ocean", "bus": "city", "car": "city", "lion": "savanna", "elephant": "savanna",
         "giraffe": "savanna", "camel": "desert", "dog": "park", "cat": "park", "horse": "park",
         "crowd": "city", "bird": "lake"}  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Scene:
    """Everything that the drawing needs to know, already decided."""

    setting: str
    subjects: tuple[str, ...]
    details: frozenset[str]
    weather: frozenset[str]
    time_of_day: str
    mood: str
    shot_type: str
    camera_motion: str
    palette: Palette
    horizon: float
    subject_height: float
    subject_x: float
    light_x: float
    light_y: float
    seed: int

    @property
    def close(self) -> bool:
        """Whether the subject fills the frame."""
        return self.shot_type in {"extreme_close_up", "close_up", "medium_close_up"}

    def random(self, part: str) -> random.Random:
        """Return a generator that belongs to one part of the drawing alone."""
        return random.Random(f"{self.seed}/{part}")  # noqa: S311  (scenery, not secrets)


def read(spec: "StoryboardSpec") -> Scene:
    """Decide the scene of a spec; the caller's own fields win over the prompt's words."""
    words = Words(f"{spec.prompt} {spec.style}")
    subjects = _subjects(words)
    setting = words.first("setting") or _HOME.get(subjects[0] if subjects else "", "")
    shot = spec.shot_type or words.first("shot_type") or "wide"
    weather = frozenset(words.all("weather"))
    if setting == "snow":
        weather |= {"snow"}
    time = (
        spec.time_of_day or words.first("time_of_day") or ("overcast" if "rain" in weather else "")
    )
    time = time or ("night" if setting == "space" else "golden_hour" if not setting else "day")
    mood = spec.mood or words.first("mood", "neutral")
    chance = random.Random(f"{spec.seed}/{spec.prompt}")  # noqa: S311  (scenery, not secrets)
    horizon, height = _FRAMING[shot]
    side = chance.choice((-1, 1))
    low_sun = time in {"dawn", "sunset", "golden_hour", "dusk"}
    return Scene(
        setting=setting or "hills",
        subjects=subjects,
        details=frozenset(words.all("detail")),
        weather=weather,
        time_of_day=time,
        mood=mood,
        shot_type=shot,
        camera_motion=spec.camera_motion or words.first("camera_motion", "static"),
        palette=choose(
            time_of_day=time, mood=mood, style=spec.style or spec.prompt, override=spec.palette
        ),
        horizon=horizon + chance.uniform(-0.02, 0.02),
        subject_height=height,
        subject_x=0.5 + side * chance.uniform(0.14, 0.19),
        light_x=0.5 - side * chance.uniform(0.12, 0.24),
        light_y=horizon - (0.07 if low_sun else 0.36) - chance.uniform(0, 0.05),
        seed=chance.getrandbits(48),
    )


def _subjects(words: Words) -> tuple[str, ...]:
    found = words.all("subject")
    if "person" in found and {"couple", "crowd"} & set(found):
        found.remove("person")
    return tuple(found[:2])
