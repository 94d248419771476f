"""Replicate's predictions. `canceled` has one L, and there is a sixth status, `aborted`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from starlette.responses import JSONResponse, Response
from typing_extensions import override

from services.suite.simulator import faults as kinds
from services.suite.simulator.asking import Ask, Why
from services.suite.simulator.faults import Fault
from services.suite.simulator.jobs import ODD_WORD, Failure, Job, Order, Phase, View
from services.suite.simulator.media import Clip, Kind
from services.suite.simulator.settings import WEBHOOK_SECRET
from services.suite.simulator.shape import (
    IMAGE,
    URL,
    Check,
    anything,
    flag,
    listing,
    matching,
    number,
    one_of,
    record,
    text,
    whole,
)
from services.suite.simulator.signatures import Signature
from services.suite.simulator.vendor import Vendor

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from services.suite.simulator.shape import Issue
    from services.suite.simulator.vendor import Handler

WAN: dict[str, Check] = {
    "prompt": text(shortest=1),
    "resolution": one_of("480p", "720p"),
    "num_frames": whole(81, 121),
    "frames_per_second": whole(5, 30),
    "seed": whole(0),
    "go_fast": flag,
    "sample_shift": number(1, 20),
}
WAN_TEXT = record(WAN | {"aspect_ratio": one_of("16:9", "9:16")}, "prompt")
WAN_IMAGE = record(WAN | {"image": IMAGE, "last_image": IMAGE}, "prompt", "image")
RATIOS = ("1:1", "16:9", "21:9", "3:2", "2:3", "4:5", "5:4", "3:4", "4:3", "9:16", "9:21")
FLUX = record(
    {
        "prompt": text(shortest=1),
        "aspect_ratio": one_of(*RATIOS),
        "num_outputs": whole(1, 4),
        "num_inference_steps": whole(1, 4),
        "output_format": one_of("webp", "jpg", "png"),
        "output_quality": whole(0, 100),
        "go_fast": flag,
        "megapixels": one_of("1", "0.25"),
        "seed": whole(0),
        "disable_safety_checker": flag,
    },
    "prompt",
)
# What an input is, what comes out, and what one of it costs in micro-USD.
MODELS: dict[str, tuple[Check, Kind, int]] = {
    "wan-video/wan-2.2-t2v-fast": (WAN_TEXT, Kind.VIDEO, 50_000),
    "wan-video/wan-2.2-i2v-fast": (WAN_IMAGE, Kind.VIDEO, 50_000),
    "black-forest-labs/flux-schnell": (FLUX, Kind.IMAGE, 3_000),
}
EVENTS = one_of("start", "output", "logs", "completed")
HOOKS: dict[str, Check] = {"webhook": URL, "webhook_events_filter": listing(EVENTS)}
CANCEL_AFTER = matching(r"\d+(\.\d+)?[smh]?", "a duration")
WORDS = {
    Phase.QUEUED: "starting",
    Phase.RUNNING: "processing",
    Phase.SUCCEEDED: "succeeded",
    Phase.CANCELLED: "canceled",
}
FAILURES = {
    Failure.INPUT: "NSFW content detected in the prompt",
    Failure.OUTPUT: "NSFW content detected. Try running it again, or try a different prompt.",
    Failure.INTERNAL: "E6716: The prediction failed, please try again",
}
TITLES = {
    Why.KEY: "Unauthenticated",
    Why.INVALID: "Input validation failed",
    Why.MISSING: "Not Found",
    Why.CREDIT: "Insufficient credit",
}


class Replicate(Vendor):
    """Replicate."""

    name: ClassVar[str] = "replicate"
    faults: ClassVar[frozenset[Fault]] = (Vendor.faults | kinds.WEBHOOK) - {Fault.QUOTA}
    moderates_at_submit: ClassVar[bool] = False
    link_seconds: ClassVar[float] = 3600.0
    statuses: ClassVar[dict[Why, int]] = Vendor.statuses | {Why.INVALID: 422}
    signature: ClassVar[Signature] = Signature.STANDARD

    @override
    def doors(self) -> Iterable[tuple[str, str, Handler]]:
        yield "POST", "/v1/models/{owner}/{model}/predictions", self._of_model
        yield "POST", "/v1/predictions", self._of_version
        yield "GET", "/v1/predictions", self._list
        yield "GET", "/v1/predictions/{id}", self._get
        yield "POST", "/v1/predictions/{id}/cancel", self._cancel
        yield "GET", "/v1/webhooks/default/secret", self._secret
        yield "GET", "/v1/account", self._account
        yield "POST", "/v1/files", self._upload

    async def _upload(self, ask: Ask) -> Response:
        picture = ask.files.get("content", b"")
        if not picture:
            return self.refuse(Why.INVALID, "content: a file is required")
        name = self.world.new_uuid().hex
        self.world.keep_picture(name, picture)
        address = f"{self.world.url}/replicate/v1/files/{name}"
        return JSONResponse({"id": name, "size": len(picture), "urls": {"get": address}}, 201)

    @override
    def error(self, why: Why, message: str, issues: Sequence[Issue]) -> Any:
        if why is Why.RATE:
            detail = "Request was throttled. Your rate limit resets in ~1s."
            return {"detail": detail, "status": 429}
        status = self.statuses[why]
        body: dict[str, Any] = {"title": TITLES.get(why, "Error"), "detail": message}
        if issues:
            body["detail"] = "\n".join(f"- {issue.where}: {issue.message}" for issue in issues)
            body["invalid_fields"] = [
                {"type": issue.code, "field": issue.where, "description": issue.message}
                for issue in issues
            ]
        return {**body, "status": status}

    @override
    def job_name(self) -> str:
        return self.world.new_uuid().hex[:26]

    async def _of_model(self, ask: Ask) -> Response:
        return await self._submit(ask, f"{ask.path('owner')}/{ask.path('model')}", {})

    async def _of_version(self, ask: Ask) -> Response:
        version = ask.body.get("version", "") if isinstance(ask.body, dict) else ""
        return await self._submit(
            ask, str(version).partition(":")[0], {"version": text(shortest=1)}
        )

    async def _submit(self, ask: Ask, model: str, more: dict[str, Check]) -> Response:
        shape, kind, price = MODELS.get(model, (anything, Kind.VIDEO, 50_000))
        self.check(ask.body, record({**HOOKS, **more, "input": shape}, "input", *more))
        if ask.header("cancel-after"):
            header = {"cancel-after": ask.header("cancel-after")}
            self.check(header, record({"cancel-after": CANCEL_AFTER}))
        body = ask.body
        given = body["input"] if isinstance(body["input"], dict) else {}
        count = given.get("num_outputs", 1)
        seconds = given.get("num_frames", 81) / given.get("frames_per_second", 16)
        order = Order(
            model=model,
            prompt=str(given.get("prompt", "")),
            clip=Clip(kind, round(seconds, 2), given.get("aspect_ratio", "16:9"), count),
            price_micros=price * count,
            body={key: value if len(str(value)) < 2000 else "…" for key, value in given.items()},
            webhook=body.get("webhook", ""),
        )

        def answer(job: Job) -> Response:
            return JSONResponse(self._told(job, self.look(job)), status_code=201)

        return await self.take(ask, order, answer)

    def _told(self, job: Job, seen: View) -> dict[str, Any]:
        here = f"{self.world.url}/replicate/v1/predictions/{job.id}"
        ended = self.world.now().isoformat() if seen.over else None
        body: dict[str, Any] = {
            "id": job.id,
            "model": job.order.model,
            "version": "hidden",
            "input": job.order.body,
            "output": None,
            "logs": "",
            "error": FAILURES.get(seen.failure) if seen.failure else None,
            "status": ODD_WORD if seen.odd else WORDS.get(seen.phase, "failed"),
            "created_at": job.created.isoformat(),
            "completed_at": ended,
            "data_removed": False,
            "source": "api",
            "webhook": job.order.webhook or None,
            "metrics": {"predict_time": job.seconds} if seen.over else {},
            "urls": {"get": here, "cancel": f"{here}/cancel", "web": here},
        }
        if seen.phase is Phase.SUCCEEDED:
            body |= self._output(job)
        return body

    def _output(self, job: Job) -> dict[str, Any]:
        age = (self.world.now() - job.created).total_seconds() - job.seconds
        if age > (self.world.settings.media_seconds or self.link_seconds):
            return {"output": None, "data_removed": True, "input": None}
        if job.has(Fault.EMPTY_SUCCESS):
            return {"output": None}
        files = [self.link(job, index) for index in range(job.order.clip.count)]
        return {"output": files if job.order.clip.kind is Kind.IMAGE else files[0]}

    async def _get(self, ask: Ask) -> Response:
        return JSONResponse(self._told(*self.poll(ask.path("id"))))

    async def _list(self, ask: Ask) -> Response:
        del ask
        jobs = self.world.jobs(self.name)[:100]
        results = [self._told(job, self.look(job)) for job in jobs]
        return JSONResponse({"results": results, "next": None, "previous": None})

    async def _cancel(self, ask: Ask) -> Response:
        job = self.find(ask.path("id"))
        if not self.look(job).over:
            self.stop(job)
        return JSONResponse(self._told(job, self.look(job)))

    async def _secret(self, ask: Ask) -> Response:
        del ask
        return JSONResponse({"key": WEBHOOK_SECRET})

    async def _account(self, ask: Ask) -> Response:
        del ask
        return JSONResponse({"type": "organization", "username": "simulator", "name": "Simulator"})

    @override
    def webhook(self, job: Job, seen: View) -> Any:
        return self._told(job, seen) if seen.over else None
