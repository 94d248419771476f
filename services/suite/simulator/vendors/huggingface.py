"""Hugging Face's router: its own inference, which answers with the file, and fal behind it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from starlette.responses import JSONResponse, Response
from typing_extensions import override

from services.suite.simulator import faults as kinds
from services.suite.simulator.asking import Ask, Why
from services.suite.simulator.faults import Fault
from services.suite.simulator.jobs import Job, Order
from services.suite.simulator.media import MEDIA_TYPES, Clip, Kind
from services.suite.simulator.settings import KEY_PREFIX
from services.suite.simulator.shape import number, record, text, whole
from services.suite.simulator.vendor import Vendor
from services.suite.simulator.vendors.fal import Fal, app_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from services.suite.simulator.shape import Issue
    from services.suite.simulator.vendor import Handler

SECONDS = 0.4
PRICE = 3_000
IMAGE = record(
    {
        "negative_prompt": text(),
        "height": whole(64, 2048),
        "width": whole(64, 2048),
        "num_inference_steps": whole(1, 500),
        "guidance_scale": number(0, 50),
        "seed": whole(0),
        "scheduler": text(),
    }
)
BODIES = {
    Kind.IMAGE: record({"inputs": text(shortest=1), "parameters": IMAGE}, "inputs"),
    Kind.AUDIO: record({"inputs": text(shortest=1), "parameters": record({})}, "inputs"),
}
CREDIT = "You have exceeded your monthly included credits for Inference Providers."


class HuggingFace(Vendor):
    """hf-inference."""

    name: ClassVar[str] = "huggingface"
    prefix: ClassVar[str] = "hf"
    faults: ClassVar[frozenset[Fault]] = (kinds.BEFORE | kinds.LOST | kinds.INLINE) - {
        Fault.QUOTA,
        Fault.MODERATED_BEFORE,
    }
    statuses: ClassVar[dict[Why, int]] = Vendor.statuses | {Why.INVALID: 422}

    @override
    def doors(self) -> Iterable[tuple[str, str, Handler]]:
        yield "POST", "/hf-inference/models/{model:path}", self._infer

    @override
    def error(self, why: Why, message: str, issues: Sequence[Issue]) -> Any:
        if why is Why.CREDIT:
            return {"error": CREDIT}
        if why is Why.DOWN:
            return {"error": "The model is currently loading", "estimated_time": 1.0}
        return {"error": [f"{issue.where}: {issue.message}" for issue in issues] or message}

    async def _infer(self, ask: Ask) -> Response:
        wants_picture = "image/" in ask.header("accept")
        kind = Kind.IMAGE if wants_picture else Kind.AUDIO
        self.check(ask.body, BODIES[kind])
        words = ask.body["inputs"]
        order = Order(
            model=ask.path("model"),
            prompt=words,
            clip=Clip(kind, max(0.5, len(words) / 15), "1:1"),
            price_micros=PRICE,
            body=None,
            seconds=SECONDS,
        )

        async def answer(job: Job) -> Response:
            await self.work(job)
            headers = {"inference-id": job.id}
            return Response(await self.inline(job), media_type=MEDIA_TYPES[kind], headers=headers)

        return await self.take(ask, order, answer)


class FalByHuggingFace(Fal):
    """fal's queue behind the router: a bearer token, `_subdomain=queue`, no callbacks."""

    name: ClassVar[str] = "huggingface_fal"
    prefix: ClassVar[str] = "hf/fal-ai"
    faults: ClassVar[frozenset[Fault]] = Fal.faults - kinds.WEBHOOK

    @override
    def opens(self, ask: Ask) -> bool:
        return ask.header("authorization").startswith(f"Bearer {KEY_PREFIX}")

    statuses: ClassVar[dict[Why, int]] = Vendor.statuses

    @override
    def error(self, why: Why, message: str, issues: Sequence[Issue]) -> Any:
        # The router bills, fal does the rest.
        return {"error": CREDIT} if why is Why.CREDIT else super().error(why, message, issues)

    @override
    def _locked(self, ask: Ask) -> Response | None:
        if ask.query("_subdomain") != "queue" and self.opens(ask):
            return JSONResponse({"error": "the queue is at ?_subdomain=queue"}, status_code=404)
        return super()._locked(ask)

    @override
    def address(self, job: Job) -> str:
        """Return fal's own address: the router hands it through as it is."""
        return f"https://queue.fal.run/{app_of(job.order.model)}/requests/{job.id}"
