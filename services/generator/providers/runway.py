"""Runway's developer API, version 2024-11-06: text and image to video.

Contract: https://docs.dev.runwayml.com/api (read 2026-07-27). 24 fps; poll at most every 5 s.
"""

from datetime import datetime
from typing import ClassVar

from typing_extensions import override

from services.generator.providers.adapter import (
    Adapter,
    Call,
    Failed,
    Fault,
    Json,
    Output,
    Phase,
    Reply,
    Running,
    Submission,
    Succeeded,
    Update,
    Uploads,
    items,
    merged,
    number,
    phase_of,
    refused,
    text,
)

RATIOS = {
    "16:9": "1280:720",
    "9:16": "720:1280",
    "4:3": "1104:832",
    "3:4": "832:1104",
    "1:1": "960:960",
    "21:9": "1584:672",
}
FILE = {"filename": "{name}", "type": "ephemeral"}
# The longest prefix of `failureCode` decides; codes are an open set.
FAILURES = {
    "SAFETY": Fault.MODERATED,
    "INPUT_PREPROCESSING.SAFETY": Fault.MODERATED,
    "ASSET.INVALID": Fault.INVALID,
    "THIRD_PARTY.UNAVAILABLE": Fault.UNAVAILABLE,
}


class Runway(Adapter):
    """Runway."""

    cancels: ClassVar[bool] = True
    cancel_destroys: ClassVar[bool] = True
    uploads: ClassVar[Uploads] = Uploads("/v1/uploads", "runwayUri", "uploadUrl", "fields", FILE)

    base_url: str = "https://api.dev.runwayml.com"
    version: str = "2024-11-06"

    @override
    def auth(self, now: datetime) -> dict[str, str]:
        return {**super().auth(now), "x-runway-version": self.version}

    @override
    def submit(self, submission: Submission) -> Call:
        task = submission.video
        body: dict[str, Json] = {
            "model": submission.vendor_model,
            "ratio": RATIOS[task.aspect_ratio],
            "duration": int(task.duration_seconds or 5),
            "promptText": task.prompt,
            "seed": task.seed,
        }
        if task.image is not None:
            body["promptImage"] = [{"uri": task.image.uri, "position": "first"}]
        path = "/v1/text_to_video" if task.image is None else "/v1/image_to_video"
        return Call(method="POST", path=path, json=merged(body, task.options))

    @override
    def poll(self, job: str) -> Call:
        return Call(method="GET", path=f"/v1/tasks/{job}")

    @override
    def update(self, job: str, reply: Reply) -> Update | Call:
        phase = phase_of(text(reply.body, "status"))
        if phase is Phase.SUCCEEDED:
            urls = [str(url) for url in items(reply.body, "output")]
            credits = number(reply.body, "cost", "credits")
            cost = None if credits is None else round(credits * 10_000)
            return Succeeded(outputs=tuple(Output(url=url) for url in urls), cost_micros=cost)
        if phase is Phase.FAILED:
            return _failure(reply)
        if phase is Phase.CANCELLED:
            return Failed(fault=Fault.CANCELLED, message="cancelled", billed=_billed(reply))
        return Running(queued=phase is Phase.QUEUED, progress=number(reply.body, "progress"))

    @override
    def refusal(self, reply: Reply) -> Failed | None:
        if reply.status == 400 and "enough credits" in text(reply.body, "error").lower():
            return refused(reply, Fault.BILLING)
        return refused(reply, Fault.DAILY_QUOTA) if reply.status == 429 else None

    @override
    def cancel(self, job: str) -> Call:
        return Call(method="DELETE", path=f"/v1/tasks/{job}")


def _failure(reply: Reply) -> Failed:
    code, message = text(reply.body, "failureCode"), text(reply.body, "failure")
    known = max(filter(code.startswith, FAILURES), key=len, default="")
    fault = FAILURES.get(known, Fault.VENDOR)
    billed = True if code.startswith("SAFETY.INPUT") else _billed(reply)
    return Failed(fault=fault, message=message or "generation failed", code=code, billed=billed)


def _billed(reply: Reply) -> bool | None:
    """Newer servers name the credits that an ended task costs, 0 for none."""
    credits = number(reply.body, "cost", "credits")
    return None if credits is None else credits > 0
