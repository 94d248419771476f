"""Adding typed cinematography phrases to the caller's words, which stay as they are."""

from collections.abc import Iterable

from services.prompt.domain.lexicon import Lexicon
from services.prompt.domain.parameters import VideoParameters

RICH_WORDS = 30
_ALWAYS = ("style", "time_of_day", "mood")
_WHEN_SET = ("shot_type", "camera_motion", "quality")
_CLOSING = (".", "!", "?", "。", "！", "？", "…")


def is_rich(prompt: str) -> bool:
    """Whether the text has detail enough to be left alone by ENHANCE_AUTO."""
    return len(prompt.split()) > RICH_WORDS


def phrases_for(
    parameters: VideoParameters, in_text: VideoParameters, lexicon: Lexicon
) -> tuple[str, ...]:
    """Phrases for what is known of the picture and not yet in words.

    Light is worth a phrase even when the time of day is said; style and mood only when
    they are not.
    """
    found: list[str] = []
    for field in (*_ALWAYS, *_WHEN_SET):
        value = str(parameters.get(field) or "")
        said = in_text.get(field) == value
        if not value or (said and field != "time_of_day"):
            continue
        phrase = lexicon.phrase(field, value) or value.replace("_", " ")
        if field != "quality" or value == "high":
            found.append(phrase)
    return tuple(dict.fromkeys(found))


def append(prompt: str, phrases: Iterable[str]) -> str:
    """The prompt, unchanged, followed by the phrases that it does not hold already."""
    new: list[str] = []
    for phrase in phrases:
        if phrase.casefold() not in f"{prompt} {', '.join(new)}".casefold():
            new.append(phrase)
    if not new:
        return prompt
    body = prompt.rstrip()
    tail = ", ".join(new)
    if body.endswith(_CLOSING):
        return f"{body} {tail[0].upper()}{tail[1:]}."
    return f"{body}{'' if body.endswith((',', ';', ':')) else ','} {tail}"
