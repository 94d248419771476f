"""fal's queue: any model by its path, Pika among them.

Contract: https://docs.fal.ai (read 2026-08-21). `COMPLETED` covers failure too: only the result
tells. Follow-up URLs drop the model's sub-path, so those that come back are kept and used.
"""

import json
from datetime import datetime
from typing import ClassVar

from typing_extensions import override

from services.generator.providers.adapter import (
    Accepted,
    Call,
    Failed,
    Fault,
    KeySigned,
    Outcome,
    Output,
    Phase,
    Reply,
    Running,
    Submission,
    Succeeded,
    Update,
    Uploads,
    at,
    billed_by_fal,
    media_urls,
    phase_of,
    refused,
    spell,
    text,
    text_of,
    whole,
)

RESULT = "result"
PATH = "/%(app)s/requests/%(id)s"
FORM = {"status": f"{PATH}/status", "response": PATH, "cancel": f"{PATH}/cancel"}
FILE = {"file_name": "{name}", "content_type": "{type}"}
UPLOAD = "/storage/upload/initiate?storage_type=fal-cdn-v3"
UPLOADS = Uploads(UPLOAD, "file_url", "upload_url", body=FILE, host="https://rest.fal.ai")
TYPES = {
    **dict.fromkeys(("content_policy_violation", "no_media_generated"), Fault.MODERATED),
    **dict.fromkeys(("client_cancelled", "client_disconnected"), Fault.CANCELLED),
    "downstream_service_error": Fault.VENDOR,
}


class Fal(KeySigned):
    """fal.ai's queue."""

    poll_seconds: ClassVar[float] = 3.0
    cancels: ClassVar[bool] = True
    public_keys: ClassVar[str] = "https://rest.fal.ai/.well-known/jwks.json"
    webhook_key: ClassVar[tuple[str | int, ...]] = ("request_id",)
    job_form: ClassVar[str] = json.dumps(FORM)
    uploads: ClassVar[Uploads] = UPLOADS

    base_url: str = "https://queue.fal.run"

    @override
    def auth(self, now: datetime) -> dict[str, str]:
        return {"authorization": f"Key {self.api_key.get_secret_value()}"}

    @override
    def submit(self, submission: Submission) -> Call:
        query = {"fal_webhook": submission.webhook_url} if submission.webhook_url else {}
        body = spell(submission.task, submission.wire)
        return Call(method="POST", path=f"/{submission.vendor_model}", query=query, json=body)

    @override
    def accepted(self, reply: Reply) -> Outcome:
        urls = {name: text(reply.body, f"{name}_url") for name in ("status", "response", "cancel")}
        return Accepted(job=json.dumps(urls), shown_id=text(reply.body, "request_id"))

    @override
    def poll(self, job: str) -> Call:
        return Call(method="GET", path=json.loads(job)["status"])

    @override
    def update(self, job: str, reply: Reply) -> Update | Call:
        if reply.step == RESULT:
            outputs = tuple(Output(url=url) for url in media_urls(reply.body))
            return Succeeded(outputs=outputs, seed=whole(reply.body, "seed"))
        phase = phase_of(text(reply.body, "status"))
        if phase is not Phase.SUCCEEDED:
            return Running(queued=phase is Phase.QUEUED)
        if at(reply.body, "error"):
            return _failure(reply, text(reply.body, "error_type"))
        return Call(method="GET", path=json.loads(job)["response"], step=RESULT)

    @override
    def trouble(self, job: str, reply: Reply) -> Update | Call | None:
        if reply.step != RESULT:
            return super().trouble(job, reply)
        kind = text(reply.body, "detail", 0, "type") or text(reply.body, "error_type")
        return _failure(reply, kind) if kind or reply.status in {400, 404, 410, 422} else None

    @override
    def refusal(self, reply: Reply) -> Failed | None:
        message = text_of(reply.body).lower()
        if reply.status in {402, 403} and ("balance" in message or "locked" in message):
            return refused(reply, Fault.BILLING)
        kind = text(reply.body, "detail", 0, "type")
        return _failure(reply, kind) if kind else None

    @override
    def cancel(self, job: str) -> Call:
        return Call(method="PUT", path=json.loads(job)["cancel"])


def _failure(reply: Reply, kind: str) -> Failed:
    fault = Fault.INVALID if reply.status in {400, 422} else Fault.VENDOR
    return refused(reply, TYPES.get(kind, fault), code=kind, billed=billed_by_fal(reply))
