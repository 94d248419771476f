"""What loaded models are told apart by, and how the making of a result is put on record."""

from services.generator.domain.sentences import Said, said
from services.generator.domain.vram import Plan
from services.generator.engines.local.asks import Ask


def key_of(ask: Ask, plan: Plan) -> str:
    """Return what tells loaded models apart: the checkpoint, and how it was loaded."""
    return f"{ask.source.key} {plan.dtype} {plan.load}"


def checkpoint_of(key: str) -> str:
    """Return the checkpoint's own key in the key of a loaded model."""
    return key.rsplit(" ", 2)[0]


def given_up(plan: Plan) -> tuple[str, ...]:
    """Return what a caller should know of a plan that is not exact."""
    short = said(Said.EIGHT_BITS, device=plan.device.name)
    return (short,) if plan.quantised else ()


def method_of(plan: Plan) -> str:
    """Return how it was made, for the record: a seed gives the same pixels only the same way."""
    words = [plan.device.kind, plan.dtype, plan.rung.name.lower()]
    return " ".join((*words, *(f"{name}={value}" for name, value in plan.settings.items())))
