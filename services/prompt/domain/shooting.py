"""From a scene's elements to its shots: where to cut, how to frame, how long it takes."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Protocol

from services.prompt.domain.casting import Cast
from services.prompt.domain.script import Action, Line, Scene, SceneDraft, Shot

MAX_SHOT_SECONDS = 12.0
_CHARACTERS_PER_SECOND = {"zh": 4.5, "ja": 6.0, "ko": 5.5, "ar": 11.0, "ru": 13.0, "sw": 13.0}
_DETAIL = re.compile(
    r"\b(?:eyes?|face|hands?|fingers?|tears?|ring|letter|photo(?:graph)?|macho|uso|mikono|machozi)\b",
    re.IGNORECASE,
)
_PREFIX = re.compile(
    r"^\s*(?:(?:INT\.?/EXT|EXT\.?/INT|I/E|INT|EXT|EST|ИНТ|ЭКСТ|НАТ|NDANI|NJE)\b[./ -]*"
    r"|(?:SCENE|ONYESHO)\s+\w{1,4}\s*[:.–—-]\s*)",
    re.IGNORECASE,
)
_CLOCK = re.compile(
    r",\s*(?:day|night|dawn|dusk|morning|noon|afternoon|evening|later|continuous|same time"
    r"|mchana|usiku|asubuhi|jioni|alfajiri|baadaye)$",
    re.IGNORECASE,
)
_TIMES = {
    "DAY": "day",
    "NIGHT": "night",
    "НОЧЬ": "night",
    "ДЕНЬ": "day",
    "УТРО": "morning",
    "ВЕЧЕР": "evening",
    "夜": "night",
    "日": "day",
}
_LONG_ACTION = 350
_READ = 1_000
_SENTENCE = re.compile(r"(?<=[.!?。！？…])\s*(?=\S)")
_DASH = re.compile(r"\s+[-–—]+\s+")


class FacetReader(Protocol):
    """Reads single words of the picture."""

    def facets(self, text: str, language: str) -> Mapping[str, str]:
        """Values of shot_type, camera_motion, mood, time_of_day and landscape that are said."""
        ...


@dataclass
class _Draft:
    action: str = ""
    lines: list[Line] = field(default_factory=list)
    seconds: float = 0.0


def spoken_seconds(line: Line, language: str) -> float:
    """How long a line takes to say: characters at the language's rate, a breath, and the cues."""
    letters = sum(1 for char in line.text if not char.isspace())
    rate = _CHARACTERS_PER_SECOND.get(language, 13.5)
    return letters / rate + 0.4 + 0.8 * len(line.cues)


def shown_seconds(text: str) -> float:
    """How long an action takes to see."""
    words = max(len(text.split()), sum(1 for char in text if not char.isascii()) // 4)
    return min(MAX_SHOT_SECONDS, max(2.0, words / 3.5))


def shoot(
    scene: SceneDraft,
    *,
    number: int,
    first_shot: int,
    cast: Cast,
    reader: FacetReader,
    language: str,
) -> Scene:
    """The scene with its shots, numbered from `first_shot`."""
    told = dict(reader.facets(scene.heading, language))
    if clock := _TIMES.get(_DASH.split(scene.heading)[-1].strip(" .").upper()):
        told["time_of_day"] = clock
    everything = " ".join(e.text for e in scene.elements if isinstance(e, Action))[:4000]
    mood = reader.facets(everything, language).get("mood", "")
    place = told.get("landscape") or location(scene.heading)
    shots: list[Shot] = []
    present: tuple[str, ...] = ()
    for draft in _cut(scene, language):
        said = reader.facets(draft.action[:_READ], language)
        speakers = tuple(cast.canonical(line.speaker) for line in draft.lines)
        named = (*cast.meant_in(draft.action, present), *speakers)
        present = tuple(dict.fromkeys((*present, *named)))
        shots.append(
            Shot(
                number=first_shot + len(shots),
                action=draft.action or f"{', '.join(dict.fromkeys(speakers))} speaking",
                duration_seconds=round(max(1.0, draft.seconds), 1),
                shot_type=said.get("shot_type") or _framing(draft, is_first=not shots),
                camera_motion=said.get("camera_motion", "static"),
                characters=tuple(dict.fromkeys(named)),
                dialogue=tuple(
                    replace(line, speaker=name)
                    for name, line in zip(speakers, draft.lines, strict=True)
                ),
                mood=said.get("mood") or mood,
                time_of_day=told.get("time_of_day") or said.get("time_of_day", ""),
                landscape=place or said.get("landscape", ""),
            )
        )
    return Scene(
        number=number,
        heading=scene.heading,
        shots=tuple(shots),
        landscape=place,
        time_of_day=told.get("time_of_day", ""),
        mood=mood,
    )


def location(heading: str) -> str:
    """The place of a heading such as "INT. ATTIC - NIGHT" or "Scene 2: Attic, night": attic."""
    place = _DASH.split(_PREFIX.sub("", heading.strip(" .#*")))[0]
    return _CLOCK.sub("", place.strip(" .")).lower()


def _cut(scene: SceneDraft, language: str) -> list[_Draft]:
    """A new shot for every paragraph of action, and where speech would make one too long."""
    drafts: list[_Draft] = []
    for element in scene.elements:
        if isinstance(element, Action):
            drafts += [_Draft(text, [], shown_seconds(text)) for text in _split(element.text)]
            continue
        seconds = spoken_seconds(element, language)
        if not drafts or (drafts[-1].lines and drafts[-1].seconds + seconds > MAX_SHOT_SECONDS):
            drafts.append(_Draft())
        drafts[-1].lines.append(element)
        drafts[-1].seconds += seconds
    return drafts or [_Draft(scene.heading, [], 3.0)]


def _split(text: str) -> list[str]:
    """A long paragraph at the ends of its sentences, so that each part fits a shot."""
    if len(text) <= _LONG_ACTION:
        return [text]
    parts = [""]
    for sentence in _SENTENCE.split(text):
        if parts[-1] and len(parts[-1]) + len(sentence) > _LONG_ACTION:
            parts.append("")
        parts[-1] = f"{parts[-1]} {sentence}".strip()
    return [part for part in parts if part]


def _framing(draft: _Draft, *, is_first: bool) -> str:
    if is_first and draft.action:
        return "wide"
    if draft.action and _DETAIL.search(draft.action):
        return "close_up"
    speakers = {line.speaker for line in draft.lines}
    return "close_up" if len(speakers) == 1 and not draft.action else "medium"
