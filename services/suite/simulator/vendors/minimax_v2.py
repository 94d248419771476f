"""MiniMax's second API: real HTTP codes, 422 is moderation."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from starlette.responses import JSONResponse, Response
from typing_extensions import override

from services.suite.simulator import faults as kinds
from services.suite.simulator.asking import Ask, Why
from services.suite.simulator.faults import Fault
from services.suite.simulator.jobs import ODD_WORD, Failure, Job, Order, Phase, View
from services.suite.simulator.media import Clip
from services.suite.simulator.shape import (
    IMAGE,
    URL,
    Issue,
    anything,
    first_of,
    flag,
    listing,
    one_of,
    record,
    text,
    whole,
)
from services.suite.simulator.signatures import Signature
from services.suite.simulator.vendor import Vendor

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from services.suite.simulator.vendor import Handler

MICROS_PER_SECOND = {
    "MiniMax-H3": {"768P": 80_000, "2K": 130_000},
    "MiniMax-H3-Max": {"480P": 50_000, "768P": 80_000},
}
RATIOS = ("21:9", "16:9", "4:3", "1:1", "3:4", "9:16")
FRAME = one_of("first_frame", "last_frame", "reference_image")
ITEM = first_of(
    record({"type": one_of("text"), "text": text(7000, shortest=1)}, "type", "text"),
    record(
        {
            "type": one_of("image_url"),
            "image_url": record({"url": IMAGE}, "url"),
            "role": FRAME,
        },
        "type",
        "image_url",
        "role",
    ),
    record(
        {
            "type": one_of("video_url"),
            "video_url": record({"url": URL}, "url"),
            "role": one_of("reference_video"),
        },
        "type",
        "video_url",
        "role",
    ),
    record({"type": one_of("audio_url"), "audio_url": anything, "role": text()}, "type", "role"),
)
BODY = record(
    {
        "model": one_of(*MICROS_PER_SECOND),
        "content": listing(ITEM, 1, 13),
        "resolution": text(),
        "duration": whole(4, 15),
        "ratio": one_of(*RATIOS, "adaptive"),
        "callback_url": URL,
        "aigc_watermark": flag,
    },
    "model",
    "content",
    "resolution",
    "duration",
)
TYPES = {
    Why.KEY: ("authorized_error", "login fail (1004)"),
    Why.INVALID: ("bad_request_error", "invalid params (2013)"),
    Why.MISSING: ("bad_request_error", "invalid task_id (2013)"),
    Why.RATE: ("rate_limit_error", "rate limit, please retry later (1002)"),
    Why.CREDIT: ("insufficient_balance_error", "insufficient balance (1008)"),
    Why.MODERATED: (
        "unprocessable_entity_error",
        "video description contains sensitive content (1026)",
    ),
    Why.DOWN: ("server_error", "internal error (1000)"),
}
WORDS = {
    Phase.QUEUED: "queued",
    Phase.RUNNING: "running",
    Phase.SUCCEEDED: "succeeded",
    Phase.CANCELLED: "cancelled",
}
FAILURES = {
    Failure.OUTPUT: {"code": "1027", "message": "video output contains sensitive content"},
    Failure.INTERNAL: {"code": "1000", "message": "internal error"},
}


class MiniMaxV2(Vendor):
    """MiniMax v2."""

    name: ClassVar[str] = "minimax_v2"
    prefix: ClassVar[str] = "minimax"
    faults: ClassVar[frozenset[Fault]] = (
        Vendor.faults | (kinds.WEBHOOK - {Fault.WEBHOOK_FORGED, Fault.WEBHOOK_STALE})
    ) - {Fault.QUOTA}
    statuses: ClassVar[dict[Why, int]] = Vendor.statuses | {
        Why.MODERATED: 422,
        Why.MISSING: 400,
        Why.DOWN: 500,
    }
    signature: ClassVar[Signature] = Signature.CHALLENGE

    @override
    def doors(self) -> Iterable[tuple[str, str, Handler]]:
        yield "POST", "/v2/video_generation", self._submit
        yield "GET", "/v2/query/video_generation", self._list
        yield "GET", "/v2/query/video_generation/{id}", self._query
        yield "DELETE", "/v2/video_generation/{id}", self._delete

    @override
    def error(self, why: Why, message: str, issues: Sequence[Issue]) -> Any:
        kind, told = TYPES[why]
        if issues:
            told = f"invalid params, {message} (2013)"
        code = str(self.statuses[why])
        error = {"type": kind, "message": told, "http_code": code}
        return {"type": "error", "error": error, "request_id": self.world.new_uuid().hex}

    @override
    def job_name(self) -> str:
        return str(self.world.new_uuid().int % 10**15)

    async def _submit(self, ask: Ask) -> Response:
        self.check(ask.body, BODY, _rules(ask.body))
        body = ask.body
        seconds, model = body["duration"], body["model"]
        order = Order(
            model=model,
            prompt=next(item["text"] for item in body["content"] if item["type"] == "text"),
            clip=Clip(seconds=seconds, ratio=body.get("ratio", "16:9")),
            price_micros=MICROS_PER_SECOND[model][body["resolution"]] * seconds,
            body={"resolution": body["resolution"], "ratio": body.get("ratio", "adaptive")},
            webhook=body.get("callback_url", ""),
        )
        return await self.take(ask, order, lambda job: JSONResponse({"task_id": job.id}))

    def _told(self, job: Job, seen: View) -> dict[str, Any]:
        seconds = int(job.order.clip.seconds)
        done = seen.phase is Phase.SUCCEEDED and not job.has(Fault.EMPTY_SUCCESS)
        return {
            "id": job.id,
            "model": job.order.model,
            "status": ODD_WORD if seen.odd else WORDS.get(seen.phase, "failed"),
            "created_at": int(job.created.timestamp()),
            "updated_at": int(self.world.now().timestamp()),
            "content": {"url": self.link(job)} if done else None,
            "duration": seconds,
            **job.order.body,
            "task_type": "generation",
            "usage": {"total_seconds": seconds, "output_seconds": seconds},
            "error": FAILURES.get(seen.failure) if seen.failure else None,
        }

    async def _query(self, ask: Ask) -> Response:
        return JSONResponse({"task": self._told(*self.poll(ask.path("id")))})

    async def _list(self, ask: Ask) -> Response:
        size, page = int(ask.query("page_size") or 10), int(ask.query("page_num") or 1)
        jobs = self.world.jobs(self.name)
        shown = jobs[(page - 1) * size : page * size]
        tasks = [self._told(job, self.look(job)) for job in shown]
        return JSONResponse({"tasks": tasks, "total": len(jobs)})

    async def _delete(self, ask: Ask) -> Response:
        job = self.find(ask.path("id"))
        seen = self.look(job)
        if seen.phase is Phase.RUNNING:
            return self.refuse(Why.INVALID)
        if seen.over:
            job.deleted = True
        else:
            self.stop(job)
        return JSONResponse({"task_id": job.id})

    @override
    def webhook(self, job: Job, seen: View) -> Any:
        return {"task": self._told(job, seen)} if seen.over else None


def _rules(body: Any) -> Iterator[Issue]:
    content = body["content"]
    roles = {item.get("role") for item in content if item["type"] != "text"}
    if sum(item["type"] == "text" for item in content) != 1:
        yield Issue(("content",), "rule", "exactly one text is needed")
    if body["resolution"] not in MICROS_PER_SECOND[body["model"]]:
        yield Issue(("resolution",), "choice", "is not offered by the model")
    if "last_frame" in roles and "first_frame" not in roles:
        yield Issue(("content",), "rule", "last_frame needs first_frame")
    if {"first_frame", "last_frame"} & roles and roles - {"first_frame", "last_frame"}:
        yield Issue(("content",), "rule", "frames and references do not mix")
    if not roles and body.get("ratio", "adaptive") == "adaptive":
        yield Issue(("ratio",), "missing", "is needed for text to video, and not adaptive")
