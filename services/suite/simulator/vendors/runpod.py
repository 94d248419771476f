"""RunPod serverless: public endpoints and a worker of one's own. Callbacks are unsigned."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from starlette.responses import JSONResponse, Response
from typing_extensions import override

from services.suite.simulator import faults as kinds
from services.suite.simulator.asking import Ask, Why
from services.suite.simulator.faults import Fault
from services.suite.simulator.jobs import ODD_WORD, Failure, Job, Order, Phase, View
from services.suite.simulator.media import Clip, Kind
from services.suite.simulator.settings import ENDPOINT
from services.suite.simulator.shape import (
    URL,
    Check,
    flag,
    nullable,
    number,
    one_of,
    record,
    text,
    whole,
)
from services.suite.simulator.vendor import Vendor

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from services.suite.simulator.shape import Issue
    from services.suite.simulator.vendor import Handler

SIDE = whole(256, 1536)
FLUX: dict[str, Check] = {
    "prompt": text(shortest=1),
    "negative_prompt": text(),
    "width": SIDE,
    "height": SIDE,
    "num_inference_steps": whole(1, 50),
    "guidance": number(0, 10),
    "seed": whole(-1),
    "image_format": one_of("png", "jpeg"),
}
WAN = record(
    {
        "prompt": text(shortest=1),
        "image": URL,
        "size": one_of("1280*720", "720*1280"),
        "duration": one_of(5, 8),
        "seed": whole(-1),
        "negative_prompt": text(),
        "num_inference_steps": whole(1, 50),
        "guidance": number(0, 10),
        "flow_shift": number(0, 20),
        "enable_prompt_optimization": flag,
        "enable_safety_checker": flag,
    },
    "prompt",
    "image",
)


def _object(value: Any, path: Any) -> Any:
    return iter(()) if isinstance(value, dict) else record({})(value, path)


# Input, output, and the price in micro-USD; the own worker is billed by the second elsewhere.
ENDPOINTS: dict[str, tuple[Check, Kind, int]] = {
    "wan-2-2-i2v-720": (WAN, Kind.VIDEO, 300_000),
    "black-forest-labs-flux-1-schnell": (record(FLUX, "prompt"), Kind.IMAGE, 2_517),
    "black-forest-labs-flux-1-dev": (record(FLUX, "prompt"), Kind.IMAGE, 20_972),
    ENDPOINT: (_object, Kind.VIDEO, 0),
}
POLICY = record(
    {
        "executionTimeout": whole(5000, 604_800_000),
        "ttl": whole(10_000, 604_800_000),
        "lowPriority": flag,
    }
)
STORE = record({name: text() for name in ("accessId", "accessSecret", "bucketName", "endpointUrl")})
WORDS = {
    Phase.QUEUED: "IN_QUEUE",
    Phase.RUNNING: "IN_PROGRESS",
    Phase.SUCCEEDED: "COMPLETED",
    Phase.CANCELLED: "CANCELLED",
}
FAILURES = {
    Failure.INPUT: "Prompt flagged by content moderation",
    Failure.OUTPUT: "Output flagged by content moderation",
    Failure.INTERNAL: "worker exited with exit code 1",
}


class RunPod(Vendor):
    """RunPod."""

    name: ClassVar[str] = "runpod"
    faults: ClassVar[frozenset[Fault]] = (
        Vendor.faults | (kinds.WEBHOOK - {Fault.WEBHOOK_FORGED, Fault.WEBHOOK_STALE})
    ) - {Fault.QUOTA}
    moderates_at_submit: ClassVar[bool] = False
    link_seconds: ClassVar[float] = 7 * 86_400.0

    @override
    def doors(self) -> Iterable[tuple[str, str, Handler]]:
        yield "POST", "/v2/{endpoint}/run", self._run
        yield "GET", "/v2/{endpoint}/status/{id}", self._status
        yield "POST", "/v2/{endpoint}/cancel/{id}", self._cancel
        yield "GET", "/v2/{endpoint}/health", self._health

    @override
    def error(self, why: Why, message: str, issues: Sequence[Issue]) -> Any:
        return {"error": message}

    async def _run(self, ask: Ask) -> Response:
        endpoint = ask.path("endpoint")
        if endpoint not in ENDPOINTS:
            return self.refuse(Why.MISSING, "endpoint not found")
        shape, kind, price = ENDPOINTS[endpoint]
        outer: dict[str, Check] = {"input": shape, "webhook": URL, "policy": nullable(POLICY)}
        self.check(ask.body, record({**outer, "s3Config": STORE}, "input"))
        given = ask.body["input"]
        ratio = str(given.get("size", given.get("aspect_ratio", "16:9"))).replace("*", ":")
        if kind is Kind.IMAGE:
            ratio = f"{given.get('width', 1024)}:{given.get('height', 1024)}"
        seconds = given.get("duration", given.get("duration_seconds", 5))
        order = Order(
            model=endpoint,
            prompt=str(given.get("prompt", "")),
            clip=Clip(kind, float(seconds), ratio),
            price_micros=price,
            body=None,
            webhook=ask.body.get("webhook", ""),
        )
        return await self.take(
            ask, order, lambda job: JSONResponse({"id": job.id, "status": "IN_QUEUE"})
        )

    def _told(self, job: Job, seen: View) -> dict[str, Any]:
        word = ODD_WORD.upper() if seen.odd else WORDS.get(seen.phase, "FAILED")
        body: dict[str, Any] = {"id": job.id, "status": word, "delayTime": 120}
        if seen.over:
            body["executionTime"] = round(job.seconds * 1000)
        if seen.failure in FAILURES:
            body["error"] = FAILURES[seen.failure]
        if seen.phase is Phase.SUCCEEDED:
            key = "video_url" if job.order.clip.kind is Kind.VIDEO else "image_url"
            url = None if job.has(Fault.EMPTY_SUCCESS) else self.link(job)
            body["output"] = {key: url, "cost": job.order.price_micros / 1_000_000}
        return body

    async def _status(self, ask: Ask) -> Response:
        job, seen = self.poll(ask.path("id"))
        if job.order.model != ask.path("endpoint"):
            return self.refuse(Why.MISSING)
        # A failed job comes under HTTP 400: read the body before the status.
        status = 400 if seen.phase is Phase.FAILED else 200
        return JSONResponse(self._told(job, seen), status_code=status)

    async def _cancel(self, ask: Ask) -> Response:
        job = self.find(ask.path("id"))
        if not self.look(job).over:
            self.stop(job)
        return JSONResponse(self._told(job, self.look(job)))

    async def _health(self, ask: Ask) -> Response:
        del ask
        jobs = {"completed": 0, "failed": 0, "inProgress": 0, "inQueue": 0, "retried": 0}
        return JSONResponse({"jobs": jobs, "workers": {"idle": 1, "running": 0}})

    @override
    def webhook(self, job: Job, seen: View) -> Any:
        return self._told(job, seen) if seen.over else None
