"""What is heard besides words: laughs and sighs in what is said, and the sound of a shot. Pure."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from services.orchestrator.domain.films.shots import Cue, Line, Shot

CUE_SECONDS = 1.2
"""How long a laugh or a sigh takes; whoever speaks goes on after it."""

_DIRECTION = re.compile(r"\[([^\[\]\n]{1,60})\](?!\()|\(([^()\n]{1,60})\)")
_BETWEEN = " ,;:–—-"
# By what models of sound effects, and the embedded one, know it; English and Swahili.
_SOUNDS = {
    "laughing": r"laugh\w*|giggl\w*|chuckl\w*|snicker\w*|(?:ana|wana)cheka|kicheko",
    "sighing": r"sigh\w*|(?:ana|wana)shusha pumzi|anapumua",
    "groaning": r"groan\w*|moan\w*|(?:ana|wana)guna",
    "gasping": r"gasp\w*|(?:ana|wana)shtuka",
    "coughing": r"cough\w*|clear(?:s|ing)? (?:\w+ )?throat|(?:ana|wana)kohoa",
    "sobbing": r"sob\w*|weep\w*|cries|crying|(?:ana|wana)lia",
}
_EMOTIONS = {
    "joy": r"joy\w*|happ\w+|laugh\w*|smil\w+|delighted\w*|cheer\w*|kwa furaha|anacheka",
    "sadness": r"sad\w*|sob\w*|weep\w*|cries|crying|tearful\w*|sorrow\w*|kwa huzuni|analia",
    "anger": r"ang(?:er|ry|rily)|furious\w*|shout\w*|yell\w*|rag(?:e|ing)|kwa hasira",
    "fear": r"fear\w*|afraid|scared|terrified|frightened|trembl\w+|kwa hofu",
    "surprise": r"surpris\w+|gasp\w*|astonish\w+|amazed|anashtuka",
    "disgust": r"disgust\w*|revolted|sneer\w*",
}


@dataclass(frozen=True, kw_only=True)
class Effect:
    """A sound to be made for a shot, in words and seconds."""

    prompt: str
    seconds: float


def apart(lines: Iterable[Line]) -> tuple[tuple[Line, ...], tuple[Cue, ...]]:
    """The words without their laughs and sighs, and those by the line that they come before.

    A line is cut in two where somebody laughs in the middle of it. Directions that make no sound
    stay where they are.
    """
    words: list[Line] = []
    cues: list[Cue] = []
    for line in lines:
        place = 0
        for found in _DIRECTION.finditer(line.text):
            sound = _named(found[1] or found[2], _SOUNDS)
            if sound:
                words += _said(line, line.text[place : found.start()])
                cues.append(Cue(sound=sound, line=len(words), speaker=line.speaker))
                place = found.end()
        words += _said(line, line.text[place:]) if place else [line]
    return tuple(words), tuple(cues)


def is_heard(direction: str) -> bool:
    """Whether a direction makes a sound: "laughs" does, "softly" does not."""
    return bool(_named(direction, _SOUNDS))


def emotion_in(directions: Iterable[str]) -> str:
    """The first emotion that directions such as "angrily" tell; "" for none."""
    return next((found for each in directions if (found := _named(each, _EMOTIONS))), "")


def directions(lines: Iterable[Line]) -> tuple[str, ...]:
    """What stands in brackets in the lines."""
    return tuple(m[1] or m[2] for line in lines for m in _DIRECTION.finditer(line.text))


def effects_of(shot: Shot) -> Sequence[Effect]:
    """The sound of the shot, where it has one, and then its cues in order."""
    own = [Effect(prompt=shot.sound, seconds=shot.duration_seconds)] if shot.sound else []
    return (*own, *(Effect(prompt=_wording(shot, cue), seconds=CUE_SECONDS) for cue in shot.cues))


def _wording(shot: Shot, cue: Cue) -> str:
    """The sound with whose it is and where: a sob in a cave is not one in a car."""
    mood = f"{shot.mood} mood" if shot.mood else ""
    parts = (f"{cue.speaker or 'a person'} {cue.sound}", *shot.landscapes[:1], mood)
    return ", ".join(part for part in parts if part)


def _named(direction: str, known: dict[str, str]) -> str:
    words = direction.casefold()
    return next((name for name, way in known.items() if re.search(rf"\b(?:{way})\b", words)), "")


def _said(line: Line, text: str) -> list[Line]:
    words = text.strip().lstrip(_BETWEEN)
    return [replace(line, text=words)] if any(map(str.isalnum, words)) else []
