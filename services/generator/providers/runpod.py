"""RunPod serverless: public endpoints by name, and your own worker by its endpoint id.

Contract: runpod/docs (read 2026-08-20). Results are kept for 30 minutes; a failed job may come
under HTTP 400; webhooks are unsigned.
"""

from typing import ClassVar

from typing_extensions import override

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
    Signature,
    Submission,
    Succeeded,
    Update,
    at,
    failed,
    media_urls,
    number,
    phase_of,
    spell,
    text,
    text_of,
)

RUN_MS = 3_600_000
LIFE_MS = 4 * RUN_MS  # counts queue and run: past it the job vanishes even while it runs
ENDS = {Phase.CANCELLED: Fault.CANCELLED, Phase.EXPIRED: Fault.EXPIRED}


class RunPod(Adapter):
    """RunPod serverless. `endpoint_id` is your own worker's."""

    signature: ClassVar[Signature] = Signature.TOKEN
    cancels: ClassVar[bool] = True
    webhook_key: ClassVar[tuple[str | int, ...]] = ("id",)
    job_form: ClassVar[str] = "%(model)s/%(id)s"

    base_url: str = "https://api.runpod.ai/v2"
    endpoint_id: str = ""

    @override
    def submit(self, submission: Submission) -> Call:
        endpoint = submission.vendor_model.replace("{endpoint_id}", self.endpoint_id)
        policy: Json = {"executionTimeout": RUN_MS, "ttl": LIFE_MS}
        body: dict[str, Json] = {
            "input": spell(submission.task, submission.wire),
            "policy": policy,
        }
        if submission.webhook_url:
            body["webhook"] = submission.webhook_url
        return Call(method="POST", path=f"/{endpoint}/run", json=body, step=endpoint)

    @override
    def accepted(self, reply: Reply) -> Outcome:
        shown = text(reply.body, "id")
        return Accepted(job=f"{reply.step}/{shown}", shown_id=shown)

    @override
    def poll(self, job: str) -> Call:
        endpoint, _, shown = job.partition("/")
        return Call(method="GET", path=f"/{endpoint}/status/{shown}")

    @override
    def update(self, job: str, reply: Reply) -> Update | Call:
        phase = phase_of(text(reply.body, "status"))
        if phase is Phase.SUCCEEDED:
            return _result(at(reply.body, "output"))
        if phase is Phase.FAILED:
            return failed(text_of(reply.body))
        if phase in ENDS:
            return Failed(fault=ENDS[phase], message=str(phase))
        return Running(queued=phase is Phase.QUEUED)

    @override
    def trouble(self, job: str, reply: Reply) -> Update | Call | None:
        if text(reply.body, "status"):
            return self.update(job, reply)
        return super().trouble(job, reply)

    @override
    def cancel(self, job: str) -> Call:
        endpoint, _, shown = job.partition("/")
        return Call(method="POST", path=f"/{endpoint}/cancel/{shown}")


def _result(output: Json) -> Update:
    named = [text(output, name) for name in ("video_url", "image_url", "audio_url")]
    urls = [url for url in named if url] or media_urls(output)
    if not urls:
        return Failed(fault=Fault.VENDOR, message="the output holds no media")
    dollars = number(output, "cost")
    cost = None if dollars is None else round(dollars * 1_000_000)
    return Succeeded(outputs=tuple(Output(url=url) for url in urls), cost_micros=cost)
