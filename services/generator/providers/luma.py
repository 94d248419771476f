"""Luma's Agents API (ray-3.2).

Contract: https://docs.agents.lumalabs.ai (read 2026-10-02). A presigned result lives one hour; each
poll signs a new one. Without `model` and `type` the vendor makes a picture: both are always sent.
"""

from typing_extensions import override

from services.generator.domain.tasks import Media
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
    items,
    merged,
    phase_of,
    refused,
    text,
    text_of,
)

FAILURES = {
    "content_moderated": Fault.MODERATED,
    "budget_exhausted": Fault.BILLING,
    "image_too_large": Fault.INVALID,
    "unsupported_format": Fault.INVALID,
    "corrupt_input": Fault.INVALID,
    "invalid_request": Fault.INVALID,
    "rate_limited": Fault.RATE,
}


class Luma(Adapter):
    """Luma Agents."""

    base_url: str = "https://agents.lumalabs.ai/v1"

    @override
    def submit(self, submission: Submission) -> Call:
        task = submission.video
        video: dict[str, Json] = {"duration": f"{task.duration_seconds or 5:g}s"}
        if task.resolution:
            video["resolution"] = task.resolution
        for key, media in (("start_frame", task.image), ("end_frame", task.last_image)):
            if media is not None:
                video[key] = _reference(media)
        body: dict[str, Json] = {
            "model": submission.vendor_model,
            "type": "video",
            "prompt": task.prompt,
            "video": video,
        }
        if task.aspect_ratio:
            body["aspect_ratio"] = task.aspect_ratio
        headers = {"x-request-id": submission.generation}
        json = merged(body, task.options)
        return Call(method="POST", path="/generations", json=json, headers=headers)

    @override
    def poll(self, job: str) -> Call:
        return Call(method="GET", path=f"/generations/{job}")

    @override
    def update(self, job: str, reply: Reply) -> Update | Call:
        phase = phase_of(text(reply.body, "state"))
        if phase is Phase.SUCCEEDED:
            urls = [text(item, "url") for item in items(reply.body, "output")]
            return Succeeded(outputs=tuple(Output(url=url) for url in urls if url))
        if phase is Phase.FAILED:
            code = text(reply.body, "failure_code")
            message = text(reply.body, "failure_reason") or "generation failed"
            return Failed(fault=FAILURES.get(code, Fault.VENDOR), message=message, code=code)
        return Running(queued=phase is Phase.QUEUED)

    @override
    def refusal(self, reply: Reply) -> Failed | None:
        if reply.status == 429 and "concurrent" in text_of(reply.body).lower():
            return refused(reply, Fault.CONCURRENCY)
        return None


def _reference(media: Media) -> Json:
    if media.url:
        return {"url": media.url}
    return {"data": media.base64, "media_type": media.media_type}
