"""Ways of making a film under one word: models, looks, sound."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from services.common.errors import InvalidArgument


@dataclass(frozen=True, kw_only=True)
class Preset:
    """What a word stands for. `providers` names models by kind of task; what is absent is routed.

    `dense` and `fast` describe the content, see `strategy.Content`. `offline` allows nothing that
    would leave this deployment; where "auto" picks it, no vendor, see `FilmBrief.words_stay`.
    """

    name: str
    providers: Mapping[str, str] = field(default_factory=dict)
    style: str = ""
    transition: str = "crossfade"
    music: str = "calm, instrumental"
    captions: bool = True
    offline: bool = False
    fast: bool = False
    dense: bool = False


PRESETS: Mapping[str, Preset] = {
    preset.name: preset
    for preset in (
        Preset(name="basic"),
        Preset(
            name="budget",
            providers={"image": "fal_flux", "animation": "minimax", "audio": "openai_tts"},
        ),
        Preset(
            name="premium",
            providers={"image": "fal_flux", "animation": "kling", "audio": "elevenlabs"},
        ),
        Preset(
            name="news",
            style="news report",
            transition="cut",
            music="neutral pulse, instrumental",
            fast=True,
            dense=True,
        ),
        Preset(name="cartoon", style="cartoon", transition="wipe_left", music="playful"),
        Preset(name="offline", offline=True),
    )
}
AUTO = "auto"
# "auto" is basic until its preset is picked, see `picking`.
ALIASES = {"": "basic", "anime": "cartoon", AUTO: "basic"}


def preset_named(name: str) -> Preset:
    """The preset of this name. Raises InvalidArgument naming those there are."""
    word = ALIASES.get(name.lower(), name.lower())
    if word not in PRESETS:
        raise InvalidArgument("preset", f"{name!r} is not known", allowed=sorted([*PRESETS, AUTO]))
    return PRESETS[word]
