"""Kling's legacy `/v1/videos` API: a signed token or a key, durations as strings."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import jwt
from typing_extensions import override

from services.suite.simulator.asking import Ask, Why
from services.suite.simulator.faults import Fault
from services.suite.simulator.jobs import ODD_WORD, Job, Order, Phase, View
from services.suite.simulator.media import Clip
from services.suite.simulator.settings import ACCESS_KEY, SECRET_KEY
from services.suite.simulator.shape import (
    URL,
    URL_OR_BASE64,
    anything,
    flag,
    number,
    one_of,
    record,
    text,
)
from services.suite.simulator.vendors.kling import FAILURES, Kling

if TYPE_CHECKING:
    from collections.abc import Iterable

    from starlette.responses import Response

    from services.suite.simulator.shape import Check
    from services.suite.simulator.vendor import Handler

MODELS = (
    *("kling-v1", "kling-v1-5", "kling-v1-6", "kling-v2-master", "kling-v2-1-master"),
    *("kling-v2-1", "kling-v2-5-turbo", "kling-v2-6", "kling-v3"),
)
MICROS_PER_SECOND = {"std": 42_000, "pro": 70_000, "4k": 420_000}
COMMON: dict[str, Check] = {
    "model_name": one_of(*MODELS),
    "prompt": text(2500),
    "negative_prompt": text(2500),
    "cfg_scale": number(0, 1),
    "mode": one_of(*MICROS_PER_SECOND),
    "sound": one_of("on", "off"),
    "duration": one_of(*map(str, range(3, 16))),
    "camera_control": anything,
    "watermark_info": record({"enabled": flag}),
    "callback_url": URL,
    "external_task_id": text(),
}
SHAPES = {
    "text2video": record(COMMON | {"aspect_ratio": one_of("16:9", "9:16", "1:1")}, "prompt"),
    "image2video": record(
        COMMON
        | {
            "image": URL_OR_BASE64,
            "image_tail": URL_OR_BASE64,
            "static_mask": anything,
            "dynamic_masks": anything,
        },
        "image",
    ),
}
WORDS = {Phase.QUEUED: "submitted", Phase.RUNNING: "processing", Phase.SUCCEEDED: "succeed"}


class KlingLegacy(Kling):
    """Kling's legacy API."""

    name: ClassVar[str] = "kling_legacy"
    prefix: ClassVar[str] = "kling"

    @override
    def doors(self) -> Iterable[tuple[str, str, Handler]]:
        for kind in SHAPES:
            yield "POST", f"/v1/videos/{kind}", self._create
            yield "GET", f"/v1/videos/{kind}/{{id}}", self._get

    @override
    def opens(self, ask: Ask) -> bool:
        token = ask.header("authorization").removeprefix("Bearer ")
        if super().opens(ask):
            return True
        try:
            claims = jwt.decode(
                token,
                SECRET_KEY,
                algorithms=["HS256"],
                issuer=ACCESS_KEY,
                options={"require": ["iss", "exp", "nbf"]},
            )
        except jwt.PyJWTError:
            return False
        return bool(claims)

    async def _create(self, ask: Ask) -> Response:
        kind = ask.request.url.path.rpartition("/")[2]
        self.check(ask.body, SHAPES[kind])
        body = ask.body
        seconds = int(body.get("duration", "5"))
        order = Order(
            model=body.get("model_name", "kling-v1"),
            prompt=body.get("prompt", ""),
            clip=Clip(seconds=seconds, ratio=body.get("aspect_ratio", "16:9")),
            price_micros=MICROS_PER_SECOND[body.get("mode", "std")] * seconds,
            body=None,
            webhook=body.get("callback_url", ""),
            external_id=body.get("external_task_id", ""),
            extra={"kind": kind},
        )
        if self.busy_at(order.external_id):
            return self.refuse(Why.INVALID, "external_task_id is taken")
        return await self.take(ask, order, lambda job: self._fine(self._task(job, self.look(job))))

    async def _get(self, ask: Ask) -> Response:
        kind, name = ask.request.url.path.split("/")[-2:]
        jobs = self.world.jobs(self.name)
        outside = (job.id for job in jobs if job.order.external_id == name)
        job, seen = self.poll(next(outside, name))
        if job.extra["kind"] != kind:
            return self.refuse(Why.MISSING)
        return self._fine(self._task(job, seen))

    def _task(self, job: Job, seen: View) -> dict[str, Any]:
        body: dict[str, Any] = {
            "task_id": job.id,
            "task_status": ODD_WORD if seen.odd else WORDS.get(seen.phase, "failed"),
            "task_info": {"external_task_id": job.order.external_id},
            "created_at": int(job.created.timestamp() * 1000),
            "updated_at": int(self.world.now().timestamp() * 1000),
        }
        if seen.phase is Phase.SUCCEEDED:
            seconds = f"{job.order.clip.seconds:.1f}"
            clip = {"id": job.id, "url": self.link(job), "duration": seconds}
            body["task_result"] = {"videos": [] if job.has(Fault.EMPTY_SUCCESS) else [clip]}
        if seen.failure in FAILURES:
            body["task_status_msg"] = FAILURES[seen.failure]
        return body

    @override
    def webhook(self, job: Job, seen: View) -> Any:
        return self._task(job, seen) if seen.over else None
