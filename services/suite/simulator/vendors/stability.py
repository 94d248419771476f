"""Stable Video's image-to-video contract, as private deployments still speak it."""

from __future__ import annotations

import base64
import struct
from typing import TYPE_CHECKING, Any, ClassVar

from starlette.responses import JSONResponse, Response
from typing_extensions import override

from services.suite.simulator import faults as kinds
from services.suite.simulator.asking import Ask, Why
from services.suite.simulator.faults import Fault
from services.suite.simulator.jobs import Failure, Job, Order, Phase
from services.suite.simulator.media import Clip
from services.suite.simulator.shape import Issue, matching, record
from services.suite.simulator.vendor import Vendor

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from services.suite.simulator.vendor import Handler

SIZES = {(1024, 576): "16:9", (576, 1024): "9:16", (768, 768): "1:1"}
DECIMAL = matching(r"\d+(\.\d+)?", "a number")
FORM = record(
    {
        "seed": matching(r"\d{1,10}", "0 to 4294967294"),
        "cfg_scale": DECIMAL,
        "motion_bucket_id": matching(r"\d{1,3}", "1 to 255"),
    }
)
NAMES = {
    Why.KEY: "unauthorized",
    Why.INVALID: "bad_request",
    Why.MISSING: "not_found",
    Why.RATE: "rate_limit_exceeded",
    Why.CREDIT: "payment_required",
    Why.MODERATED: "content_moderation",
    Why.DOWN: "internal_error",
}
PRICE = 200_000
SECONDS = 4.0


class Stability(Vendor):
    """A private deployment of Stable Video."""

    name: ClassVar[str] = "stability"
    faults: ClassVar[frozenset[Fault]] = (kinds.BEFORE | kinds.LOST | kinds.JOB | kinds.INLINE) - {
        # The contract has no word for a failure: an answer is a clip or nothing.
        Fault.FAILED,
        Fault.LATE_SUCCESS,
        Fault.QUOTA,
        Fault.UNKNOWN_STATUS,
        Fault.STALLS_AT_99,
        Fault.EMPTY_SUCCESS,
    }
    statuses: ClassVar[dict[Why, int]] = Vendor.statuses | {Why.MODERATED: 403, Why.DOWN: 500}

    @override
    def doors(self) -> Iterable[tuple[str, str, Handler]]:
        yield "POST", "/v2beta/image-to-video", self._submit
        yield "GET", "/v2beta/image-to-video/result/{id}", self._result

    @override
    def error(self, why: Why, message: str, issues: Sequence[Issue]) -> Any:
        said = [f"{issue.where}: {issue.message}" for issue in issues] or [message]
        return {"id": self.world.new_uuid().hex, "name": NAMES[why], "errors": said}

    @override
    def job_name(self) -> str:
        return self.world.new_uuid().hex + self.world.new_uuid().hex

    async def _submit(self, ask: Ask) -> Response:
        values = ask.body if isinstance(ask.body, dict) else {}
        self.check(values, FORM, _picture(ask))
        order = Order(
            model="image-to-video",
            prompt="",
            clip=Clip(seconds=SECONDS, ratio=SIZES[_size(ask.files["image"])]),
            price_micros=PRICE,
            body=None,
        )
        return await self.take(ask, order, lambda job: JSONResponse({"id": job.id}))

    async def _result(self, ask: Ask) -> Response:
        job, seen = self.poll(ask.path("id"))
        if not seen.over:
            return JSONResponse({"id": job.id, "status": "in-progress"}, status_code=202)
        if seen.failure is Failure.OUTPUT:
            return self._answer(ask, job, b"", "CONTENT_FILTERED")
        if seen.phase is not Phase.SUCCEEDED:
            return self.refuse(Why.DOWN)
        return self._answer(ask, job, await self.inline(job), "SUCCESS")

    def _answer(self, ask: Ask, job: Job, data: bytes, reason: str) -> Response:
        if "video/" in ask.header("accept"):
            headers = {"finish-reason": reason, "seed": "7"}
            return Response(data, media_type="video/mp4", headers=headers)
        del job
        video = base64.b64encode(data).decode()
        return JSONResponse({"video": video, "finish_reason": reason, "seed": 7})


def _size(data: bytes) -> tuple[int, int]:
    """Return width and height of a PNG or JPEG, zeros for anything else."""
    if data[:8] == b"\x89PNG\r\n\x1a\n" and len(data) >= 24:
        width, height = struct.unpack(">II", data[16:24])
        return width, height
    at = 2
    while data[:2] == b"\xff\xd8" and at + 9 < len(data):
        marker, length = data[at + 1], int.from_bytes(data[at + 2 : at + 4], "big")
        if 0xC0 <= marker <= 0xC3:
            height, width = struct.unpack(">HH", data[at + 5 : at + 9])
            return width, height
        at += 2 + length
    return 0, 0


def _picture(ask: Ask) -> Iterator[Issue]:
    if "image" not in ask.files:
        yield Issue(("image",), "missing", "cannot be blank")
    elif _size(ask.files["image"]) not in SIZES:
        yield Issue(("image",), "rule", "must be 1024x576, 576x1024 or 768x768")
