"""The families that are known, and which of them loads a checkpoint."""

from services.common.errors import InvalidArgument
from services.generator.engines.local.families import cogvideox, hunyuan_video, musicgen, wan
from services.generator.engines.local.families.ace_step import AceStep
from services.generator.engines.local.families.bark import Bark
from services.generator.engines.local.families.clip import Clip
from services.generator.engines.local.families.effects import AudioLdm2, StableAudio
from services.generator.engines.local.families.flux import Flux
from services.generator.engines.local.families.flux_kontext import FluxKontext
from services.generator.engines.local.families.kokoro import Kokoro
from services.generator.engines.local.families.ltx_2 import Ltx2
from services.generator.engines.local.families.ltx_video import LtxVideo
from services.generator.engines.local.families.sdxl import StableDiffusionXL
from services.generator.engines.local.families.svd import StableVideo
from services.generator.engines.local.families.upscaler import Upscaler
from services.generator.engines.local.families.wan_animate import WanAnimate
from services.generator.engines.local.families.whisper import Whisper
from services.generator.engines.local.families.xtts_v2 import XttsV2
from services.generator.engines.local.family import Family
from services.generator.engines.local.probe import CheckpointFacts

FAMILIES: tuple[Family, ...] = (
    LtxVideo(),
    Ltx2(),
    *wan.FAMILIES,
    WanAnimate(),
    *hunyuan_video.FAMILIES,
    *cogvideox.FAMILIES,
    StableVideo(),
    Flux(),
    FluxKontext(),
    StableDiffusionXL(),
    AceStep(),
    *musicgen.FAMILIES,
    StableAudio(),
    AudioLdm2(),
    Bark(),
    Kokoro(),
    XttsV2(),
    Upscaler(),
    Whisper(),
    Clip(),
)


def recognise(facts: CheckpointFacts, families: tuple[Family, ...] = FAMILIES) -> Family:
    """Return the family of a checkpoint. Raises InvalidArgument naming the classes that are known.

    A family may ask for a flag beside the class ("WanPipeline+expand_timesteps"): it goes first.
    """
    flags = [name for name, value in facts.index.items() if value is True]
    wanted = [*(f"{facts.class_name}+{flag}" for flag in flags), facts.class_name]
    for name in wanted:
        for family in families:
            if name in family.classes:
                return family
    known = sorted({name for family in families for name in family.classes})
    message = f"no family loads a {facts.class_name or 'nameless class'}"
    raise InvalidArgument("checkpoint", message, allowed=known)
