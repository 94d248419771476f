"""Luma's Dream Machine API (ray-2), legacy but alive.

Contract: lumaai 1.18.1 (2025-10-22). Pictures by https URL only; callbacks are unsigned, so they
are a hint to ask; a lost submit can be looked up in the list.
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
    Output,
    Phase,
    Reply,
    Running,
    Signature,
    Submission,
    Succeeded,
    Update,
    failed,
    items,
    merged,
    phase_of,
    refused,
    sounds_moderated,
    text,
    text_of,
)


class LumaDream(Adapter):
    """Luma Dream Machine."""

    signature: ClassVar[Signature] = Signature.TOKEN
    webhook_key: ClassVar[tuple[str | int, ...]] = ("id",)

    base_url: str = "https://api.lumalabs.ai/dream-machine/v1"

    @override
    def submit(self, submission: Submission) -> Call:
        task = submission.video
        frames: dict[str, Json] = {}
        for key, media in (("frame0", task.image), ("frame1", task.last_image)):
            if media is not None:
                frames[key] = {"type": "image", "url": media.url}
        if task.video is not None:
            frames["frame0"] = {"type": "generation", "id": task.video.url}
        body: dict[str, Json] = {
            "generation_type": "video",
            "model": submission.vendor_model,
            "prompt": task.prompt,
            "aspect_ratio": task.aspect_ratio,
            "resolution": task.resolution,
            "duration": f"{task.duration_seconds or 5:g}s",
            "keyframes": frames,
            "callback_url": submission.webhook_url,
        }
        return Call(method="POST", path="/generations/video", json=merged(body, task.options))

    @override
    def poll(self, job: str) -> Call:
        return Call(method="GET", path=f"/generations/{job}")

    @override
    def update(self, job: str, reply: Reply) -> Update | Call:
        phase = phase_of(text(reply.body, "state"))
        if phase is Phase.SUCCEEDED:
            return Succeeded(outputs=(Output(url=text(reply.body, "assets", "video")),))
        if phase is Phase.FAILED:
            return failed(text(reply.body, "failure_reason"))
        preview = text(reply.body, "assets", "progress_video")
        return Running(queued=phase is Phase.QUEUED, preview_url=preview)

    @override
    def refusal(self, reply: Reply) -> Failed | None:
        message = text_of(reply.body)
        if reply.status == 400 and "insufficient credits" in message.lower():
            return refused(reply, Fault.BILLING)
        if reply.status == 400 and sounds_moderated(message):
            return refused(reply, Fault.MODERATED)
        return None

    @override
    def look_up(self, submission: Submission) -> Call:
        return Call(method="GET", path="/generations", query={"limit": "50", "offset": "0"})

    @override
    def found(self, submission: Submission, reply: Reply) -> Accepted | None:
        """Match by our own callback address, which carries a secret of this one generation."""
        for item in items(reply.body, "generations"):
            hook = submission.webhook_url
            if hook and text(item, "request", "callback_url") == hook:
                return Accepted(job=text(item, "id"), shown_id=text(item, "id"))
        return None
