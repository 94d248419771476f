"""Whether a model can take a request, and what is said when a named one cannot serve."""

from collections.abc import Sequence

from services.common.errors import (
    FailedPrecondition,
    InvalidArgument,
    LicenceRefused,
    ModelRetired,
    NoCredentials,
    NoDevice,
    Unavailable,
)
from services.orchestrator.domain.compiling import too_long
from services.orchestrator.domain.models import Availability, Model
from services.orchestrator.domain.options import Enhance, Fit, Operation
from services.orchestrator.domain.request import VideoRequest
from services.orchestrator.domain.values import Candidate

_UNKNOWN = float("inf")


def require_fit(model: Model, request: VideoRequest) -> None:
    """Raise InvalidArgument when the model cannot take what the caller has set.

    What was only inferred from words, and everything under `fit = NEAREST`, is coerced later; words
    that are too long are shortened later, where they may be changed.
    """
    if request.enhance is Enhance.OFF and too_long(model, request.prompt):
        limit = f"at most {model.max_prompt_characters} characters"
        message = f"is too long for {model.id} and may not be changed"
        raise InvalidArgument("prompt", message, allowed=(limit, "enhance AUTO or ON"))
    for name, given, able in (
        ("image", request.image, model.image),
        ("last_image", request.last_image, model.last_image),
    ):
        if given is not None and not able:
            raise InvalidArgument(name, f"{model.id} does not take it", allowed=("leave it out",))
    if model.image_required and request.image is None:
        raise InvalidArgument("image", f"is what {model.id} begins with", allowed=("a picture",))
    if model.video_required and request.video is None:
        raise InvalidArgument("model", f"{model.id} works on a video", allowed=("auto",))
    require_operation(model, request)
    if request.fit is Fit.NEAREST or model.placeholder:
        return
    _require(model, "aspect_ratio", request.aspect_ratio, model.aspect_ratios)
    _require(model, "resolution", request.resolution, model.resolutions)
    _require(model, "fps", request.fps, model.fps)
    if request.duration_seconds is not None:
        _require_duration(model, request.duration_seconds)


def require_operation(model: Model, request: VideoRequest, models: Sequence[Model] = ()) -> None:
    """Raise InvalidArgument when the model cannot do to a clip what is asked; names who can."""
    wish = request.operation
    if wish is None or wish in model.operations:
        return
    able = [other.id for other in models if wish in other.operations]
    told = f"; {', '.join(able)} can" if able else ""
    allowed = [f"OPERATION_{name.upper()}" for name in model.operations] or ["leave it out"]
    raise InvalidArgument("operation", f"{model.id} cannot {wish} a clip{told}", allowed=allowed)


def no_operator(
    operation: Operation, rejected: Sequence[Candidate], models: Sequence[Model]
) -> str:
    """Say which models could do it to a clip and what keeps each from it, or that none can."""
    able = {model.id for model in models if operation in model.operations}
    kept = [f"{c.model} ({c.reason})" for c in rejected if c.model in able]
    if not kept:
        done = ", ".join(sorted({one for model in models for one in model.operations}))
        return f"no model here can {operation} a clip; what can be done: {done or 'nothing'}"
    return f"no model that can {operation} a clip may serve: {', '.join(kept)}"


def _require(
    model: Model, name: str, value: str | int | None, allowed: Sequence[str] | Sequence[int]
) -> None:
    if value and allowed and value not in allowed:
        raise InvalidArgument(name, f"{model.id} does not make {value}", allowed=allowed)


def _require_duration(model: Model, seconds: float) -> None:
    if model.durations and seconds not in model.durations:
        allowed = [f"{d:g} s" for d in model.durations]
        raise InvalidArgument(
            "duration", f"{model.id} does not make {seconds:g} s", allowed=allowed
        )
    low, high = model.min_duration or 0.0, model.max_duration or _UNKNOWN
    if not low <= seconds <= high:
        raise InvalidArgument(
            "duration",
            f"{model.id} does not make {seconds:g} s",
            allowed=(f"{low:g} s to {high:g} s",),
        )


def unavailable(model: Model) -> FailedPrecondition | Unavailable:
    """The error for a named model that cannot serve now; says what would help."""
    facts = {"model": model.id, "provider": model.provider}
    match model.availability:
        case Availability.RETIRED:
            facts["successors"] = ",".join(model.successors)
            if model.retire_time is not None:
                facts["retire_time"] = model.retire_time.date().isoformat()
            choose = ", ".join(model.successors) or "none; use model auto"
            return ModelRetired(f"{model.id} is retired; successors: {choose}", metadata=facts)
        case Availability.NO_CREDENTIALS:
            facts["missing"] = ",".join(model.missing)
            return NoCredentials(f"{model.id} needs {' and '.join(model.missing)}", metadata=facts)
        case Availability.LICENCE_REFUSED:
            facts["licence"] = model.licence
            return LicenceRefused(f"{model.id}: {model.unavailable_reason}", metadata=facts)
        case Availability.NOT_WANTED:
            return FailedPrecondition(f"{model.id}: {model.unavailable_reason}", metadata=facts)
        case Availability.NO_DEVICE | Availability.NOT_INSTALLED:
            return NoDevice(f"{model.id}: {model.unavailable_reason}", metadata=facts)
        case _:
            return Unavailable(f"{model.id}: {model.unavailable_reason}", 30.0, metadata=facts)
