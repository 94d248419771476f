"""Kling's API of 2026: one key, the model in the path. `code` decides, not the HTTP status."""

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
    URL,
    URL_OR_BASE64,
    Issue,
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

    from services.suite.simulator.shape import Check
    from services.suite.simulator.vendor import Handler

# micro-USD per second by resolution: silent, and with sound
PRICES = {
    "kling-3.0": {"720p": (84_000, 126_000), "1080p": (112_000, 168_000), "4k": (420_000, 420_000)},
    "kling-3.0-turbo": {"720p": (112_000, 112_000), "1080p": (140_000, 140_000)},
    "kling-2.6": {"720p": (42_000, 42_000), "1080p": (70_000, 140_000)},
    "kling-2.5-turbo": {"720p": (42_000, 42_000), "1080p": (70_000, 70_000)},
}
RATIO = one_of("16:9", "9:16", "1:1")
OPTIONS = record(
    {
        "callback_url": URL,
        "external_task_id": text(),
        "watermark_info": record({"enabled": flag}),
    }
)
CONTENT = first_of(
    record({"type": one_of("prompt"), "text": text(3072)}, "type", "text"),
    record({"type": one_of("first_frame", "last_frame"), "url": URL_OR_BASE64}, "type", "url"),
    record({"type": one_of("element"), "element_id": text(), "id": text()}, "type", "element_id"),
)
CODES = {
    Why.KEY: (401, 1002, "Authorization is invalid"),
    Why.INVALID: (400, 1201, "invalid parameter"),
    Why.MISSING: (404, 1203, "the requested resource does not exist"),
    Why.RATE: (429, 1302, "too frequent requests"),
    Why.QUOTA: (429, 1102, "resource pack used up"),
    Why.CREDIT: (429, 1101, "account in arrears"),
    Why.MODERATED: (400, 1301, "triggered the content security policy of the platform"),
    Why.DOWN: (503, 5001, "server temporarily unavailable"),
}
WORDS = {Phase.QUEUED: "submitted", Phase.RUNNING: "processing", Phase.SUCCEEDED: "succeeded"}
FAILURES = {
    Failure.OUTPUT: "Failure to pass the risk control system",
    Failure.INTERNAL: "Task failed, please retry",
}


def kling_error(world_id: str, why: Why, message: str, issues: Sequence[Issue]) -> Any:
    """Return Kling's error body."""
    _, code, told = CODES[why]
    return {"code": code, "message": message if issues else told, "request_id": world_id}


def _settings(model: str, *, pictured: bool) -> Check:
    fields: dict[str, Check] = {
        "multi_shot": flag,
        "audio": one_of("native", "off"),
        "resolution": one_of(*PRICES[model]),
        "duration": one_of(5, 10) if model.startswith("kling-2") else whole(3, 15),
    }
    return record(fields if pictured else fields | {"aspect_ratio": RATIO})


