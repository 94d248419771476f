"""Gemini's Interactions API (Omni), and Veo's long-running operations in the Gemini shape."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, ClassVar

from starlette.responses import JSONResponse, Response
from typing_extensions import override

from services.suite.simulator.asking import Ask, Refused, Why
from services.suite.simulator.faults import Fault
from services.suite.simulator.jobs import ODD_WORD, Failure, Job, Order, Phase, View
from services.suite.simulator.media import MEDIA_TYPES, Clip, rendered
from services.suite.simulator.settings import KEY_PREFIX
from services.suite.simulator.shape import (
    BASE64,
    URL,
    anything,
    first_of,
    flag,
    listing,
    matching,
    one_of,
    record,
    text,
)
from services.suite.simulator.vendor import Vendor

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from services.suite.simulator.shape import Issue
    from services.suite.simulator.vendor import Handler

STATUS = {
    Why.KEY: "INVALID_ARGUMENT",
    Why.INVALID: "INVALID_ARGUMENT",
    Why.MISSING: "NOT_FOUND",
    Why.RATE: "RESOURCE_EXHAUSTED",
    Why.QUOTA: "RESOURCE_EXHAUSTED",
    Why.CREDIT: "FAILED_PRECONDITION",
    Why.MODERATED: "INVALID_ARGUMENT",
    Why.DOWN: "UNAVAILABLE",
}
PART = first_of(
    record({"type": one_of("text"), "text": text(shortest=1)}, "type", "text"),
    record(
        {"type": one_of("image"), "data": BASE64, "mime_type": text()}, "type", "data", "mime_type"
    ),
    record({"type": one_of("image"), "uri": text(), "mime_type": text()}, "type", "uri"),
)
TASKS = one_of("text_to_video", "image_to_video", "reference_to_video", "edit", "extend")
FORMAT = record(
    {
        "type": one_of("video"),
        "aspect_ratio": one_of("16:9", "9:16"),
        "resolution": one_of("360p", "720p", "1080p", "4k"),
        "duration": matching(r"([3-9]|10)s", 'a Duration from "3s" to "10s"'),
        "delivery": one_of("inline", "uri"),
        "gcs_uri": text(),
    },
    "type",
)
BODY = record(
    {
        "model": text(),
        "input": first_of(text(shortest=1), listing(PART, 1)),
        "background": flag,
        "store": flag,
        "response_format": FORMAT,
        "generation_config": record(
            {
                "thinking_level": text(),
                "video_config": record({"task": TASKS}),
            }
        ),
        "previous_interaction_id": text(),
        "webhook_config": record({"uris": listing(URL), "user_metadata": anything}),
    },
    "model",
    "input",
)
MODELS = {"gemini-omni-1.1-flash"}
MICROS_PER_SECOND = {"360p": 50_000, "720p": 100_000, "1080p": 150_000, "4k": 300_000}
WORDS = {
    Phase.QUEUED: "queued",
    Phase.RUNNING: "in_progress",
    Phase.SUCCEEDED: "completed",
    Phase.CANCELLED: "cancelled",
}


def google_error(status: int, why: Why, message: str, issues: Sequence[Issue]) -> Any:
    """Return Google's error body."""
    details: list[Any] = []
    if why is Why.KEY:
        message = "API key not valid. Please pass a valid API key."
        kind = "type.googleapis.com/google.rpc.ErrorInfo"
        details = [{"@type": kind, "reason": "API_KEY_INVALID", "domain": "googleapis.com"}]
    if issues:
        message = _unknown(issues) or f"Invalid value at '{issues[0].where}': {issues[0].message}"
        broken = [{"field": issue.where, "description": issue.message} for issue in issues]
        kind = "type.googleapis.com/google.rpc.BadRequest"
        details = [{"@type": kind, "fieldViolations": broken}]
    if why is Why.MODERATED:
        message = "The prompt could not be submitted: it violates our safety policy."
    if why is Why.RATE:
        details = [{"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "1s"}]
    body = {"code": status, "message": message, "status": STATUS[why], "details": details}
    return {"error": body}


def _unknown(issues: Sequence[Issue]) -> str:
    first = issues[0]
    if first.code != "unknown":
        return ""
    return f'Invalid JSON payload received. Unknown name "{first.path[-1]}": Cannot find field.'


class Google(Vendor):
    """Gemini's API."""

    name: ClassVar[str] = "google"
    # Its 429 does not say whether a rate or a quota was passed.
    faults: ClassVar[frozenset[Fault]] = Vendor.faults - {Fault.QUOTA}
    link_seconds: ClassVar[float] = 2 * 86_400.0
    statuses: ClassVar[dict[Why, int]] = Vendor.statuses | {Why.KEY: 400, Why.CREDIT: 400}

    @override
    def doors(self) -> Iterable[tuple[str, str, Handler]]:
        yield "POST", "/v1beta/interactions", self._submit
        yield "GET", "/v1beta/interactions/{id}", self._get
        yield "POST", "/v1beta/interactions/{id}/cancel", self._cancel
        yield "DELETE", "/v1beta/interactions/{id}", self._delete
        yield "GET", "/v1beta/files/{file}", self._file
        yield "POST", "/v1beta/models/{call}", self._retired

    @override
    def opens(self, ask: Ask) -> bool:
        return ask.header("x-goog-api-key").startswith(KEY_PREFIX)

    @override
    def error(self, why: Why, message: str, issues: Sequence[Issue]) -> Any:
        return google_error(self.statuses[why], why, message, issues)

    @override
    def job_name(self) -> str:
        return f"v1_{self.world.new_uuid().hex}"

    async def _submit(self, ask: Ask) -> Response:
        self.check(ask.body, BODY)
        body, model = ask.body, ask.body["model"]
        if model not in MODELS:
            return self.refuse(Why.MISSING, f"{model} is not found for API version v1beta")
        self._follows(body)
        wanted = body.get("response_format", {})
        seconds = int(wanted.get("duration", "8s")[:-1])
        parts = body["input"]
        prompt = parts if isinstance(parts, str) else " ".join(p.get("text", "") for p in parts)
        order = Order(
            model=model,
            prompt=prompt,
            clip=Clip(seconds=seconds, ratio=wanted.get("aspect_ratio", "16:9")),
            price_micros=MICROS_PER_SECOND[wanted.get("resolution", "720p")] * seconds,
            body=None,
        )
        return await self.take(
            ask, order, lambda job: JSONResponse(self._told(job, self.look(job)))
        )

    def _follows(self, body: Any) -> None:
        """Refuse work on an earlier result that is not named, or is none."""
        aim = body.get("generation_config", {}).get("video_config", {}).get("task", "")
        earlier = body.get("previous_interaction_id", "")
        if aim in {"edit", "extend"} and not earlier:
            message = f"previous_interaction_id is needed to {aim}"
            raise Refused(self.refuse(Why.INVALID, message))
        job = self.world.job(self.name, earlier) if earlier else None
        if earlier and (job is None or self.look(job).phase is not Phase.SUCCEEDED):
            raise Refused(self.refuse(Why.INVALID, "Invalid interaction name"))

    def _interaction(self, ask: Ask) -> tuple[Job, View]:
        try:
            return self.poll(ask.path("id"))
        except Refused as refused:
            if refused.response.status_code != 404:
                raise
            # An id that is unknown is an argument that is wrong.
            raise Refused(self.refuse(Why.INVALID, "Invalid interaction name")) from None

    async def _get(self, ask: Ask) -> Response:
        return JSONResponse(self._told(*self._interaction(ask)))

    async def _cancel(self, ask: Ask) -> Response:
        job, seen = self._interaction(ask)
        if not seen.over:
            self.stop(job)
        return JSONResponse(self._told(job, self.look(job)))

    async def _delete(self, ask: Ask) -> Response:
        self._interaction(ask)[0].deleted = True
        return JSONResponse({})

    def _told(self, job: Job, seen: View) -> dict[str, Any]:
        body: dict[str, Any] = {
            "id": job.id,
            "status": ODD_WORD if seen.odd else WORDS.get(seen.phase, "failed"),
            "model": job.order.model,
            "created": job.created.isoformat().replace("+00:00", "Z"),
        }
        refused = seen.failure is Failure.OUTPUT or job.has(Fault.EMPTY_SUCCESS)
        if seen.phase is Phase.SUCCEEDED or (seen.over and refused):
            body["status"] = "completed"  # a refusal is a success with words instead of a clip
            content = _refusal() if refused else self._video(job)
            body["steps"] = [{"type": "thought"}, {"type": "model_output", "content": [content]}]
        elif seen.phase is Phase.FAILED:
            body["errors"] = [{"code": "internal", "message": "The generation failed"}]
        return body

    def _video(self, job: Job) -> dict[str, Any]:
        uri = f"{self.world.url}/{self.name}/v1beta/files/{job.id}:download?alt=media"
        return {"type": "video", "mime_type": "video/mp4", "uri": uri}

    async def _file(self, ask: Ask) -> Response:
        job = self.find(re.sub(r":download$", "", ask.path("file")))
        if self.world.settings.media_seconds is None and not job.faults:
            data = await rendered(job.order.clip, job.id)
            return Response(data, media_type=MEDIA_TYPES[job.order.clip.kind])
        # It may lead to another host, where the key has no business.
        return Response(status_code=302, headers={"location": self.link(job)})

    async def _retired(self, ask: Ask) -> Response:
        model = ask.path("call").partition(":")[0]
        return self.refuse(Why.MISSING, f"models/{model} is no longer available")


def _refusal() -> dict[str, Any]:
    return {
        "type": "text",
        "text": "I cannot create this video: it goes against our safety policy.",
    }
