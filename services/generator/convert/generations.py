"""Generations as the contract shows them."""

from datetime import datetime

from google.protobuf import duration_pb2, timestamp_pb2
from google.rpc import status_pb2
from google.type import money_pb2

from reelmesh.generator.v1 import generation_pb2
from services.common.errors import ServiceError
from services.common.status import BY_REASON, to_status
from services.generator.domain.facts import Cost, Failure, Output, Quality
from services.generator.domain.generation import Generation
from services.generator.domain.sentences import told

_STATES = generation_pb2.Generation.State
_SAME = (
    "name", "request_id", "sequence", "model", "provider_job_id", "progress_source", "asset",
    "placeholder", "submissions", "warnings",
)  # fmt: skip
_TIMES = ("eta", "create_time", "submit_time", "end_time")


def generation_to_proto(generation: Generation) -> generation_pb2.Generation:
    """Return the message; what is unknown stays unset."""
    message = generation_pb2.Generation(
        **{name: getattr(generation, name) for name in _SAME},
        tenant_name=generation.tenant,
        state=_STATES.Value(f"STATE_{generation.state.value}"),
        provider=generation.identity.provider,
        progress_percent=generation.progress,
        preview_url=generation.preview,
    )
    for warning in generation.warnings:
        known = told(warning)
        message.told.add(key=known.key, values=known.values, texts=known.texts)
    for name in _TIMES:
        moment: datetime | None = getattr(generation, name)
        if moment is not None:
            getattr(message, name).CopyFrom(timestamp(moment))
    if generation.cost is not None:
        message.cost.CopyFrom(_money(generation.cost))
        message.cost_source = generation.cost.source
    if generation.failure is not None:
        message.error.CopyFrom(_status(generation.failure))
    if generation.output is not None:
        message.output.CopyFrom(_output(generation.output))
    return message


def timestamp(moment: datetime) -> timestamp_pb2.Timestamp:
    """Return an aware datetime as a Timestamp."""
    message = timestamp_pb2.Timestamp()
    message.FromDatetime(moment)
    return message


def _money(cost: Cost) -> money_pb2.Money:
    units, rest = divmod(cost.micros, 1_000_000)
    return money_pb2.Money(currency_code="USD", units=units, nanos=rest * 1000)


def _status(failure: Failure) -> status_pb2.Status:
    kind = BY_REASON.get(failure.reason, ServiceError)
    state = {
        "message": failure.message,
        "reason": failure.reason,
        "retry_after": failure.retry_after,
        "metadata": dict(failure.metadata),
        "violations": (),
    }
    return to_status(kind.rebuild(state))


def _output(output: Output) -> generation_pb2.Output:
    message = generation_pb2.Output(
        sha256=output.sha256,
        size_bytes=output.size_bytes,
        content_type=output.content_type,
        width=output.width,
        height=output.height,
        fps=output.fps,
        seed=output.seed,
        storage_url=output.storage_url,
        thumbnail=output.thumbnail,
        method=output.method,
    )
    _span(message.duration, output.duration_seconds)
    for word in output.words:
        told = message.words.add(text=word.text)
        _span(told.start, word.start_seconds)
        _span(told.end, word.end_seconds)
    if output.quality is not None:
        message.quality.CopyFrom(_quality(output.quality))
    return message


def _quality(quality: Quality) -> generation_pb2.Quality:
    message = generation_pb2.Quality(
        score=quality.score,
        prompt_match=quality.prompt_match,
        not_measured=quality.not_measured,
        likeness=quality.likeness,
        loudness_lufs=quality.loudness_lufs,
        true_peak_db=quality.true_peak_db,
    )
    for found in quality.findings:
        finding = message.findings.add(
            kind=found.kind,
            penalty=found.penalty,
            explanation=found.explanation,
            texts=told(found.explanation).texts,
        )
        _span(finding.start, found.start_seconds)
        if found.duration_seconds:
            _span(finding.duration, found.duration_seconds)
    return message


def _span(message: duration_pb2.Duration, seconds: float) -> None:
    message.FromMicroseconds(round(seconds * 1e6))
