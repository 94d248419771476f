"""In which order models that can serve are tried. Pure: the same facts, the same order."""

from collections.abc import Callable, Sequence

from services.orchestrator.domain.models import Model
from services.orchestrator.domain.options import Objective
from services.orchestrator.domain.values import Quantified

# The default chain: a hosted hub, the paid clouds, every other vendor, then what runs here. Cached
# clips and the friendly answer follow; they are no models.
CHAIN = ("huggingface", "runpod", "replicate")
_OTHERS = len(CHAIN)
_LOCAL = _OTHERS + 1
_UNKNOWN = float("inf")
# Below this share of successes in the last hour a model goes behind all that do better.
RELIABLE = 0.5

Key = tuple[float | int | str | bool, ...]


def order(
    objective: Objective, wanted: Quantified, preferred: Sequence[str] = ()
) -> Callable[[Model], Key]:
    """The key to sort by: the caller's own order, then reliability, then the objective."""

    def key(model: Model) -> Key:
        price = model.clip_price(wanted.duration_seconds, wanted.resolution)
        cost = _UNKNOWN if price is None else price
        wait = _expected_wait(model)
        ranks: dict[Objective, Key] = {
            Objective.CHAIN: (_rank(model), cost, wait),
            Objective.COST: (cost, wait, _rank(model)),
            Objective.LATENCY: (wait, cost, _rank(model)),
            # What the tenant has seen of it, else what it promises; then the dearer one.
            Objective.QUALITY: (-model.quality_score, -cost, wait, _rank(model)),
        }
        return (_preference(model, preferred), unreliable(model), *ranks[objective], model.id)

    return key


def unreliable(model: Model) -> bool:
    """Whether it has failed more often than not lately."""
    return model.success_rate is not None and model.success_rate < RELIABLE


def why(model: Model, objective: Objective) -> str:
    """The sentence that a candidate carries."""
    first = {
        Objective.CHAIN: "can serve; in the order of the default chain",
        Objective.COST: "can serve; ordered by cost (cheapest first)",
        Objective.LATENCY: "can serve; ordered by latency (fastest first)",
        Objective.QUALITY: "can serve; ordered by quality (best first)",
    }[objective]
    if objective is Objective.QUALITY and model.rating is not None:
        first += f"; rated {model.rating:.1f} of 5, {model.ratings} times"
    if unreliable(model):
        share = round(100 * (model.success_rate or 0.0))
        return f"{first}; set back: {share} % of {model.recent_ends} attempts succeeded lately"
    return first


def _expected_wait(model: Model) -> float:
    """Seconds until a clip is there, tries that fail on the way counted in."""
    if model.p50_seconds is None:
        return _UNKNOWN
    return model.p50_seconds / max(model.success_rate or 1.0, 0.01)


def _rank(model: Model) -> int:
    if model.provider in CHAIN:
        return CHAIN.index(model.provider)
    return _LOCAL if model.local else _OTHERS


def _preference(model: Model, preferred: Sequence[str]) -> int:
    names = model.names
    return next((i for i, name in enumerate(preferred) if name in names), len(preferred))
