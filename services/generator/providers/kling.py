"""Kling's API of 2026: one key, the model in the path.

Contract: https://app.klingai.com/global/dev (read 2026-09-20). `code` decides, also under HTTP 429;
`external_task_id` finds a job whose submit was not answered.
"""

from typing import ClassVar

from typing_extensions import override

from services.generator.domain.tasks import Media
from services.generator.providers.adapter import (
    Accepted,
    Call,
    Failed,
    Fault,
    Json,
    Outcome,
    Output,
    Phase,
    Reply,
    Running,
    SecretSigned,
    Submission,
    Succeeded,
    Update,
    at,
    cash_micros,
    failed,
    merged,
    phase_of,
    refused,
    text,
)

CODES = {
    "1100": Fault.BILLING,
    "1101": Fault.BILLING,
    "1102": Fault.BILLING,
    "1103": Fault.FORBIDDEN,
    "1202": Fault.RETIRED,
    "1203": Fault.RETIRED,
    "1300": Fault.MODERATED,
    "1301": Fault.MODERATED,
    "1302": Fault.RATE,
    "1303": Fault.CONCURRENCY,
    "1304": Fault.FORBIDDEN,
}


class Kling(SecretSigned):
    """Kling."""

    webhook_key: ClassVar[tuple[str | int, ...]] = ("id",)
    no_such_job: ClassVar[tuple[int, str]] = (200, "0")  # and an empty list

    base_url: str = "https://api-singapore.klingai.com"

    @override
    def submit(self, submission: Submission) -> Call:
        task = submission.video
        settings: dict[str, Json] = {
            "multi_shot": False,
            "duration": int(task.duration_seconds or 5),
        }
        settings |= {"resolution": task.resolution} if task.resolution else {}
        settings |= {"aspect_ratio": task.aspect_ratio} if task.aspect_ratio else {}
        settings |= {} if task.audio is None else {"audio": "native" if task.audio else "off"}
        options: dict[str, Json] = {"external_task_id": submission.generation}
        if submission.webhook_url:
            options["callback_url"] = submission.webhook_url
        body: dict[str, Json] = {"settings": settings, "options": options}
        if task.image is None:
            path, body["prompt"] = f"/text-to-video/{submission.vendor_model}", task.prompt
        else:
            path = f"/image-to-video/{submission.vendor_model}"
            contents: list[Json] = [{"type": "prompt", "text": task.prompt}]
            for kind, media in (("first_frame", task.image), ("last_frame", task.last_image)):
                contents += [] if media is None else [{"type": kind, "url": _address(media)}]
            body["contents"] = contents
        return Call(method="POST", path=path, json=merged(body, task.options))

    @override
    def accepted(self, reply: Reply) -> Outcome:
        job = text(reply.body, "data", "id")
        return Accepted(job=job, shown_id=job) if job else self.refusal(reply) or refused(reply)

    @override
    def poll(self, job: str) -> Call:
        return Call(method="GET", path="/tasks", query={"task_ids": job})

    @override
    def update(self, job: str, reply: Reply) -> Update | Call:
        task = at(reply.body, "data", 0)
        phase = phase_of(text(task, "status"))
        if phase is Phase.SUCCEEDED:
            output = Output(url=text(task, "outputs", 0, "url"))
            return Succeeded(outputs=(output,), cost_micros=cash_micros(at(task, "billing")))
        if phase is Phase.FAILED:
            return failed(text(task, "message"))
        return Running(queued=phase is Phase.QUEUED)

    @override
    def refusal(self, reply: Reply) -> Failed | None:
        code = text(reply.body, "code")
        return refused(reply, CODES[code], code=code) if code in CODES else None

    @override
    def look_up(self, submission: Submission) -> Call:
        query = {"external_task_ids": submission.generation}
        return Call(method="GET", path="/tasks", query=query)

    @override
    def found(self, submission: Submission, reply: Reply) -> Accepted | None:
        job = text(reply.body, "data", 0, "id")
        return Accepted(job=job, shown_id=job) if job else None


def _address(media: Media) -> str:
    return media.url or media.base64
