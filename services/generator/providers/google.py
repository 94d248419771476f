"""Gemini's Interactions API (Omni).

Contract: google-genai 2.19.0, ai.google.dev (2026-09). A refusal is `completed` with text alone.
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
    at,
    decoded,
    failed,
    items,
    merged,
    phase_of,
    refused,
    sounds_moderated,
    text,
    text_of,
)

REVISION = "2026-05-20"
EDITS = {"extend": "extend", "remix": "edit"}
ENDS = {
    **dict.fromkeys(("failed", "incomplete", "requires_action"), Fault.VENDOR),
    "budget_exceeded": Fault.BILLING,
    "cancelled": Fault.CANCELLED,
}


class Google(Adapter):
    """Gemini Omni."""

    poll_seconds: ClassVar[float] = 10.0
    cancels: ClassVar[bool] = True

    base_url: str = "https://generativelanguage.googleapis.com"

    @override
    def auth(self, now: datetime) -> dict[str, str]:
        key = self.api_key.get_secret_value()
        return {"x-goog-api-key": key, "api-revision": REVISION}

    @override
    def submit(self, submission: Submission) -> Call:
        task = submission.video
        parts: list[Json] = [{"type": "text", "text": task.prompt}]
        if (image := task.image) is not None:
            parts.append({"type": "image", "data": image.base64, "mime_type": image.media_type})
        wanted: dict[str, Json] = {
            "type": "video",
            "duration": f"{task.duration_seconds or 8:g}s",
            "aspect_ratio": task.aspect_ratio or "16:9",
            "resolution": task.resolution or "720p",
            "delivery": "uri",
        }
        plain = "text_to_video" if task.image is None else "image_to_video"
        aim: Json = {"video_config": {"task": EDITS.get(task.edit or "", plain)}}
        body: dict[str, Json] = {"model": submission.vendor_model, "input": parts}
        body |= {"background": True, "response_format": wanted, "generation_config": aim}
        body |= {"previous_interaction_id": task.video.url if task.video else ""}
        return Call(method="POST", path="/v1beta/interactions", json=merged(body, task.options))

    @override
    def poll(self, job: str) -> Call:
        return Call(method="GET", path=f"/v1beta/interactions/{job}")

    @override
    def update(self, job: str, reply: Reply) -> Update | Call:
        word = text(reply.body, "status").lower()
        if word in ENDS:
            message = text_of(reply.body) or word
            fault = Fault.MODERATED if sounds_moderated(message) else ENDS[word]
            return Failed(fault=fault, message=message)
        if phase_of(word) is not Phase.SUCCEEDED:
            return Running(queued=phase_of(word) is Phase.QUEUED)
        content = [part for step in items(reply.body, "steps") for part in items(step, "content")]
        videos = [part for part in content if text(part, "type") == "video"]
        if videos:  # small ones may come inline although an address was asked for
            url, data = text(videos[-1], "uri"), decoded(videos[-1], "data")
            return Succeeded(outputs=(Output(url=url, data=data, authenticated=bool(url)),))
        errors = (text_of(at(step, "error")) for step in items(reply.body, "steps"))
        if broken := " ".join(filter(None, errors)):
            return failed(broken)
        said = " ".join(text(part, "text") for part in content).strip()
        return Failed(fault=Fault.MODERATED, message=said or "no video came back")

    @override
    def refusal(self, reply: Reply) -> Failed | None:
        if reply.status == 400 and "API_KEY_INVALID" in str(reply.body):
            return refused(reply, Fault.UNAUTHENTICATED)
        if reply.status == 400 and sounds_moderated(text_of(reply.body)):
            return refused(reply, Fault.MODERATED)
        if text(reply.body, "error", "status") == "FAILED_PRECONDITION":
            return refused(reply, Fault.BILLING)
        return refused(reply, Fault.RETIRED) if reply.status == 404 else None

    @override
    def trouble(self, job: str, reply: Reply) -> Update | Call | None:
        if reply.status == 400 and "Invalid interaction" in text_of(reply.body):
            return refused(reply, Fault.LOST)
        return super().trouble(job, reply)

    @override
    def cancel(self, job: str) -> Call:
        return Call(method="POST", path=f"/v1beta/interactions/{job}/cancel")
