"""Whether a prompt is ready for a model as it stands, and how far it goes without help. Pure."""

from dataclasses import dataclass, replace

from services.common.wording import cut, units
from services.orchestrator.domain.models import Model
from services.orchestrator.domain.moderation import AVOID
from services.orchestrator.domain.notices import Notice, Said
from services.orchestrator.domain.options import Enhance, Fit
from services.orchestrator.domain.request import VideoRequest
from services.orchestrator.domain.values import Quantified

# What a model makes or does not make; by the names of the contract.
BINDING = ("duration", "aspect_ratio", "resolution", "fps")
_WORDS = ("style", "camera_motion", "negative_prompt")


@dataclass(frozen=True, kw_only=True)
class CompileOrder:
    """What is made ready for a model: `wanted` as it was understood, for this request."""

    tenant: str
    request: VideoRequest
    wanted: Quantified
    model: Model
    language: str

    @property
    def untouched(self) -> bool:
        """Whether the words stay as the caller wrote them."""
        return self.request.enhance is Enhance.OFF

    @property
    def fixed(self) -> tuple[str, ...]:
        """Parameters that may not give way, because the caller has set them and wants just them."""
        if self.request.fit is Fit.NEAREST or self.model.placeholder:
            return ()
        return exact(self.wanted)


def exact(wanted: Quantified) -> tuple[str, ...]:
    """What the caller has set himself; what words say, a preset or a default may give way."""
    return tuple(name for name in BINDING if wanted.provenance.get(name) == "caller")


def too_long(model: Model, words: str) -> bool:
    """Whether words have more characters than the model takes, as the strictest vendors count."""
    limit = model.max_prompt_characters if model.text else 0
    return bool(limit) and units(words) > limit


def is_ready(order: CompileOrder) -> bool:
    """Whether the model takes everything as it stands, so that there is nothing to be told."""
    model, wanted = order.model, order.wanted
    carried = all(getattr(model, name) or not getattr(wanted, name) for name in _WORDS)
    understood = not model.languages or wanted.language in model.languages
    fits = not too_long(model, wanted.prompt)
    return model.text and carried and understood and fits and _makes(model, wanted)


def _makes(model: Model, wanted: Quantified) -> bool:
    ratio, resolution = wanted.aspect_ratio, wanted.resolution
    return (
        _offers(model.aspect_ratios, ratio)
        and _offers(model.resolutions, resolution)
        and _lasts(model, wanted.duration_seconds)
        and _runs(model, wanted)
    )


def _offers(offered: tuple[str, ...], asked: str) -> bool:
    return not offered or not asked or asked in offered or "*" in offered


def _lasts(model: Model, seconds: float) -> bool:
    if model.durations:
        return seconds in model.durations
    low, high = model.min_duration or 0.0, model.max_duration or seconds
    return low <= seconds <= high and (not model.whole_seconds or seconds == int(seconds))


def _runs(model: Model, wanted: Quantified) -> bool:
    """Nobody asked for a default rate, and it is not sent."""
    if wanted.provenance.get("fps", "default") == "default":
        return True
    if model.fps:
        return wanted.fps in model.fps
    return model.min_fps <= wanted.fps <= (model.max_fps or wanted.fps)


def plainly(order: CompileOrder) -> tuple[Quantified, tuple[Notice, ...]]:
    """What can be done without the prompt service: nothing is translated, nothing lost in silence.

    Lengths and sizes are left to the generator, which tells what it takes instead.
    """
    wanted, model = order.wanted, order.model
    told = [Notice(Said.COMPILED_PLAINLY, {"model": model.id})]
    prompt, negative = wanted.prompt, wanted.negative_prompt
    limit = model.max_prompt_characters
    clause = f"{AVOID}{negative}." if negative and not model.negative_prompt else ""
    if clause and (order.untouched or (limit and units(clause) > limit // 2)):
        told.append(Notice(Said.NOT_CARRIED, {"model": model.id, "value": negative}))
        clause = ""
    elif clause:
        told.append(Notice(Said.NEGATIVE_IN_WORDS, {"model": model.id}))
    room = limit - units(clause) - len(". ") if clause else limit
    if limit and units(prompt) > room and not order.untouched:
        base = order.request.prompt
        prompt = base if units(base) <= room else cut(base, room)
        told.append(Notice(Said.PROMPT_CUT, {"model": model.id, "limit": str(limit)}))
    # Words that nobody has looked at are in the language that was asked for.
    language = wanted.language or order.language
    if model.languages and language and language not in model.languages:
        told.append(Notice(Said.NOT_TRANSLATED, {"model": model.id, "language": language}))
    changed = replace(
        wanted,
        prompt=f"{prompt.rstrip(' .')}. {clause}" if clause else prompt,
        negative_prompt=negative if model.negative_prompt else "",
        style=_kept(order, "style", wanted.style),
        camera_motion=_kept(order, "camera_motion", wanted.camera_motion),
    )
    return changed, tuple(told)


def _kept(order: CompileOrder, name: str, value: str) -> str:
    """The value where the model has a field for it, or where the generator may say it in words.

    What was read from the caller's words stands in them and is not said twice.
    """
    chosen = order.wanted.provenance.get(name) in {"caller", "preset"}
    mine = chosen and not order.untouched
    return value if mine or getattr(order.model, name) else ""
