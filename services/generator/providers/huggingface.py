"""Hugging Face Inference Providers through the router.

Contract: huggingface_hub 1.28 (read 2026-08-20). `wire.route` names the serving provider:
"fal-ai" is a queue whose follow-up addresses are walked through the router, "hf-inference" answers
at once with bytes.
"""

from typing import ClassVar
from urllib.parse import urlsplit

from typing_extensions import override

from services.generator.domain.orders import prompt_of
from services.generator.domain.tasks import SpeechTask
from services.generator.providers.adapter import (
    Accepted,
    Adapter,
    Call,
    Failed,
    Fault,
    Json,
    Outcome,
    Output,
    Phase,
    Reply,
    Running,
    Submission,
    Succeeded,
    Update,
    at,
    billed_by_fal,
    media_urls,
    number,
    phase_of,
    refused,
    sounds_moderated,
    spell,
    text,
    text_of,
)

QUEUE = {"_subdomain": "queue"}
RESULT = "result"


class HuggingFace(Adapter):
    """Hugging Face's router."""

    poll_seconds: ClassVar[float] = 3.0
    job_form: ClassVar[str] = "/fal-ai/%(app)s/requests/%(id)s"

    base_url: str = "https://router.huggingface.co"
    bill_to: str = ""

    @override
    def submit(self, submission: Submission) -> Call:
        task, wire = submission.task, submission.wire
        headers = {"x-hf-bill-to": self.bill_to} if self.bill_to else {}
        if wire.get("route") == "fal-ai":
            path, body = f"/fal-ai/{submission.vendor_model}", spell(task, wire)
            return Call(method="POST", path=path, query=QUEUE, json=body, headers=headers)
        words = prompt_of(task)
        if not isinstance(task, SpeechTask):
            headers["accept"] = "image/png"
        path = f"/hf-inference/models/{submission.vendor_model}"
        inference: Json = {"inputs": words, "parameters": spell(task, wire)}
        return Call(method="POST", path=path, json=inference, headers=headers)

    @override
    def accepted(self, reply: Reply) -> Outcome:
        if reply.media_type.startswith(("image/", "audio/", "video/")):
            return Succeeded(outputs=(Output(data=reply.content, media_type=reply.media_type),))
        path = urlsplit(text(reply.body, "response_url")).path
        if not path:
            return Failed(fault=Fault.VENDOR, message="the answer holds neither media nor a job")
        return Accepted(job=f"/fal-ai{path}", shown_id=text(reply.body, "request_id"))

    @override
    def poll(self, job: str) -> Call:
        return Call(method="GET", path=f"{job}/status", query=QUEUE)

    @override
    def update(self, job: str, reply: Reply) -> Update | Call:
        if reply.step == RESULT:
            urls = media_urls(reply.body)
            if urls:
                return Succeeded(outputs=tuple(Output(url=url) for url in urls))
            return Failed(fault=Fault.VENDOR, message="the result holds no media")
        phase = phase_of(text(reply.body, "status"))
        if phase is not Phase.SUCCEEDED:
            return Running(queued=phase is Phase.QUEUED)
        if at(reply.body, "error"):
            return _failure(reply)
        return Call(method="GET", path=job, query=QUEUE, step=RESULT)

    @override
    def trouble(self, job: str, reply: Reply) -> Update | Call | None:
        explained = text(reply.body, "detail", 0, "type") or text(reply.body, "error_type")
        if reply.step == RESULT and (reply.status in {400, 422} or explained):
            return _failure(reply)
        return super().trouble(job, reply)

    @override
    def refusal(self, reply: Reply) -> Failed | None:
        """503 with an estimate is a cold model: nothing was started, it may be asked again."""
        wait = number(reply.body, "estimated_time")
        if reply.status == 503 and wait is not None:
            message = text_of(reply.body)
            return Failed(fault=Fault.UNAVAILABLE, message=message, retry_after=max(0.0, wait))
        return refused(reply, Fault.RETIRED) if reply.status == 404 else None


def _failure(reply: Reply) -> Failed:
    code = text(reply.body, "detail", 0, "type") or text(reply.body, "error_type")
    moderated = sounds_moderated(f"{code} {text_of(reply.body)}")
    fault = Fault.MODERATED if moderated else Fault.VENDOR
    return refused(reply, fault, code=code, billed=billed_by_fal(reply))
