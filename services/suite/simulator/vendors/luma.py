"""Luma's Agents API. Without `type` and `model` it makes a picture."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from starlette.responses import JSONResponse, Response
from typing_extensions import override

from services.suite.simulator.asking import Ask, Why
from services.suite.simulator.faults import Fault
from services.suite.simulator.jobs import ODD_WORD, Failure, Job, Order, Phase, View
from services.suite.simulator.media import Clip, Kind
from services.suite.simulator.shape import (
    BASE64,
    URL,
    Issue,
    first_of,
    flag,
    listing,
    one_of,
    record,
    text,
    whole,
)
from services.suite.simulator.vendor import Vendor
from services.suite.simulator.vendors.fal import details

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from services.suite.simulator.shape import Check
    from services.suite.simulator.vendor import Handler

PRICES = {"360p": 60_000, "540p": 150_000, "720p": 300_000, "1080p": 1_200_000}
REFERENCE = first_of(
    record({"url": URL}, "url"),
    record({"data": BASE64, "media_type": text()}, "data", "media_type"),
    record({"file_id": text()}, "file_id"),
    record({"generation_id": text()}, "generation_id"),
)
VIDEO = record(
    {
        "resolution": one_of(*PRICES),
        "duration": one_of("5s", "10s"),
        "start_frame": REFERENCE,
        "end_frame": REFERENCE,
        "keyframes": listing(REFERENCE, 1, 64),
        "keyframe_indexes": listing(whole(0, 240), 1, 64),
        "loop": flag,
        "hdr": flag,
        "exr_export": flag,
    }
)
COMMON: dict[str, Check] = {
    "prompt": text(6000, shortest=1),
    "user_id": text(),
    "type": one_of("video", "image"),
}
VIDEO_BODY = record(
    COMMON
    | {
        "model": one_of("ray-3.2"),
        "aspect_ratio": one_of("9:16", "3:4", "1:1", "4:3", "16:9", "21:9"),
        "video": VIDEO,
    },
    "prompt",
    "model",
)
IMAGE_BODY = record(
    COMMON | {"model": one_of("uni-1"), "aspect_ratio": text(), "style": one_of("auto", "manga")},
    "prompt",
)
WORDS = {Phase.QUEUED: "queued", Phase.RUNNING: "processing", Phase.SUCCEEDED: "completed"}
FAILURES = {
    Failure.INPUT: ("content_moderated", "The prompt was flagged by moderation"),
    Failure.OUTPUT: ("content_moderated", "The output was flagged by moderation"),
    Failure.INTERNAL: ("generation_failed", "The generation failed"),
}


class Luma(Vendor):
    """Luma Agents."""

    name: ClassVar[str] = "luma"
    faults: ClassVar[frozenset[Fault]] = Vendor.faults - {Fault.QUOTA}
    moderates_at_submit: ClassVar[bool] = False
    link_seconds: ClassVar[float] = 3600.0
    rotates_links: ClassVar[bool] = True
    statuses: ClassVar[dict[Why, int]] = Vendor.statuses | {Why.INVALID: 422}

    @override
    def doors(self) -> Iterable[tuple[str, str, Handler]]:
        yield "POST", "/v1/generations", self._submit
        yield "GET", "/v1/generations/{id}", self._get

    @override
    def error(self, why: Why, message: str, issues: Sequence[Issue]) -> Any:
        if why is Why.RATE:
            message = "Rate limit exceeded"
        return {"detail": details(issues) if issues else message}

    @override
    def job_name(self) -> str:
        return f"gen_{self.world.new_uuid().hex}"

    async def _submit(self, ask: Ask) -> Response:
        body = ask.body if isinstance(ask.body, dict) else {}
        moving = body.get("type") == "video"
        self.check(ask.body, VIDEO_BODY if moving else IMAGE_BODY, _rules(body.get("video", {})))
        wanted = body.get("video", {})
        duration, lines = wanted.get("duration", "5s"), wanted.get("resolution", "720p")
        price = PRICES[lines] * (3 if duration == "10s" else 1) * (2 if wanted.get("hdr") else 1)
        seconds = float(duration[:-1])
        order = Order(
            model=body.get("model", "uni-1"),
            prompt=body["prompt"],
            clip=Clip(
                Kind.VIDEO if moving else Kind.IMAGE, seconds, body.get("aspect_ratio", "16:9")
            ),
            price_micros=price if moving else 40_000,
            body=None,
            external_id=ask.header("x-request-id"),
        )
        return await self.take(ask, order, lambda job: self._told(ask, job, 201))

    async def _get(self, ask: Ask) -> Response:
        job, _ = self.poll(ask.path("id"))
        return self._told(ask, job, 200)

    def _told(self, ask: Ask, job: Job, status: int) -> Response:
        request = ask.header("x-request-id") or str(self.world.new_uuid())
        headers = {"x-request-id": request, "x-api-version": "2026-04-01"}
        body = self._generation(job, self.look(job))
        return JSONResponse(body, status_code=status, headers=headers)

    def _generation(self, job: Job, seen: View) -> dict[str, Any]:
        kind = "image" if job.order.clip.kind is Kind.IMAGE else "video"
        body: dict[str, Any] = {
            "id": job.id,
            "type": kind,
            "state": ODD_WORD if seen.odd else WORDS.get(seen.phase, "failed"),
            "model": job.order.model,
            "created_at": job.created.isoformat().replace("+00:00", "Z"),
            "output": None,
            "failure_reason": None,
            "failure_code": None,
        }
        if seen.phase is Phase.SUCCEEDED:
            found = [] if job.has(Fault.EMPTY_SUCCESS) else [{"type": kind, "url": self.link(job)}]
            body["output"] = found
        if seen.failure in FAILURES:
            body["failure_code"], body["failure_reason"] = FAILURES[seen.failure]
        return body


def _rules(video: Any) -> Iterator[Issue]:
    if not isinstance(video, dict) or video.get("duration") != "10s":
        return
    for name in ("start_frame", "end_frame", "loop", "hdr"):
        if name in video:
            yield Issue(("video", name), "rule", "is not available with 10s")
