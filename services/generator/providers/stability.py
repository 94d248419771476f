"""Stable Video's image-to-video contract, for private deployments: the hosted one ended 2025-07-24.

Contract: Stability AI v2beta (2024-25). A 1024x576, 576x1024 or 768x768 picture in, 25 frames out;
no prompt. Results are kept for 24 hours.
"""

from typing import ClassVar

from typing_extensions import override

from services.generator.providers.adapter import (
    Adapter,
    Call,
    Failed,
    Fault,
    Output,
    Part,
    Reply,
    Running,
    Submission,
    Succeeded,
    Update,
    refused,
    text,
)

RUNNING = 202


class Stability(Adapter):
    """A private deployment that speaks Stability's contract; it has no public address any more."""

    poll_seconds: ClassVar[float] = 10.0

    base_url: str

    @override
    def submit(self, submission: Submission) -> Call:
        task = submission.video
        picture = Part.of(task.image)
        form = {"image": picture, "seed": Part(str(task.seed or 0))}
        form |= {name: Part(str(value)) for name, value in task.options.items()}
        return Call(method="POST", path="/v2beta/image-to-video", form=form)

    @override
    def poll(self, job: str) -> Call:
        path = f"/v2beta/image-to-video/result/{job}"
        return Call(method="GET", path=path, headers={"accept": "video/*"})

    @override
    def update(self, job: str, reply: Reply) -> Update | Call:
        if reply.status == RUNNING:
            return Running()
        if reply.headers.get("finish-reason") == "CONTENT_FILTERED":
            return Failed(fault=Fault.MODERATED, message="the result was filtered")
        if reply.media_type.startswith("video/") and reply.content:
            return Succeeded(outputs=(Output(data=reply.content, media_type=reply.media_type),))
        return Failed(fault=Fault.VENDOR, message="the answer holds no video")

    @override
    def refusal(self, reply: Reply) -> Failed | None:
        if text(reply.body, "name") == "content_moderation":
            return refused(reply, Fault.MODERATED)
        return None
