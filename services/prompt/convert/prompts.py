"""Parameters and quantified prompts."""

from typing import Literal

from google.protobuf.duration_pb2 import Duration
from google.type.money_pb2 import Money

from reelmesh.prompt.v1 import prompt_pb2, prompt_service_pb2
from services.common.errors import InvalidArgument
from services.prompt.domain.parameters import FIELDS, VideoParameters
from services.prompt.domain.quantified import (
    Backend,
    CompileRequest,
    Enhance,
    Limits,
    Provenance,
    Quantified,
    QuantifyRequest,
)
from services.prompt.usecases.templates import FilledTemplate, TemplateOrder

_ENHANCE = {
    prompt_pb2.ENHANCE_UNSPECIFIED: Enhance.AUTO,
    prompt_pb2.ENHANCE_AUTO: Enhance.AUTO,
    prompt_pb2.ENHANCE_ON: Enhance.ON,
    prompt_pb2.ENHANCE_OFF: Enhance.OFF,
}
# The wire calls one field by another name, because its type holds the unit.
_WIRE = {"duration_seconds": "duration"}
_DOMAIN = {wire: name for name, wire in _WIRE.items()}
_PLAIN = tuple(n for n in FIELDS if n not in {"duration_seconds", "characters", "landscapes"})


def seconds_of(duration: Duration) -> float:
    """Seconds, whole ones without a fraction."""
    return duration.seconds + duration.nanos / 1e9


def duration_of(seconds: float) -> Duration:
    """A duration of the wire, exact to the millisecond."""
    milliseconds = round(seconds * 1000)
    return Duration(seconds=milliseconds // 1000, nanos=milliseconds % 1000 * 1_000_000)


def parameters_from(message: prompt_pb2.VideoParameters) -> VideoParameters:
    """What the caller set; an absent duration is None."""
    said = message.HasField("duration")
    return VideoParameters(
        duration_seconds=seconds_of(message.duration) if said else None,
        characters=tuple(message.characters),
        landscapes=tuple(message.landscapes),
        **{name: getattr(message, name) for name in _PLAIN},
    )


def parameters_to(parameters: VideoParameters) -> prompt_pb2.VideoParameters:
    """Back to the wire; None leaves the duration absent."""
    message = prompt_pb2.VideoParameters(
        characters=parameters.characters, landscapes=parameters.landscapes
    )
    for name in _PLAIN:
        setattr(message, name, parameters.get(name))
    if parameters.duration_seconds is not None:
        message.duration.CopyFrom(duration_of(parameters.duration_seconds))
    return message


def limits_from(message: prompt_service_pb2.ModelLimits) -> Limits:
    """What the chosen model takes."""
    return Limits(
        max_prompt_characters=message.max_prompt_characters,
        text=message.text if message.HasField("text") else True,
        negative_prompt=message.negative_prompt,
        style=message.style,
        camera_motion=message.camera_motion,
        min_duration=_bound(message, "min_duration"),
        max_duration=_bound(message, "max_duration"),
        whole_seconds=message.whole_seconds,
        fps=tuple(message.fps),
        min_fps=message.min_fps,
        max_fps=message.max_fps,
        durations=tuple(seconds_of(duration) for duration in message.durations),
        aspect_ratios=tuple(message.aspect_ratios),
        resolutions=tuple(message.resolutions),
        languages=tuple(message.languages),
    )


def _bound(
    message: prompt_service_pb2.ModelLimits, name: Literal["min_duration", "max_duration"]
) -> float | None:
    return seconds_of(getattr(message, name)) if message.HasField(name) else None


def quantify_request_from(
    message: prompt_service_pb2.QuantifyPromptRequest, filled: FilledTemplate | None = None
) -> QuantifyRequest:
    """The request; an enhance value that we do not know counts as AUTO."""
    parameters = parameters_from(message.parameters)
    return QuantifyRequest(
        prompt=filled.text if filled else message.prompt,
        parameters=parameters.over(filled.defaults) if filled else parameters,
        template=filled.name if filled else "",
        enhance=_ENHANCE.get(message.enhance, Enhance.AUTO),
        language=message.language,
        packs=tuple(message.packs),
        preset=message.preset,
        limits=limits_from(message.limits) if message.HasField("limits") else None,
        rules_only=message.rules_only,
    )


def quantified_to(quantified: Quantified) -> prompt_pb2.QuantifiedPrompt:
    """The answer; the cost is absent when nothing was paid or nobody knows."""
    backend = quantified.backend
    message = prompt_pb2.QuantifiedPrompt(
        original=quantified.original,
        prompt=quantified.prompt,
        language=quantified.language,
        parameters=parameters_to(quantified.parameters),
        provenance={wire_name(name): str(p) for name, p in quantified.provenance.items()},
        warnings=quantified.warnings,
        source=backend.source,
        llm_model=backend.model,
        llm_tokens=backend.tokens,
        template=quantified.template,
        prompt_language=quantified.prompt_language,
    )
    if backend.cost_micros:
        message.cost.CopyFrom(money_of(backend.cost_micros))
    return message


def quantified_from(message: prompt_pb2.QuantifiedPrompt) -> Quantified:
    """A prompt that was quantified before, as a caller sends it back."""
    known = {str(p): p for p in Provenance}
    return Quantified(
        original=message.original,
        prompt=message.prompt or message.original,
        language=message.language,
        parameters=parameters_from(message.parameters),
        provenance={
            domain_name(name): known[value]
            for name, value in message.provenance.items()
            if domain_name(name) in FIELDS and value in known
        },
        warnings=tuple(message.warnings),
        backend=Backend(source="llm" if message.source == "llm" else "rules"),
        template=message.template,
        prompt_language=message.prompt_language,
    )


def compile_request_from(message: prompt_service_pb2.CompilePromptRequest) -> CompileRequest:
    """The request; parameters are named as on the wire."""
    return CompileRequest(
        quantified=quantified_from(message.quantified_prompt),
        limits=limits_from(message.limits),
        enhance=_ENHANCE.get(message.enhance, Enhance.AUTO),
        language=message.language,
        fixed=frozenset(map(domain_name, message.fixed)),
        rules_only=message.rules_only,
    )


def template_order_from(
    message: prompt_service_pb2.QuantifyPromptRequest,
) -> TemplateOrder | None:
    """The template that is asked for, if one is; a prompt beside it fills the hole of that name.

    Raises:
        InvalidArgument: values without a template, or the prompt twice.
    """
    values = dict(message.template_values)
    if not message.template:
        if values:
            raise InvalidArgument("template_values", "need a template")
        return None
    if message.prompt and values.setdefault("prompt", message.prompt) != message.prompt:
        raise InvalidArgument("template_values.prompt", "is set twice: leave prompt empty")
    return TemplateOrder(message.template, values)


def money_of(micros: int) -> Money:
    """US dollars."""
    return Money(currency_code="USD", units=micros // 1_000_000, nanos=micros % 1_000_000 * 1000)


def wire_name(field: str) -> str:
    """A parameter's name on the wire."""
    return _WIRE.get(field, field)


def domain_name(field: str) -> str:
    """A parameter's name in the domain."""
    return _DOMAIN.get(field, field)
