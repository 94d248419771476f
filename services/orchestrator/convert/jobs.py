"""Jobs as the contract shows them."""

from reelmesh.orchestrator.v1 import video_job_pb2 as pb
from services.orchestrator.adapters.wire import to_duration, to_error, to_money, to_timestamp
from services.orchestrator.domain.job import Job
from services.orchestrator.domain.money.ledger import Totals
from services.orchestrator.domain.values import (
    Attempt,
    Candidate,
    Decision,
    Fallback,
    Quantified,
    Reused,
)


def job_message(job: Job) -> pb.VideoJob:
    """The job with all that explains it; URLs are signed by who shows it."""
    return pb.VideoJob(
        name=job.name,
        tenant_name=job.tenant,
        creative_id=job.creative_id,
        state=pb.VideoJob.State.Value(f"STATE_{job.state.name}"),
        stage=pb.VideoJob.Stage.Value(f"STAGE_{job.stage.name}"),
        progress_percent=job.progress_percent,
        progress_source=job.progress_source,
        eta=to_timestamp(job.eta),
        prompt=job.request.prompt,
        quantified_prompt=quantified_message(job.quantified) if job.quantified else None,
        requested_model=job.request.model,
        resolved_model=job.resolved_model,
        results=_results(job),
        attempts=[_attempt(job, attempt) for attempt in job.attempts],
        decision=_explained(job) if job.decision else None,
        fallback=_fallback(job.fallback) if job.fallback else None,
        cost=to_money(job.cost_micros),
        savings=to_money(0),
        warnings=job.warnings,
        error=to_error(job.error),
        project=job.request.project,
        labels=job.request.labels,
        language=job.speaks,
        sequence=job.sequence,
        request_id=job.request_id,
        preview_url=next((a.preview_url for a in job.attempts if a.preview_url), ""),
        create_time=to_timestamp(job.create_time),
        start_time=to_timestamp(job.start_time),
        update_time=to_timestamp(job.update_time),
        end_time=to_timestamp(job.end_time),
    )


def tell_totals(message: pb.VideoJob, totals: Totals) -> None:
    """Put what the ledger says of the job into its message."""
    message.cost.CopyFrom(to_money(totals.cost_micros))
    message.savings.CopyFrom(to_money(totals.savings_micros))


def quantified_message(found: Quantified) -> pb.QuantifiedPrompt:
    """What was made of the words."""
    return pb.QuantifiedPrompt(
        prompt=found.prompt,
        language=found.language,
        duration=to_duration(found.duration_seconds),
        aspect_ratio=found.aspect_ratio,
        resolution=found.resolution,
        fps=found.fps,
        style=found.style,
        quality=found.quality,
        camera_motion=found.camera_motion,
        shot_type=found.shot_type,
        mood=found.mood,
        time_of_day=found.time_of_day,
        negative_prompt=found.negative_prompt,
        provenance=found.provenance,
        source=found.source,
        template=found.template,
        preset=found.preset,
        llm_model=found.llm_model,
        llm_tokens=found.llm_tokens,
        llm_cost=to_money(found.llm_cost_micros),
        prompt_language=found.prompt_language,
    )


def _explained(job: Job) -> pb.Decision:
    assert job.decision is not None  # noqa: S101 - the caller asked whether there is one
    message = decision_message(job.decision)
    message.cache_hits.extend(hit_message(a.reused) for a in job.attempts if a.reused)
    return message


def hit_message(reused: Reused) -> pb.CacheHit:
    """A cached clip that serves, or would."""
    return pb.CacheHit(
        asset=reused.asset,
        similarity=reused.similarity,
        kind=reused.kind,
        reason=reused.reason,
        model=reused.model,
        provider=reused.provider,
        saving=to_money(reused.saved_micros),
    )


def decision_message(decision: Decision) -> pb.Decision:
    """Why these models."""
    return pb.Decision(
        chosen=map(_candidate, decision.chosen),
        rejected=map(_candidate, decision.rejected),
        objective=decision.objective,
    )


def _candidate(candidate: Candidate) -> pb.Candidate:
    return pb.Candidate(
        model=candidate.model,
        provider=candidate.provider,
        reason=candidate.reason,
        code=candidate.code,
        price=to_money(candidate.price_micros),
        p50_latency=to_duration(candidate.p50_seconds),
        p90_latency=to_duration(candidate.p90_seconds),
        success_rate=candidate.success_rate,
        recent_ends=candidate.recent_ends,
    )


def _results(job: Job) -> list[pb.VideoResult]:
    """One per variation that has a clip, or whose last attempt has failed for good."""
    results = []
    for iteration in range(1, job.request.variations + 1):
        made = job.clip(iteration)
        if made is not None:
            results.append(_result(made))
        elif job.state.terminal:
            last = job.last_attempt(iteration)
            error = (last.error if last else None) or job.error
            results.append(
                pb.VideoResult(
                    iteration=iteration,
                    model=last.model if last else "",
                    provider=last.provider if last else "",
                    error=to_error(error),
                )
            )
    return results


def _result(made: Attempt) -> pb.VideoResult:
    clip = made.clip
    assert clip is not None  # noqa: S101 - the caller asked for one
    return pb.VideoResult(
        iteration=made.iteration,
        asset=clip.asset,
        s3_url=clip.storage_url,
        model=made.model,
        provider=made.provider,
        cost=to_money(made.cost_micros),
        cached=made.reused is not None,
        mock=clip.placeholder,
        placeholder=clip.placeholder,
        sha256=clip.sha256,
        width=clip.width,
        height=clip.height,
        fps=clip.fps,
        duration=to_duration(clip.duration_seconds),
        seed=clip.seed,
    )


def _attempt(job: Job, attempt: Attempt) -> pb.Attempt:
    sent = job.compiled.get(attempt.asked)
    return pb.Attempt(
        sent=quantified_message(sent) if sent else None,
        id=attempt.id,
        iteration=attempt.iteration,
        model=attempt.model,
        provider=attempt.provider,
        generation=attempt.generation,
        preview_url=attempt.preview_url,
        state=attempt.state,
        error=to_error(attempt.error),
        cost=to_money(attempt.cost_micros),
        start_time=to_timestamp(attempt.start_time),
        end_time=to_timestamp(attempt.end_time),
        reused=hit_message(attempt.reused) if attempt.reused else None,
    )


def _fallback(fallback: Fallback) -> pb.Fallback:
    options = [
        pb.RetryOption(
            label=o.label,
            method=o.method,
            request_json=o.request_json,
            delay=to_duration(o.delay_seconds),
            http_method=o.http_method,
            http_path=o.http_path,
        )
        for o in fallback.retry_options
    ]
    return pb.Fallback(
        status=fallback.status,
        message=fallback.message,
        cultural_message=fallback.cultural_message,
        spinner=fallback.spinner,
        spinner_path=f"/spinners/{fallback.spinner}.svg",
        retry_options=options,
        estimated_wait=fallback.estimated_wait,
        support_message=fallback.support_message,
        estimated_wait_time=to_duration(fallback.wait_seconds),
        offline_message=fallback.offline_message,
    )
