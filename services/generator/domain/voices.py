"""What voices can say: languages by model, sounds that are no words, and leave to clone a voice."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from services.common.errors import InvalidArgument, PermissionDenied
from services.generator.domain.models import Model
from services.generator.domain.tasks import SpeechTask

KOKORO_LANGUAGES: Mapping[str, str] = {
    "en": "en-us", "en-us": "en-us", "en-gb": "en-gb", "es": "es", "fr": "fr-fr", "hi": "hi",
    "it": "it", "ja": "ja", "pt": "pt-br", "zh": "cmn",
}  # fmt: skip
"""What Kokoro 82M v1.0 has voices for, and eSpeak NG's name of it. Swahili is not among them."""

BARK_LANGUAGES = (
    "en", "de", "es", "fr", "hi", "it", "ja", "ko", "pl", "pt", "ru", "tr", "zh",
)  # fmt: skip
"""What Bark was trained to speak, by its model card."""

XTTS_LANGUAGES = (
    "en", "es", "fr", "de", "it", "pt", "pl", "tr", "ru", "nl", "cs", "ar", "zh-cn", "ja", "hu",
    "ko", "hi",
)  # fmt: skip
"""The seventeen languages of XTTS-v2, by its model card. Swahili is not among them."""

LEAST_SAMPLE_SECONDS = 6.0
"""How much of a voice XTTS-v2 has to hear to take it on."""

_BARK_SOUNDS: Mapping[str, str] = {
    "laugh": "[laughs]", "laughs": "[laughs]", "laughing": "[laughs]", "laughter": "[laughter]",
    "chuckle": "[laughs]", "chuckles": "[laughs]", "giggle": "[laughs]", "giggles": "[laughs]",
    "sigh": "[sighs]", "sighs": "[sighs]", "sighing": "[sighs]", "groan": "[sighs] ugh…",
    "groans": "[sighs] ugh…", "gasp": "[gasps]", "gasps": "[gasps]", "gasping": "[gasps]",
    "clears throat": "[clears throat]", "clearing throat": "[clears throat]", "music": "[music]",
    "pause": "…", "pauses": "…", "hesitates": "…", "beat": "…",
    "anacheka": "[laughs]", "kicheko": "[laughter]", "anapumua": "[sighs]",
}  # fmt: skip
_CUE = re.compile(r"\[([^\[\]\n]{1,80})\](?!\()|\(([a-z' ]{1,40})\)", re.IGNORECASE)
_SUNG = re.compile(r"\[(?:sings|singing|anaimba)\]\s*([^.!?\[\]\n]+[.!?]?)", re.IGNORECASE)


def language_of(asked: str, offered: Mapping[str, str], model: str) -> str:
    """Return the model's own name of a language: of the region where it knows it, else the plain.

    Raises InvalidArgument listing what it speaks; "" is English.
    """
    code = asked.lower().replace("_", "-") or "en"
    for name in (code, code.partition("-")[0]):
        if name in offered:
            return offered[name]
    raise InvalidArgument("language", f"{model} has no {asked}", allowed=sorted(offered))


def bark_text(text: str) -> str:
    """Return a line with its cues as Bark knows them; a cue that it cannot utter is left out.

    "[laughs]" stays, "(sighs)" becomes "[sighs]", what follows "[sings]" is put between notes.
    """

    def known(found: re.Match[str]) -> str:
        bracketed, word = found.group(1), (found.group(1) or found.group(2))
        sound = _BARK_SOUNDS.get(" ".join(word.lower().split()))
        if sound is not None:
            return sound
        return "" if bracketed else found.group(0)  # what stands in round brackets may be said

    sung = _SUNG.sub(lambda found: f"♪ {found.group(1).strip()} ♪", text)
    return " ".join(_CUE.sub(known, sung).split())


@dataclass(frozen=True, slots=True, kw_only=True)
class Consent:
    """That a person agreed to have a voice cloned: who, and where that is on record."""

    speaker: str
    record: str

    def __post_init__(self) -> None:
        """Refuse one that names nobody or nothing."""
        if not (self.speaker.strip() and self.record.strip()):
            raise PermissionDenied("a consent names its speaker and where it is on record")


def consent_of(options: Mapping[str, object]) -> Consent:
    """Return the consent in `options.consent`; raises PermissionDenied where there is none."""
    given = options.get("consent")
    if not isinstance(given, Mapping):
        message = "a voice is cloned with its speaker's consent alone: give options.local.consent"
        raise PermissionDenied(message)
    return Consent(speaker=str(given.get("speaker", "")), record=str(given.get("record", "")))


def check_speech(model: Model, task: object) -> None:
    """Refuse what a voice cannot or may not say, before anything is accepted.

    Raises InvalidArgument for a voice or language that the model has not, PermissionDenied for a
    clone without a consent.
    """
    if not isinstance(task, SpeechTask):
        return
    if task.voice and model.voices and task.voice not in model.voices:
        raise InvalidArgument("voice", f"{model.id} has no {task.voice}", allowed=model.voices)
    if task.language and model.languages:
        language_of(task.language, {code: code for code in model.languages}, model.id)
    if model.clones_voice:
        consent_of(task.options)
        if not sample_of(task):
            message = f"{model.id} clones a voice: name a recording of it"
            raise InvalidArgument("voice", message, allowed=("assets/{id}",))


def sample_of(task: SpeechTask) -> str:
    """Return the id of the recording of a voice that `voice` names as `assets/{id}`, else ""."""
    collection, _, identifier = task.voice.partition("/")
    found = collection == "assets" and identifier.isascii() and identifier.isalnum()
    return identifier if found else ""


def long_enough(seconds: float) -> None:
    """Raise InvalidArgument for a sample that is too short to take a voice from."""
    if seconds < LEAST_SAMPLE_SECONDS:
        message = f"lasts {seconds:.1f} s and a voice needs {LEAST_SAMPLE_SECONDS:g} s"
        raise InvalidArgument("voice", message)
