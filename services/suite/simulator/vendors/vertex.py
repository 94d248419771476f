"""Google Veo on Vertex AI: long-running operations, polled by POST."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any, ClassVar

from starlette.responses import JSONResponse, Response
from typing_extensions import override

from services.suite.simulator import faults as kinds
from services.suite.simulator.asking import Ask, Why
from services.suite.simulator.faults import Fault
from services.suite.simulator.jobs import Failure, Job, Order, Phase
from services.suite.simulator.media import Clip
from services.suite.simulator.shape import (
    BASE64,
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
from services.suite.simulator.vendor import Vendor
from services.suite.simulator.vendors.google import google_error

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from services.suite.simulator.vendor import Handler

MODELS = {"veo-3.1-generate-001": 400_000, "veo-3.1-fast-generate-001": 150_000}
PICTURE = first_of(
    record({"bytesBase64Encoded": BASE64, "mimeType": text()}, "bytesBase64Encoded", "mimeType"),
    record({"gcsUri": text(), "mimeType": text()}, "gcsUri", "mimeType"),
)
BODY = record(
    {
        "labels": anything,
        "instances": listing(
            record(
                {
                    "prompt": text(10_000, shortest=1),
                    "image": PICTURE,
                    "lastFrame": PICTURE,
                    "referenceImages": listing(anything, 1, 3),
                    "video": anything,
                },
                "prompt",
            ),
            1,
            1,
        ),
        "parameters": record(
            {
                "aspectRatio": one_of("16:9", "9:16"),
                "durationSeconds": one_of(4, 6, 8),
                "resolution": one_of("720p", "1080p", "4k"),
                "negativePrompt": text(),
                "personGeneration": one_of("allow_all", "allow_adult", "dont_allow"),
                "sampleCount": whole(1, 4),
                "seed": whole(0, 2**32 - 1),
                "storageUri": text(),
                "generateAudio": flag,
                "fps": one_of(24),
                "resizeMode": one_of("pad", "crop"),
                "compressionQuality": text(),
                "pubsubTopic": text(),
            }
        ),
    },
    "instances",
)


class Vertex(Vendor):
    """Veo on Vertex AI."""

    name: ClassVar[str] = "vertex"
    faults: ClassVar[frozenset[Fault]] = (kinds.BEFORE | kinds.LOST | kinds.JOB | kinds.INLINE) - {
        Fault.QUOTA,
        Fault.UNKNOWN_STATUS,
        Fault.STALLS_AT_99,
    }
    statuses: ClassVar[dict[Why, int]] = Vendor.statuses | {Why.CREDIT: 400}

    @override
    def doors(self) -> Iterable[tuple[str, str, Handler]]:
        path = "/v1/projects/{project}/locations/{location}/publishers/google/models/{call}"
        yield "POST", path, self._call

    @override
    def error(self, why: Why, message: str, issues: Sequence[Issue]) -> Any:
        body = google_error(self.statuses[why], why, message, issues)
        if why is Why.KEY:
            told = "Request had invalid authentication credentials."
            body["error"] |= {"message": told, "status": "UNAUTHENTICATED", "details": []}
        return body

    async def _call(self, ask: Ask) -> Response:
        model, _, verb = ask.path("call").partition(":")
        if model not in MODELS:
            words = "was not found or your project does not have access to it"
            return self.refuse(Why.MISSING, f"Publisher Model `{model}` {words}")
        if verb == "predictLongRunning":
            return await self._submit(ask, model)
        if verb == "fetchPredictOperation":
            return await self._fetch(ask)
        return self.refuse(Why.MISSING, f"There is no method {verb}")

    async def _submit(self, ask: Ask, model: str) -> Response:
        self.check(ask.body, BODY, _rules(ask.body))
        wanted = ask.body.get("parameters", {})
        seconds, count = wanted.get("durationSeconds", 8), wanted.get("sampleCount", 1)
        clip = Clip(seconds=seconds, ratio=wanted.get("aspectRatio", "16:9"), count=count)
        order = Order(
            model=model,
            prompt=ask.body["instances"][0]["prompt"],
            clip=clip,
            price_micros=MODELS[model] * seconds * count,
            body=None,
        )
        parent = ask.request.url.path.partition("/v1/")[2].rpartition(":")[0]

        def answer(job: Job) -> Response:
            return JSONResponse({"name": f"{parent}/operations/{job.id}"})

        return await self.take(ask, order, answer)

    async def _fetch(self, ask: Ask) -> Response:
        self.check(ask.body, record({"operationName": text(shortest=1)}, "operationName"))
        name = ask.body["operationName"]
        job, seen = self.poll(name.rpartition("/")[2])
        if not seen.over:
            return JSONResponse({"name": name})
        body: dict[str, Any] = {"name": name, "done": True}
        if seen.failure is Failure.OUTPUT or job.has(Fault.EMPTY_SUCCESS):
            reason = "Veo could not generate videos because the input violates usage guidelines."
            filtered = {"raiMediaFilteredCount": 1, "raiMediaFilteredReasons": [reason]}
            return JSONResponse({**body, "response": filtered})
        if seen.phase is not Phase.SUCCEEDED:
            error = {"code": 13, "message": "Internal error", "status": "INTERNAL"}
            return JSONResponse({**body, "error": error})
        videos = [await self._clip(job, index) for index in range(job.order.clip.count)]
        return JSONResponse({**body, "response": {"raiMediaFilteredCount": 0, "videos": videos}})

    async def _clip(self, job: Job, index: int) -> dict[str, str]:
        data = base64.b64encode(await self.inline(job, index)).decode()
        return {"bytesBase64Encoded": data, "mimeType": "video/mp4"}


def _rules(body: Any) -> Iterator[Issue]:
    wanted = body.get("parameters", {})
    if wanted.get("resolution") in {"1080p", "4k"} and wanted.get("durationSeconds", 8) != 8:
        yield Issue(("parameters", "durationSeconds"), "rule", "must be 8 at this resolution")
    if "lastFrame" in body["instances"][0] and "image" not in body["instances"][0]:
        yield Issue(("instances", 0, "lastFrame"), "rule", "needs image")
