"""Kling's legacy `/v1/videos` API, by access and secret key (a signed token) or by the new key.

Contract: official documents of 2026-09-20. Durations are strings, pictures are bare base64.
"""

import json
from datetime import datetime
from typing import ClassVar

import jwt
from pydantic import SecretStr
from typing_extensions import override

from services.generator.providers.adapter import (
    Accepted,
    Call,
    Failed,
    Fault,
    Json,
    Outcome,
    Output,
    Phase,
    Reply,
    Running,
    SecretSigned,
    Submission,
    Succeeded,
    Update,
    failed,
    merged,
    phase_of,
    refused,
    text,
)

PATH = "/v1/videos"
TOKEN_SECONDS = 1800
CODES = {
    Fault.BILLING: {"1100", "1101", "1102"},
    Fault.FORBIDDEN: {"1103", "1304"},
    Fault.RETIRED: {"1202", "1203"},
    Fault.MODERATED: {"1300", "1301"},
    Fault.RATE: {"1302"},
    Fault.CONCURRENCY: {"1303"},
}


class KlingLegacy(SecretSigned):
    """Kling's legacy API."""

    webhook_key: ClassVar[tuple[str | int, ...]] = ("task_id",)
    no_such_job: ClassVar[tuple[int, str]] = (404, "1203")
    job_form: ClassVar[str] = '["%(kind)s", "%(id)s"]'

    base_url: str = "https://api-singapore.klingai.com"
    access_key: SecretStr = SecretStr("")
    secret_key: SecretStr = SecretStr("")

    @override
    def auth(self, now: datetime) -> dict[str, str]:
        key = self.secret_key.get_secret_value()
        if not key:
            return super().auth(now)
        issuer, second = self.access_key.get_secret_value(), int(now.timestamp())
        claims = {"iss": issuer, "exp": second + TOKEN_SECONDS, "nbf": second - 5}
        return {"authorization": f"Bearer {jwt.encode(claims, key, algorithm='HS256')}"}

    @override
    def submit(self, submission: Submission) -> Call:
        task = submission.video
        body: dict[str, Json] = {
            "model_name": submission.vendor_model,
            "prompt": task.prompt,
            "negative_prompt": task.negative_prompt,
            "mode": {"720p": "std", "1080p": "pro", "4k": "4k"}.get(task.resolution),
            "aspect_ratio": task.aspect_ratio,
            "duration": f"{task.duration_seconds or 5:g}",
            "sound": None if task.audio is None else ("on" if task.audio else "off"),
            "image": (task.image.url or task.image.base64) if task.image else None,
            "callback_url": submission.webhook_url,
            "external_task_id": submission.generation,
        }
        kind = "image2video" if task.image else "text2video"
        body = merged(body, task.options)
        return Call(method="POST", path=f"{PATH}/{kind}", json=body, step=kind)

    @override
    def accepted(self, reply: Reply) -> Outcome:
        shown = text(reply.body, "data", "task_id")
        if not shown:
            return self.refusal(reply) or refused(reply)
        return Accepted(job=json.dumps([reply.step or "text2video", shown]), shown_id=shown)

    @override
    def poll(self, job: str) -> Call:
        kind, shown = json.loads(job)
        return Call(method="GET", path=f"{PATH}/{kind}/{shown}")

    @override
    def update(self, job: str, reply: Reply) -> Update | Call:
        phase = phase_of(text(reply.body, "data", "task_status"))
        if phase is Phase.SUCCEEDED:
            found = text(reply.body, "data", "task_result", "videos", 0, "url")
            return Succeeded(outputs=(Output(url=found),))
        if phase is Phase.FAILED:
            return failed(text(reply.body, "data", "task_status_msg"))
        return Running(queued=phase is Phase.QUEUED)

    @override
    def refusal(self, reply: Reply) -> Failed | None:
        code = text(reply.body, "code")
        fault = next((fault for fault, codes in CODES.items() if code in codes), None)
        return refused(reply, fault, code=code) if fault else None

    @override
    def look_up(self, submission: Submission) -> Call:
        kind = "image2video" if submission.video.image else "text2video"
        return Call(method="GET", path=f"{PATH}/{kind}/{submission.generation}", step=kind)
