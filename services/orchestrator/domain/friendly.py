"""What a person reads when every rung of the chain failed, in English and Swahili."""

import json
from collections.abc import Mapping

from services.orchestrator.domain.job import Job
from services.orchestrator.domain.values import Fallback, RetryOption

# The English words are the first design's own; each language must hold every key.
MESSAGES: dict[str, dict[str, str]] = {
    "en": {
        "message": "Pole sana! Our AI is taking a short break.",
        "cultural_message": "Like climbing Mount Kenya, great things take time! 🏔️",
        "retry": "Try again in a moment",
        "offline": "Use offline mode",
        "browse": "Browse existing content",
        "estimated_wait": "A few minutes",
        "support_message": "Harambee! We're working to get you back creating.",
    },
    "sw": {
        "message": "Pole sana! Akili bandia yetu inapumzika kidogo.",
        "cultural_message": "Kama kupanda Mlima Kenya, mambo makubwa huchukua muda! 🏔️",
        "retry": "Jaribu tena baada ya muda mfupi",
        "offline": "Tumia hali ya nje ya mtandao",
        "browse": "Tazama maudhui yaliyopo",
        "estimated_wait": "Dakika chache",
        "support_message": "Harambee! Tunafanya kazi ili urudi kuunda.",
    },
}


def friendly(job: Job) -> Fallback:
    """The payload in the caller's language; each option is a call that a program can make."""
    words = MESSAGES[job.request.language or "en"]
    again = {
        "prompt": job.request.prompt,
        "model": job.request.model,
        "creativeId": job.creative_id,
    }
    offline = again | {"model": "auto", "routing": {"localOnly": True, "allowPlaceholder": True}}
    options = (
        RetryOption(label=words["retry"], method="GenerateVideo", request_json=_json(again)),
        RetryOption(label=words["offline"], method="GenerateVideo", request_json=_json(offline)),
        RetryOption(
            label=words["browse"],
            method="ListVideoJobs",
            request_json=_json({"states": ["STATE_SUCCEEDED"]}),
        ),
    )
    return Fallback(
        message=words["message"],
        cultural_message=words["cultural_message"],
        spinner="kenya_flag_spinner",
        retry_options=options,
        estimated_wait=words["estimated_wait"],
        support_message=words["support_message"],
    )


def _json(value: Mapping[str, object]) -> str:
    return json.dumps(value, ensure_ascii=False)
