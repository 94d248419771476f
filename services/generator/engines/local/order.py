"""One piece of work on its way through the host: what was asked, wished for, and who waits."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event
from typing import Any

from services.common.errors import InvalidArgument
from services.generator.domain.shapes import Shape
from services.generator.engines.local.adapters import Lora, distilled, loras_of
from services.generator.engines.local.asks import Ask
from services.generator.engines.local.family import Family, RunOrder, Stopped
from services.generator.engines.local.tiers import Tier, tier_of

_MOST_STEPS = 200
_DISTILLED_STEPS = 8


@dataclass(slots=True)
class Watch:
    """Whoever waits for the result: told the fraction made, and able to call it off."""

    on_progress: Callable[[float], None] = lambda _fraction: None
    stop: Event = field(default_factory=Event)

    def check(self) -> None:
        """Raise Stopped when it was called off."""
        if self.stop.is_set():
            raise Stopped


@dataclass(frozen=True, slots=True)
class Wishes:
    """What the options ask of any family; steps 0 and guidance None are the family's own."""

    steps: int = 0
    guidance: float | None = None
    tier: Tier = Tier.LOSSLESS
    loras: tuple[Lora, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """An ask with all that is known before it is planned; `needed` frames at the family's rate."""

    ask: Ask
    family: Family
    path: Path
    watch: Watch
    wishes: Wishes
    needed: int


def run_order(works: Sequence[Work], shape: Shape) -> RunOrder:
    """Return the one run that alike works are made in; what they share is read from the first."""
    first, ask = works[0], works[0].ask
    return RunOrder(
        prompts=tuple(work.ask.prompt for work in works),
        seeds=tuple(work.ask.seed for work in works),
        shape=shape,
        negative_prompt=ask.negative_prompt,
        steps=first.wishes.steps,
        guidance=first.wishes.guidance,
        lyrics=ask.lyrics,
        language=ask.language,
        voice=ask.voice,
        speed=ask.speed,
        files={name: Path(path) for name, path in ask.files.items()},
        options=ask.options,
    )


def wishes_of(options: Mapping[str, Any], model: str, loras: Path | None) -> Wishes:
    """Return the wishes in `options.local`; `loras` is the folder of adapters.

    The distilled tier takes the adapter "MODEL-distilled", and its number of steps.

    Raises InvalidArgument naming the field.
    """
    steps, guidance = options.get("steps", 0), options.get("guidance")
    if not _number(steps) or not 0 <= steps <= _MOST_STEPS or steps != int(steps):
        message = "must be a whole number"
        raise InvalidArgument("options.local.steps", message, allowed=(f"1 to {_MOST_STEPS}",))
    if guidance is not None and not (_number(guidance) and 0 <= guidance <= 100):
        raise InvalidArgument("options.local.guidance", "must be a number", allowed=("0 to 100",))
    tier, asked = tier_of(options), loras_of(options, loras)
    if tier is Tier.DISTILLED:
        asked = (*asked, distilled(model, loras))
        steps, guidance = steps or _DISTILLED_STEPS, 1.0 if guidance is None else guidance
    return Wishes(int(steps), guidance, tier, asked)


def _number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
