"""MiniMax's first API: every answer is HTTP 200, `base_resp` says what it means."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from starlette.responses import JSONResponse, Response
from typing_extensions import override

from services.suite.simulator import faults as kinds
from services.suite.simulator.asking import Ask, Refused, Why
from services.suite.simulator.faults import Fault
from services.suite.simulator.jobs import ODD_WORD, Failure, Job, Order, Phase, View
from services.suite.simulator.media import Clip
from services.suite.simulator.shape import (
    IMAGE,
    URL,
    Issue,
    anything,
    flag,
    listing,
    one_of,
    record,
    text,
)
from services.suite.simulator.signatures import Signature
from services.suite.simulator.vendor import Vendor

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from services.suite.simulator.vendor import Handler

FAST = "MiniMax-Hailuo-2.3-Fast"
HAILUO = ("MiniMax-Hailuo-2.3", FAST, "MiniMax-Hailuo-02")
OLD = ("T2V-01", "T2V-01-Director", "I2V-01", "I2V-01-Director", "I2V-01-live", "S2V-01")
BODY = record(
    {
        "model": one_of(*HAILUO, *OLD),
        "prompt": text(2000),
        "first_frame_image": IMAGE,
        "last_frame_image": IMAGE,
        "subject_reference": listing(anything, 1, 1),
        "prompt_optimizer": flag,
        "fast_pretreatment": flag,
        "duration": one_of(6, 10),
        "resolution": one_of("512P", "720P", "768P", "1080P"),
        "callback_url": URL,
        "aigc_watermark": flag,
    },
    "model",
)
PRICES = {
    (False, "768P", 6): 280_000,
    (False, "768P", 10): 560_000,
    (False, "1080P", 6): 490_000,
    (False, "512P", 6): 100_000,
    (False, "512P", 10): 150_000,
    (True, "768P", 6): 190_000,
    (True, "768P", 10): 320_000,
    (True, "1080P", 6): 330_000,
}
OLD_PRICE = 50_000
CODES = {
    Why.KEY: (1004, "login fail: Please carry the API secret key"),
    Why.INVALID: (2013, "invalid params"),
    Why.MISSING: (2013, "invalid params, task_id"),
    Why.RATE: (1002, "rate limit"),
    Why.QUOTA: (2056, "usage limit exceeded"),
    Why.CREDIT: (1008, "insufficient balance"),
    Why.MODERATED: (1026, "video description contains sensitive content"),
    Why.DOWN: (1000, "unknown error"),
}
FAILURES = {
    Failure.OUTPUT: (1027, "video output contains sensitive content"),
    Failure.INTERNAL: (1000, "unknown error"),
}
WORDS = {Phase.QUEUED: "Queueing", Phase.RUNNING: "Processing", Phase.SUCCEEDED: "Success"}
FINE = {"status_code": 0, "status_msg": "success"}


class MiniMax(Vendor):
    """MiniMax v1."""

    name: ClassVar[str] = "minimax"
    faults: ClassVar[frozenset[Fault]] = (
        Vendor.faults
        | {Fault.OK_ERROR}
        | (kinds.WEBHOOK - {Fault.WEBHOOK_FORGED, Fault.WEBHOOK_STALE})
    )
    link_seconds: ClassVar[float] = 3600.0
    # Real HTTP errors come from the front of the house alone: when it is down.
    statuses: ClassVar[dict[Why, int]] = dict.fromkeys(Why, 200) | {Why.DOWN: 502}
    signature: ClassVar[Signature] = Signature.CHALLENGE

    @override
    def doors(self) -> Iterable[tuple[str, str, Handler]]:
        yield "POST", "/v1/video_generation", self._submit
        yield "GET", "/v1/query/video_generation", self._query
        yield "GET", "/v1/files/retrieve", self._retrieve

    @override
    def error(self, why: Why, message: str, issues: Sequence[Issue]) -> Any:
        code, told = CODES[why]
        if issues:
            told = f"{told}, {message}"
        return {"task_id": "", "base_resp": {"status_code": code, "status_msg": told}}

    @override
    def job_name(self) -> str:
        return str(self.world.new_uuid().int % 10**15)

    async def _submit(self, ask: Ask) -> Response:
        self.check(ask.body, BODY, _rules(ask.body))
        body = ask.body
        seconds, lines = body.get("duration", 6), body.get("resolution", "768P")
        model = body["model"]
        price = PRICES.get((model == FAST, lines, seconds), OLD_PRICE)
        order = Order(
            model=model,
            prompt=body.get("prompt", ""),
            clip=Clip(seconds=seconds),
            price_micros=OLD_PRICE if model in OLD else price,
            body=None,
            webhook=body.get("callback_url", ""),
        )

        def answer(job: Job) -> Response:
            return JSONResponse({"task_id": job.id, "base_resp": FINE})

        return await self.take(ask, order, answer)

    def _told(self, job: Job, seen: View) -> dict[str, Any]:
        word = ODD_WORD if seen.odd else WORDS.get(seen.phase, "Fail")
        body: dict[str, Any] = {"task_id": job.id, "status": word, "base_resp": FINE}
        if seen.phase is Phase.SUCCEEDED:
            width, height = job.order.clip.size
            file = "" if job.has(Fault.EMPTY_SUCCESS) else _file_id(job)
            body |= {"file_id": file, "video_width": width, "video_height": height}
        if seen.failure in FAILURES:
            code, message = FAILURES[seen.failure]
            body["base_resp"] = {"status_code": code, "status_msg": message}
        return body

    async def _query(self, ask: Ask) -> Response:
        return JSONResponse(self._told(*self.poll(ask.query("task_id"))))

    async def _retrieve(self, ask: Ask) -> Response:
        name = ask.query("file_id")
        jobs = (job for job in self.world.jobs(self.name) if _file_id(job) == name)
        job = next(jobs, None)
        if job is None or self.look(job).phase is not Phase.SUCCEEDED:
            raise Refused(self.refuse(Why.MISSING))
        url = self.link(job)
        file = {
            "file_id": int(name),
            "created_at": int(job.created.timestamp()),
            "filename": "output_aigc.mp4",
            "purpose": "video_generation",
            "download_url": url,
            "backup_download_url": url,
        }
        return JSONResponse({"file": file, "base_resp": FINE})

    @override
    def webhook(self, job: Job, seen: View) -> Any:
        if not seen.over:
            return None
        word = "success" if seen.phase is Phase.SUCCEEDED else "failed"
        return {**self._told(job, seen), "status": word}


def _file_id(job: Job) -> str:
    return str(int(job.id) + 7)


def _rules(body: Any) -> Iterator[Issue]:
    model, lines = body["model"], body.get("resolution", "768P")
    if "first_frame_image" not in body and (model == FAST or model.startswith("I2V")):
        yield Issue(("first_frame_image",), "missing", "this model needs it")
    if "last_frame_image" in body and model != "MiniMax-Hailuo-02":
        yield Issue(("last_frame_image",), "rule", "MiniMax-Hailuo-02 alone takes it")
    if not body.get("prompt") and "first_frame_image" not in body:
        yield Issue(("prompt",), "missing", "is needed without a picture")
    if lines == "1080P" and body.get("duration", 6) != 6:
        yield Issue(("duration",), "rule", "is 6 at 1080P")
    if lines == "512P" and (model != "MiniMax-Hailuo-02" or "first_frame_image" not in body):
        yield Issue(("resolution",), "rule", "512P is for MiniMax-Hailuo-02 with a picture")
