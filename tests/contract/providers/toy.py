"""A vendor that does not exist: as much as a new one takes, in well under 100 lines."""

from datetime import date
from typing import ClassVar

from typing_extensions import override

from services.generator.domain.durations import Durations
from services.generator.domain.models import Inputs, Lifecycle, Model, Need
from services.generator.domain.tasks import Operation
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
    failed,
    merged,
    number,
    phase_of,
    refused,
    text,
)

MODEL = Model(
    id="toy_one",
    display_name="Toy One",
    provider="toy",
    operation=Operation.VIDEO,
    lifecycle=Lifecycle.PREVIEW,
    inputs=Inputs(text=Need.REQUIRED),
    durations=Durations(values=(4, 8)),
    defaults={"duration": "4"},
    vendor_models={"text": "one"},
    facts_as_of=date(2026, 11, 21),
)


class Toy(Adapter):
    """Toy videos."""

    cancels: ClassVar[bool] = True

    base_url: str = "https://toy.example"

    @override
    def submit(self, submission: Submission) -> Call:
        task = submission.video
        body: dict[str, Json] = {"model": submission.vendor_model, "prompt": task.prompt}
        body["length"] = int(task.duration_seconds or 4)
        return Call(method="POST", path="/jobs", json=merged(body, task.options))

    @override
    def poll(self, job: str) -> Call:
        return Call(method="GET", path=f"/jobs/{job}")

    @override
    def update(self, job: str, reply: Reply) -> Update | Call:
        phase = phase_of(text(reply.body, "state"))
        if phase is Phase.SUCCEEDED:
            return Succeeded(outputs=(Output(url=text(reply.body, "url")),))
        if phase is Phase.FAILED:
            return failed(text(reply.body, "why"))
        return Running(queued=phase is Phase.QUEUED, progress=number(reply.body, "done"))

    @override
    def refusal(self, reply: Reply) -> Failed | None:
        return refused(reply, Fault.BILLING) if text(reply.body, "why") == "broke" else None

    @override
    def cancel(self, job: str) -> Call:
        return Call(method="DELETE", path=f"/jobs/{job}")
