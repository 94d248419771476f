"""Runway's developer API, version 2024-11-06."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from starlette.responses import JSONResponse, Response
from typing_extensions import override

from services.suite.simulator.asking import Ask, Why
from services.suite.simulator.faults import Fault
from services.suite.simulator.jobs import ODD_WORD, Failure, Job, Order, Phase, View
from services.suite.simulator.media import Clip
from services.suite.simulator.shape import (
    IMAGE,
    Issue,
    first_of,
    listing,
    matching,
    one_of,
    record,
    text,
    whole,
)
from services.suite.simulator.uploads import place
from services.suite.simulator.vendor import Vendor

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from services.suite.simulator.shape import Check
    from services.suite.simulator.vendor import Handler

VERSION = "2024-11-06"
DOCS = "https://docs.dev.runwayml.com/api"
WIDE = ("1280:720", "720:1280")
RATIOS = (*WIDE, "1104:832", "832:1104", "960:960", "1584:672")
MICROS_PER_SECOND = {"gen4.5": 120_000, "gen4_turbo": 50_000}
SEED = whole(0, 2**32 - 1)
PICTURE = first_of(IMAGE, matching(r"runway://[0-9a-f]{32}", "a URL, data URI or upload"))
FIRST_FRAME = listing(
    record({"uri": PICTURE, "position": one_of("first")}, "uri", "position"), 1, 1
)
UPLOAD = record({"filename": text(shortest=1), "type": one_of("ephemeral")}, "filename", "type")
CODES = {
    "missing": "invalid_type",
    "unknown": "unrecognized_keys",
    "type": "invalid_type",
    "choice": "invalid_value",
    "format": "invalid_value",
    "rule": "custom",
}
WORDS = {
    Phase.QUEUED: "PENDING",
    Phase.RUNNING: "RUNNING",
    Phase.SUCCEEDED: "SUCCEEDED",
    Phase.FAILED: "FAILED",
    Phase.CANCELLED: "CANCELLED",
}
FAILURES = {
    Failure.INPUT: ("The input was flagged by our content moderation system.", "SAFETY.INPUT.TEXT"),
    Failure.OUTPUT: ("The output was flagged by our content moderation system.", "SAFETY.OUTPUT"),
    Failure.INTERNAL: ("An unexpected error occurred.", None),
}


def _shape(model: str, *, pictured: bool) -> Check:
    fields: dict[str, Check] = {
        "model": one_of("gen4.5", "gen4_turbo") if pictured else one_of("gen4.5"),
        "promptText": text(1000, shortest=1, utf16=True),
        "ratio": one_of(*(RATIOS if pictured else WIDE)),
        "duration": whole(2, 10),
        "seed": SEED,
        "contentModeration": record({"publicFigureThreshold": one_of("auto", "low")}),
    }
    required = ["model", "ratio"]
    if model != "gen4_turbo":
        required += ["promptText", "duration"]
    if pictured:
        fields["promptImage"] = first_of(PICTURE, FIRST_FRAME)
        required.append("promptImage")
    return record(fields, *required)


class Runway(Vendor):
    """Runway."""

    name: ClassVar[str] = "runway"
    # A 429 is the daily quota here; over the concurrency tasks are THROTTLED, which is no error.
    faults: ClassVar[frozenset[Fault]] = Vendor.faults - {
        Fault.RATE_LIMITED,
        Fault.POLL_RATE_LIMITED,
    }
    keeps_charge: ClassVar[frozenset[Failure]] = frozenset({Failure.INPUT})
    moderates_at_submit: ClassVar[bool] = False
    statuses: ClassVar[dict[Why, int]] = Vendor.statuses | {Why.CREDIT: 400}

    @override
    def doors(self) -> Iterable[tuple[str, str, Handler]]:
        yield "POST", "/v1/uploads", self._upload
        yield "POST", "/v1/text_to_video", self._text
        yield "POST", "/v1/image_to_video", self._image
        yield "GET", "/v1/tasks/{id}", self._task
        yield "DELETE", "/v1/tasks/{id}", self._delete

    @override
    def _locked(self, ask: Ask) -> Response | None:
        if ask.header("x-runway-version") != VERSION and self.opens(ask):
            return self.refuse(Why.INVALID, f"X-Runway-Version must be {VERSION}")
        return super()._locked(ask)

    @override
    def error(self, why: Why, message: str, issues: Sequence[Issue]) -> Any:
        if why is Why.CREDIT:
            message = "You do not have enough credits to run this task."
        if why is Why.QUOTA:
            message = "You have reached your daily task limit."
        body: dict[str, Any] = {"error": message, "docUrl": DOCS}
        if issues:
            body["issues"] = [_issue(issue) for issue in issues]
        return body

    async def _text(self, ask: Ask) -> Response:
        return await self._submit(ask, pictured=False)

    async def _image(self, ask: Ask) -> Response:
        return await self._submit(ask, pictured=True)

    async def _upload(self, ask: Ask) -> Response:
        self.check(ask.body, UPLOAD)
        name, address, policy = place(self.world)
        fields = {"key": f"ephemeral/{name}", "policy": policy}
        told = {"uploadUrl": address, "fields": fields, "runwayUri": f"runway://{name}"}
        return JSONResponse(told)

    def _lacking(self, body: Any) -> Iterator[Issue]:
        """Say so where an upload is named that never came."""
        given = body.get("promptImage") if isinstance(body, dict) else None
        uri = given[0]["uri"] if isinstance(given, list) else str(given or "")
        kind, _, name = uri.partition("://")
        if kind == "runway" and name not in self.world.pictures:
            yield Issue(("promptImage",), "rule", "The upload was not found")

    async def _submit(self, ask: Ask, *, pictured: bool) -> Response:
        model = ask.body.get("model", "") if isinstance(ask.body, dict) else ""
        self.check(ask.body, _shape(model, pictured=pictured), self._lacking(ask.body))
        seconds = ask.body.get("duration", 10)
        order = Order(
            model=model,
            prompt=ask.body.get("promptText", ""),
            clip=Clip(seconds=seconds, ratio=ask.body["ratio"]),
            price_micros=MICROS_PER_SECOND[model] * seconds,
            body=ask.body,
        )
        return await self.take(ask, order, lambda job: JSONResponse({"id": job.id}))

    async def _task(self, ask: Ask) -> Response:
        job, seen = self.poll(ask.path("id"))
        body: dict[str, Any] = {
            "id": job.id,
            "status": ODD_WORD.upper() if seen.odd else self._word(job, seen),
            "createdAt": job.created.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        }
        if seen.phase is Phase.RUNNING:
            body["progress"] = seen.progress
        if seen.over:
            refunded = self.refunds(job, self.world.now())
            body["cost"] = {"credits": 0 if refunded else job.order.price_micros // 10_000}
        if seen.phase is Phase.SUCCEEDED:
            body["output"] = [] if job.has(Fault.EMPTY_SUCCESS) else [self.link(job)]
        if seen.failure in FAILURES:
            body["failure"], code = FAILURES[seen.failure]
            body |= {"failureCode": code} if code else {}
        return JSONResponse(body)

    def _word(self, job: Job, seen: View) -> str:
        age = (self.world.now() - job.created).total_seconds() / job.seconds
        throttled = seen.phase is Phase.QUEUED and age > 0.1
        return "THROTTLED" if throttled else WORDS[seen.phase]

    async def _delete(self, ask: Ask) -> Response:
        job = self.find(ask.path("id"))
        if self.look(job).over:
            job.deleted = True
        else:
            self.stop(job)
        return Response(status_code=204)


def _issue(issue: Issue) -> dict[str, Any]:
    body = {"code": CODES.get(issue.code, issue.code), "message": issue.message}
    if issue.code == "unknown":
        return {**body, "keys": [issue.path[-1]], "path": list(issue.path[:-1])}
    return {**body, "path": list(issue.path)}
