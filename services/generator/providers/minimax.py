"""MiniMax's first API (Hailuo 2.3 and 02, the 01 series).

Contract: https://platform.minimax.io (read 2026-08). Every answer is HTTP 200; `base_resp` decides.
A finished job yields a file id, and the file one more call away. Callbacks are unsigned.
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
    merged,
    phase_of,
    text,
)

FILE = "file"
CODES = {
    "1001": Fault.UNAVAILABLE,
    "1002": Fault.RATE,
    "1004": Fault.UNAUTHENTICATED,
    "1008": Fault.BILLING,
    "1026": Fault.MODERATED,
    "1027": Fault.MODERATED,
    "1039": Fault.RATE,
    "1042": Fault.INVALID,
    "2013": Fault.INVALID,
    "2049": Fault.UNAUTHENTICATED,
    "2056": Fault.BILLING,
}
_UNCLEAR = {"1000", "1001", "1013", "1024", "1033"}  # what is HTTP 5xx elsewhere
_TRANSIENT = _UNCLEAR | {"1002", "1039"}


class MiniMax(Adapter):
    """MiniMax v1."""

    poll_seconds: ClassVar[float] = 10.0
    signature: ClassVar[Signature] = Signature.TOKEN
    webhook_key: ClassVar[tuple[str | int, ...]] = ("task_id",)

    base_url: str = "https://api.minimax.io"

    @override
    def submit(self, submission: Submission) -> Call:
        task = submission.video
        body: dict[str, Json] = {
            "model": submission.vendor_model,
            "prompt": task.prompt,
            "first_frame_image": task.image.uri if task.image else "",
            "last_frame_image": task.last_image.uri if task.last_image else "",
            "duration": int(task.duration_seconds or 6),
            "resolution": task.resolution.upper(),
            "callback_url": submission.webhook_url,
        }
        if "prompt_optimizer" not in task.options:
            body["prompt_optimizer"] = False
        return Call(method="POST", path="/v1/video_generation", json=merged(body, task.options))

    @override
    def accepted(self, reply: Reply) -> Outcome:
        job, code = text(reply.body, "task_id"), _code(reply)
        if code in _UNCLEAR or (job and code in {"0", ""}):
            return Accepted(job=job, shown_id=job)  # without an id nobody knows what became of it
        return _failure(reply)

    @override
    def poll(self, job: str) -> Call:
        return Call(method="GET", path="/v1/query/video_generation", query={"task_id": job})

    @override
    def update(self, job: str, reply: Reply) -> Update | Call:
        if reply.step == FILE and _code(reply) in {"0", ""}:
            return Succeeded(outputs=(Output(url=text(reply.body, "file", "download_url")),))
        phase = phase_of(text(reply.body, "status"))
        if phase is Phase.FAILED:
            return _failure(reply)
        if phase is Phase.SUCCEEDED:
            query = {"file_id": text(reply.body, "file_id")}
            if not query["file_id"]:
                return Failed(fault=Fault.VENDOR, message="it is called done and names no file")
            return Call(method="GET", path="/v1/files/retrieve", query=query, step=FILE)
        if _code(reply) not in {"0", "", *_TRANSIENT}:
            return _failure(reply)
        return Running(queued=phase is Phase.QUEUED)


def _code(reply: Reply) -> str:
    return text(reply.body, "base_resp", "status_code")


def _failure(reply: Reply) -> Failed:
    message = text(reply.body, "base_resp", "status_msg") or "generation failed"
    fault = CODES.get(_code(reply), Fault.VENDOR)
    return Failed(fault=fault, message=message, code=_code(reply))