class Kling(Vendor):
    """Kling."""

    name: ClassVar[str] = "kling"
    faults: ClassVar[frozenset[Fault]] = Vendor.faults | kinds.WEBHOOK | {Fault.OK_ERROR}
    link_seconds: ClassVar[float] = 30 * 86_400.0
    statuses: ClassVar[dict[Why, int]] = {why: row[0] for why, row in CODES.items()}
    signature: ClassVar[Signature] = Signature.STANDARD

    @override
    def doors(self) -> Iterable[tuple[str, str, Handler]]:
        yield "POST", "/text-to-video/{model}", self._text
        yield "POST", "/image-to-video/{model}", self._image
        yield "GET", "/tasks", self._tasks

    @override
    def error(self, why: Why, message: str, issues: Sequence[Issue]) -> Any:
        return kling_error(str(self.world.new_uuid()), why, message, issues)

    async def _text(self, ask: Ask) -> Response:
        return await self._submit(ask, pictured=False)

    async def _image(self, ask: Ask) -> Response:
        return await self._submit(ask, pictured=True)

    async def _submit(self, ask: Ask, *, pictured: bool) -> Response:
        model = ask.path("model")
        if model not in PRICES:
            return self.refuse(Why.MISSING)
        common = {"settings": _settings(model, pictured=pictured), "options": OPTIONS}
        if pictured:
            shape = record({**common, "contents": listing(CONTENT, 1)}, "contents")
            self.check(ask.body, shape, _frames(ask.body, model))
            texts = [item.get("text", "") for item in ask.body["contents"]]
            prompt = " ".join(filter(None, texts))
        else:
            self.check(ask.body, record({**common, "prompt": text(3072, shortest=1)}, "prompt"))
            prompt = ask.body["prompt"]
        order = self._order(model, prompt, ask.body)
        if self.busy_at(order.external_id):
            return self.refuse(Why.INVALID, "external_task_id is taken")
        return await self.take(ask, order, lambda job: self._fine(self._told(job, self.look(job))))

    def _order(self, model: str, prompt: str, body: Any) -> Order:
        settings, options = body.get("settings", {}), body.get("options", {})
        seconds = settings.get("duration", 5)
        sound = settings.get("audio") == "native" or model == "kling-3.0-turbo"
        return Order(
            model=model,
            prompt=prompt,
            clip=Clip(seconds=seconds, ratio=settings.get("aspect_ratio", "16:9")),
            price_micros=PRICES[model][settings.get("resolution", "720p")][sound] * seconds,
            body=None,
            webhook=options.get("callback_url", ""),
            external_id=options.get("external_task_id", ""),
        )

    def busy_at(self, external: str) -> bool:
        """Tell whether an external id is taken: it is unique per account, and no more than that."""
        return bool(external) and any(
            job.order.external_id == external for job in self.world.jobs(self.name)
        )

    def _fine(self, data: Any) -> Response:
        request = str(self.world.new_uuid())
        told = {"code": 0, "message": "SUCCEED", "request_id": request, "data": data}
        return JSONResponse(told)

    def _told(self, job: Job, seen: View) -> dict[str, Any]:
        created = int(job.created.timestamp() * 1000)
        body: dict[str, Any] = {
            "id": job.id,
            "status": ODD_WORD if seen.odd else WORDS.get(seen.phase, "failed"),
            "create_time": created,
            "update_time": int(self.world.now().timestamp() * 1000),
            "external_id": job.order.external_id,
        }
        if seen.phase is Phase.SUCCEEDED:
            seconds = str(job.order.clip.seconds)
            output = {"type": "video", "id": job.id, "url": self.link(job), "duration": seconds}
            body["outputs"] = [] if job.has(Fault.EMPTY_SUCCESS) else [output]
            amount = f"{job.order.price_micros / 1_000_000:.6f}"
            body["billing"] = [{"charge_type": "cash", "amount": amount, "currency": "USD"}]
        if seen.failure in FAILURES:
            body["message"] = FAILURES[seen.failure]
        return body

    async def _tasks(self, ask: Ask) -> Response:
        outside = ask.query("external_task_ids").split(",")
        names = [name for name in ask.query("task_ids").split(",") if name]
        names += [
            job.id for job in self.world.jobs(self.name) if job.order.external_id in outside != [""]
        ]
        if not names and outside == [""]:
            return self.refuse(Why.INVALID)
        known = [name for name in names if self.world.job(self.name, name)]
        return self._fine([self._told(*self.poll(name)) for name in known])

    @override
    def webhook(self, job: Job, seen: View) -> Any:
        return self._told(job, seen) if seen.over else None


def _frames(body: Any, model: str) -> Iterator[Issue]:
    kinds_of = [item["type"] for item in body["contents"]]
    if "first_frame" not in kinds_of:
        yield Issue(("contents",), "missing", "first_frame is needed")
    if "last_frame" in kinds_of and "turbo" in model:
        yield Issue(("contents",), "rule", "the model takes no last_frame")
