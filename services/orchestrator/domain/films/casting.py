"""Which voice a character that has none yet is given. Pure."""

import zlib
from collections.abc import Sequence

from services.orchestrator.domain.models import Model

# Speakers of models that also take voices of their users' own, so that they do not list them all.
SPEAKERS = {"espeak": ("f1", "m1", "f2", "m2", "f3", "m3", "f4", "m4", "f5", "m5")}


def voices_of(model: Model) -> tuple[str, ...]:
    """The voices that a model's characters can be given; none where it does not tell."""
    return model.voices or SPEAKERS.get(model.id, ())


def choose_voice(character: str, voices: Sequence[str], taken: Sequence[str], language: str) -> str:
    """A voice for a character: of the language where its id tells it, and nobody else's yet.

    The same character is given the same voice wherever the choice is the same.
    """
    speaking = [v for v in voices if _tells(v, language)] or list(voices)
    free = [v for v in speaking if v not in taken] or speaking
    return free[zlib.crc32(character.encode()) % len(free)] if character else free[0]


def _tells(voice: str, language: str) -> bool:
    """Whether the voice's id begins with the language, as "sw+f2" and "en-gb" do."""
    return voice == language or voice.startswith((f"{language}+", f"{language}-"))
