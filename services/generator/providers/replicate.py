"""Replicate: any model by its name.

Contract: Replicate's OpenAPI (read 2026-10-07). `aborted` is a sixth status; results die one hour
after the end; webhooks carry the bare prediction, signed by Standard Webhooks. A prediction says
whom it calls back, by which the list finds one whose submit was not answered.
"""

from typing import ClassVar

from typing_extensions import override

from services.generator.providers.adapter import (
    Accepted,
    Call,
    Failed,
    Fault,
    Json,
    Output,
    Phase,
    Reply,
    Running,
    SecretSigned,
    Submission,
    Succeeded,
    Update,
    Uploads,
    at,
    failed,
    items,
    media_urls,
    phase_of,
    spell,
    text,
)

CANCEL_AFTER = "1h"


class Replicate(SecretSigned):
    """Replicate."""

    cancels: ClassVar[bool] = True
    poll_seconds: ClassVar[float] = 3.0
    webhook_key: ClassVar[tuple[str | int, ...]] = ("id",)
    uploads: ClassVar[Uploads] = Uploads("/files", "urls.get")

    base_url: str = "https://api.replicate.com/v1"

    @override
    def submit(self, submission: Submission) -> Call:
        body: dict[str, Json] = {"input": spell(submission.task, submission.wire)}
        if submission.webhook_url:
            events: list[Json] = ["completed"]
            body |= {"webhook": submission.webhook_url, "webhook_events_filter": events}
        path = f"/models/{submission.vendor_model}/predictions"
        return Call(method="POST", path=path, json=body, headers={"cancel-after": CANCEL_AFTER})

    @override
    def poll(self, job: str) -> Call:
        return Call(method="GET", path=f"/predictions/{job}")

    @override
    def update(self, job: str, reply: Reply) -> Update | Call:
        phase = phase_of(text(reply.body, "status"))
        if phase is Phase.SUCCEEDED:
            urls = media_urls(at(reply.body, "output"))
            if urls:
                return Succeeded(outputs=tuple(Output(url=url) for url in urls))
            gone = at(reply.body, "data_removed") is True
            fault = Fault.EXPIRED if gone else Fault.VENDOR
            return Failed(fault=fault, message="the prediction holds no media any more")
        if phase is Phase.FAILED:
            return failed(text(reply.body, "error"))
        if phase is Phase.CANCELLED:
            return Failed(fault=Fault.CANCELLED, message="cancelled")
        if phase is Phase.EXPIRED:
            message = "its deadline passed before it started"
            return Failed(fault=Fault.EXPIRED, message=message, billed=False)
        return Running(queued=phase is Phase.QUEUED)

    @override
    def look_up(self, submission: Submission) -> Call | None:
        return Call(method="GET", path="/predictions") if submission.webhook_url else None

    @override
    def found(self, submission: Submission, reply: Reply) -> Accepted | None:
        """Match by our own callback address, which carries a secret of this one generation."""
        for item in items(reply.body, "results"):
            if text(item, "webhook") == submission.webhook_url:
                return Accepted(job=text(item, "id"), shown_id=text(item, "id"))
        return None

    @override
    def cancel(self, job: str) -> Call:
        return Call(method="POST", path=f"/predictions/{job}/cancel")
