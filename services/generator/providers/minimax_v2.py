"""MiniMax's second API (H3 and H3 Max).

Contract: https://platform.minimax.io (read 2026-08). Real HTTP codes; 422 is moderation; a running
job cannot be cancelled. Callbacks are unsigned: a hint to ask.
"""

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
    Signature,
    Submission,
    Succeeded,
    Update,
    first_text,
    merged,
    phase_of,
    refused,
    sounds_moderated,
    text,
)

ENDS = {
    Phase.FAILED: Fault.VENDOR,
    Phase.CANCELLED: Fault.CANCELLED,
    Phase.EXPIRED: Fault.EXPIRED,
}


class MiniMaxV2(Adapter):
    """MiniMax v2."""

    poll_seconds: ClassVar[float] = 10.0
    signature: ClassVar[Signature] = Signature.TOKEN
    cancels: ClassVar[bool] = True
    cancel_destroys: ClassVar[bool] = True
    job_key: ClassVar[tuple[str | int, ...]] = ("task_id",)

    base_url: str = "https://api.minimax.io"

    @override
    def submit(self, submission: Submission) -> Call:
        task = submission.video
        content: list[Json] = [{"type": "text", "text": task.prompt}]
        for role, media in (("first_frame", task.image), ("last_frame", task.last_image)):
            if media is not None:
                image: Json = {"url": media.uri}
                content.append({"type": "image_url", "image_url": image, "role": role})
        if task.video is not None:
            clip: Json = {"url": task.video.url}
            content.append({"type": "video_url", "video_url": clip, "role": "reference_video"})
        body: dict[str, Json] = {
            "model": submission.vendor_model,
            "content": content,
            "resolution": task.resolution.upper(),
            "duration": int(task.duration_seconds or 5),
            "ratio": task.aspect_ratio,
            "callback_url": submission.webhook_url,
        }
        return Call(method="POST", path="/v2/video_generation", json=merged(body, task.options))

    @override
    def poll(self, job: str) -> Call:
        return Call(method="GET", path=f"/v2/query/video_generation/{job}")

    @override
    def update(self, job: str, reply: Reply) -> Update | Call:
        phase = phase_of(text(reply.body, "task", "status"))
        if phase is Phase.SUCCEEDED:
            content = ("task", "content")
            url = first_text(reply.body, (*content, "url"), (*content, "video_url"))
            return Succeeded(outputs=(Output(url=url),))
        if phase in ENDS:
            message = text(reply.body, "task", "error", "message") or str(phase)
            fault = Fault.MODERATED if sounds_moderated(message) else ENDS[phase]
            code = text(reply.body, "task", "error", "code")
            return Failed(fault=fault, message=message, code=code)
        return Running(queued=phase is Phase.QUEUED)

    @override
    def refusal(self, reply: Reply) -> Failed | None:
        kind = text(reply.body, "error", "type")
        return refused(reply, Fault.MODERATED, code=kind) if reply.status == 422 else None

    @override
    def cancel(self, job: str) -> Call:
        return Call(method="DELETE", path=f"/v2/video_generation/{job}")

    @override
    def webhook_job(self, body: Json) -> str:
        return first_text(body, ("task_id",), ("task", "id"))
