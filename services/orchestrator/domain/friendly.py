"""What a person reads and may do when every rung of the chain failed. Pure; words are data."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Self

from services.orchestrator.domain.job import Job
from services.orchestrator.domain.options import Fit, Routing
from services.orchestrator.domain.retrying import Json, as_json
from services.orchestrator.domain.values import Failure, Fallback, RetryOption

SPINNER = "kenya_flag_spinner"
# Where no vendor said when to come back.
_SOON_SECONDS = 60.0
_LONGEST_SECONDS = 24 * 3600.0


@dataclass(frozen=True, kw_only=True)
class Messages:
    """The words of one language. `about_minutes` holds the place of `{minutes}`."""

    message: str
    cultural_message: str
    retry: str
    offline: str
    browse: str
    estimated_wait: str
    support_message: str
    under_a_minute: str
    about_minutes: str
    offline_message: str

    @classmethod
    def of(cls, words: Mapping[str, object]) -> Self:
        """The words by key. Raises ValueError for a key that is missing, unknown or empty."""
        wanted = {field.name for field in fields(cls)}
        wrong = sorted(wanted ^ words.keys())
        wrong += sorted(key for key in wanted & words.keys() if not str(words[key]).strip())
        if wrong:
            message = f"missing, unknown or empty: {', '.join(wrong)}"
            raise ValueError(message)
        return cls(**{key: str(value) for key, value in words.items()})


def friendly(job: Job, words: Messages, error: Failure | None = None) -> Fallback:
    """The payload in the caller's language; each option is a call that a program can make.

    `error` is why the job ends, where no attempt says it.
    """
    wait = _wait(job, error)
    return Fallback(
        message=words.message,
        cultural_message=words.cultural_message,
        spinner=SPINNER,
        retry_options=(_again(job, words, wait), _offline(job, words), _browse(words)),
        estimated_wait=_in_words(wait, words),
        support_message=words.support_message,
        wait_seconds=wait,
        offline_message=words.offline_message if _is_offline(job, error) else "",
    )


def _again(job: Job, words: Messages, wait: float | None) -> RetryOption:
    request = as_json(job.request) | {"requestId": f"{job.id}.again", "creativeId": job.creative_id}
    return _generate(words.retry, request, _SOON_SECONDS if wait is None else wait)


def _offline(job: Job, words: Messages) -> RetryOption:
    """The same words made here: no vendor is asked, and an animatic is better than nothing."""
    local = Routing(local_only=True, allow_placeholder=True)
    asked = replace(job.request, model="auto", fit=Fit.NEAREST, routing=local)
    request = as_json(asked) | {"requestId": f"{job.id}.offline", "creativeId": job.creative_id}
    return _generate(words.offline, request)


def _generate(label: str, request: Mapping[str, Json], delay: float | None = None) -> RetryOption:
    return RetryOption(
        label=label,
        method="GenerateVideo",
        request_json=json.dumps(request, ensure_ascii=False),
        delay_seconds=delay,
        http_method="POST",
        http_path="/api/v1/videoJobs",
    )


def _browse(words: Messages) -> RetryOption:
    return RetryOption(
        label=words.browse,
        method="ListVideoJobs",
        request_json=json.dumps({"states": ["STATE_SUCCEEDED"]}),
        http_method="GET",
        http_path="/api/v1/videoJobs?states=STATE_SUCCEEDED",
    )


def _wait(job: Job, error: Failure | None) -> float | None:
    """Seconds until the first of those that failed said that it would be back."""
    failures = [error, *(attempt.error for attempt in job.attempts)]
    said = [f.retry_after_seconds for f in failures if f and f.retry_after_seconds is not None]
    return min([*said, _LONGEST_SECONDS]) if said else None


def _in_words(wait: float | None, words: Messages) -> str:
    if wait is None:
        return words.estimated_wait
    minutes = -(-round(wait) // 60)
    return words.under_a_minute if minutes <= 1 else words.about_minutes.format(minutes=minutes)


def _is_offline(job: Job, error: Failure | None) -> bool:
    """Whether it is the network: the router said so, or nothing that was sent ever left."""
    if error is not None and error.metadata.get("offline") == "yes":
        return True
    lost = [a.error for a in job.attempts if a.error is not None]
    return bool(lost) and all(e.metadata.get("delivered") == "no" for e in lost)
