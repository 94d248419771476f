"""The `/v1/videos` contract that Sora left behind: vLLM-Omni, SGLang, FastVideo, LiteLLM, Azure.

Contract: openai-openapi 2.3.0, engines' sources (2026-08). 404 is lost; vLLM-Omni fails by status.
"""

import json
from datetime import datetime
from typing import ClassVar

from typing_extensions import override

from services.generator.domain.tasks import VideoTask
from services.generator.providers.adapter import (
    Adapter,
    Call,
    Failed,
    Fault,
    Json,
    Output,
    Part,
    Phase,
    Reply,
    Running,
    Submission,
    Succeeded,
    Update,
    failed,
    merged,
    number,
    phase_of,
    refused,
    sounds_moderated,
    text,
    text_of,
)


class OpenAIVideos(Adapter):
    """Speaks `/v1/videos`. `base_url` ends before `/v1`; `model` is what the server serves."""

    cancels: ClassVar[bool] = True
    cancel_destroys: ClassVar[bool] = True
    poll_seconds: ClassVar[float] = 2.0

    base_url: str
    model: str = ""
    key_header: str = ""  # where it is not a bearer token
    multiple: int = 16  # of both sides
    json_reference: bool = False  # what is told by address travels as JSON

    @override
    def auth(self, now: datetime) -> dict[str, str]:
        key = self.api_key.get_secret_value()
        return {self.key_header: key} if self.key_header else super().auth(now)

    @override
    def submit(self, submission: Submission) -> Call:
        task = submission.video
        fields: dict[str, Json] = {
            "model": submission.vendor_model.replace("{model}", self.model),
            "prompt": task.prompt,
            "seconds": f"{task.duration_seconds or 4:g}",
            "size": self._size(task),
            "seed": task.seed,
            "fps": None if task.fps is None else f"{task.fps:g}",
            "negative_prompt": task.negative_prompt,
        }
        form = {name: Part(str(it)) for name, it in merged(fields, task.options).items()}
        if task.image is not None and task.image.data:
            form["input_reference"] = Part.of(task.image)
        for kind, media in (("image", task.image), ("video", task.video)):
            if media is not None and media.url and self.json_reference:
                form[f"{kind}_reference"] = Part(json.dumps({f"{kind}_url": media.url}))
            elif media is not None and media.url:
                form["reference_url" if kind == "image" else "video_url"] = Part(media.url)
        return Call(method="POST", path="/v1/videos", form=form)

    @override
    def poll(self, job: str) -> Call:
        return Call(method="GET", path=f"/v1/videos/{job}")

    @override
    def update(self, job: str, reply: Reply) -> Update | Call:
        phase = phase_of(text(reply.body, "status"))
        if phase is Phase.SUCCEEDED:
            cloud = text(reply.body, "url")  # where SGLang keeps clips in a cloud: /content is 400
            url = cloud or f"{self.base_url.rstrip('/')}/v1/videos/{job}/content"
            return Succeeded(outputs=(Output(url=url, authenticated=not cloud),))
        if phase is Phase.FAILED:
            code = text(reply.body, "error", "code")
            return failed(text(reply.body, "error", "message"), code=code)
        if phase is Phase.CANCELLED:
            return Failed(fault=Fault.CANCELLED, message="cancelled")
        progress = (number(reply.body, "progress") or 0) / 100
        return Running(queued=phase is Phase.QUEUED, progress=progress or None)

    @override
    def trouble(self, job: str, reply: Reply) -> Update | Call | None:
        if text(reply.body, "status") and text(reply.body, "id"):
            return self.update(job, reply)
        return super().trouble(job, reply)

    @override
    def refusal(self, reply: Reply) -> Failed | None:
        code = text(reply.body, "error", "code")
        if code == "insufficient_quota":
            return refused(reply, Fault.BILLING, code=code)
        if reply.status == 400 and sounds_moderated(f"{code} {text_of(reply.body)}"):
            return refused(reply, Fault.MODERATED, code=code)
        return refused(reply, Fault.RETIRED) if reply.status in {404, 410} else None

    @override
    def cancel(self, job: str) -> Call:
        return Call(method="DELETE", path=f"/v1/videos/{job}")

    def _size(self, task: VideoTask) -> str:
        lines = {"480p": 480, "1080p": 1080}.get(task.resolution, 720)
        share = 1.0 if task.aspect_ratio == "1:1" else 16 / 9
        short, long = (int(side / self.multiple) * self.multiple for side in (lines, lines * share))
        return f"{short}x{long}" if task.aspect_ratio == "9:16" else f"{long}x{short}"
