"""What the servers of `/v1/videos` have in common."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, ClassVar

from starlette.responses import JSONResponse, Response
from typing_extensions import override

from services.suite.simulator import faults as kinds
from services.suite.simulator.asking import Ask, Refused, Why
from services.suite.simulator.faults import Fault
from services.suite.simulator.jobs import ODD_WORD, Failure, Job, Order, Phase, View
from services.suite.simulator.media import Clip
from services.suite.simulator.results import deliver
from services.suite.simulator.settings import KEY_PREFIX, MODEL
from services.suite.simulator.shape import Check, Issue, matching, record, text
from services.suite.simulator.vendor import Vendor
from services.suite.simulator.vendors.openai import openai_error

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from services.suite.simulator.vendor import Handler

DIGITS = matching(r"[1-9]\d*", "a whole number")
DECIMAL = matching(r"\d+(\.\d+)?", "a number")
SIZE = matching(r"\d+x\d+", "WIDTHxHEIGHT")
ENGINE: dict[str, Check] = {
    "prompt": text(32_000, shortest=1),
    "model": text(),
    "seconds": DIGITS,
    "size": SIZE,
    "width": DIGITS,
    "height": DIGITS,
    "fps": DIGITS,
    "num_frames": DIGITS,
    "num_inference_steps": DIGITS,
    "guidance_scale": DECIMAL,
    "guidance_scale_2": DECIMAL,
    "true_cfg_scale": DECIMAL,
    "flow_shift": DECIMAL,
    "seed": matching(r"\d+", "a whole number"),
    "negative_prompt": text(),
    "generate_sound": text(),
    "extra_params": text(),
}
WORDS = {
    Phase.QUEUED: "queued",
    Phase.RUNNING: "in_progress",
    Phase.SUCCEEDED: "completed",
    Phase.CANCELLED: "cancelled",
}
FAILURES = {
    Failure.OUTPUT: ("moderation_blocked", "The video was blocked by our safety system"),
    Failure.INTERNAL: ("generation_failed", "The worker failed"),
}
FAULTS = (kinds.BEFORE | kinds.LOST | kinds.JOB | kinds.FILE) - {
    Fault.EMPTY_SUCCESS,
    Fault.NO_CREDIT,
    Fault.QUOTA,
    Fault.RATE_LIMITED,
}


class Engine(Vendor):
    """What the servers have in common: no price, no limits, jobs in memory."""

    faults: ClassVar[frozenset[Fault]] = FAULTS - {Fault.MODERATED_BEFORE, Fault.MODERATED_AFTER}
    fields: ClassVar[dict[str, Check]] = ENGINE
    plain_detail: ClassVar[bool] = True  # {"detail": text}, not OpenAI's shape
    takes_json: ClassVar[bool] = True
    picture_fields: ClassVar[tuple[str, ...]] = ("reference_url",)
    clip_fields: ClassVar[tuple[str, ...]] = ()

    @override
    def doors(self) -> Iterable[tuple[str, str, Handler]]:
        yield "POST", "/v1/videos", self._submit
        yield "GET", "/v1/videos", self._list
        yield "GET", "/v1/videos/{id}", self._get
        yield "GET", "/v1/videos/{id}/content", self._content
        yield "DELETE", "/v1/videos/{id}", self._delete

    @override
    def opens(self, ask: Ask) -> bool:
        """Self-hosted: a key is not needed, one that is sent must be good."""
        key = ask.header("authorization")
        return not key or key.startswith(f"Bearer {KEY_PREFIX}")

    @override
    def error(self, why: Why, message: str, issues: Sequence[Issue]) -> Any:
        return {"detail": message} if self.plain_detail else openai_error(why, message, issues)

    @override
    def job_name(self) -> str:
        return f"video_gen_{self.world.new_uuid().hex}"

    def price(self, ask: Ask) -> int:
        """Return micro-USD; an own server bills nothing."""
        del ask
        return 0

    def _strict(self, ask: Ask) -> None:
        form = ask.header("content-type").startswith("multipart/form-data")
        if not (form or self.takes_json):
            raise Refused(self.refuse(Why.INVALID, "multipart/form-data is needed"))
        body = ask.body
        if isinstance(body, dict) and not form:
            plain = {bool, int, float}
            body = {k: json.dumps(v) if type(v) in plain else v for k, v in body.items()}
            ask.body = body
        pictures = dict.fromkeys((*self.picture_fields, *self.clip_fields), text(shortest=1))
        self.check(body, record({**self.fields, **pictures}, "prompt"), _files(ask))
        if self.name == "vllm_omni" and body.get("model", MODEL) != MODEL:
            raise Refused(self.refuse(Why.INVALID, f"Model mismatch: this server serves {MODEL}"))

    async def _submit(self, ask: Ask) -> Response:
        self._strict(ask)
        body = ask.body
        order = Order(
            model=body.get("model", MODEL),
            prompt=body["prompt"],
            clip=Clip(
                seconds=float(body.get("seconds", "4")),
                ratio=body.get("size", "1280x720").replace("x", ":"),
            ),
            price_micros=self.price(ask),
            body={"seconds": body.get("seconds", "4"), "size": body.get("size", "1280x720")},
        )
        return await self.take(ask, order, lambda job: JSONResponse(self.told(job, self.look(job))))

    def told(self, job: Job, seen: View) -> dict[str, Any]:
        """Return a job as the server shows it."""
        end = int(job.created.timestamp() + job.seconds) if seen.over else None
        body = {
            "id": job.id,
            "object": "video",
            "model": job.order.model,
            "status": ODD_WORD if seen.odd else self.word(seen),
            "progress": self.progress(seen),
            "created_at": int(job.created.timestamp()),
            "completed_at": end,
            "expires_at": None,
            **job.order.body,
            "prompt": job.order.prompt,
            "error": None,
        }
        if seen.failure in FAILURES:
            code, message = FAILURES[seen.failure]
            body["error"] = {"code": code, "message": message}
        return body

    def word(self, seen: View) -> str:
        """Return the status word."""
        return WORDS.get(seen.phase, "failed")

    def progress(self, seen: View) -> int:
        """Return the progress in percent."""
        return round(seen.progress * 100)

    async def _get(self, ask: Ask) -> Response:
        job, seen = self.poll(ask.path("id"))
        return self.shown(job, seen)

    def shown(self, job: Job, seen: View) -> Response:
        """Answer how a job stands."""
        return JSONResponse(self.told(job, seen))

    async def _list(self, ask: Ask) -> Response:
        del ask
        data = [self.told(job, self.look(job)) for job in self.world.jobs(self.name)[:100]]
        return JSONResponse({"object": "list", "data": data, "has_more": False})

    async def _content(self, ask: Ask) -> Response:
        job, seen = self.poll(ask.path("id"))
        if not seen.over:
            return self.refuse(Why.MISSING, "Generation is still in-progress")
        if seen.phase is not Phase.SUCCEEDED:
            return JSONResponse({"detail": "the generation failed"}, status_code=422)
        return await deliver(self.world, job, 0, ask.header("range"))

    async def _delete(self, ask: Ask) -> Response:
        job = self.find(ask.path("id"))
        if not self.look(job).over:
            self.stop(job)
        job.deleted = True
        return JSONResponse(self.deleted(job))

    def deleted(self, job: Job) -> dict[str, Any]:
        """Return the answer to a deletion."""
        return {"id": job.id, "object": "video.deleted", "deleted": True}


def _files(ask: Ask) -> Iterable[Issue]:
    for name in ask.files:
        if name != "input_reference":
            yield Issue((name,), "unknown", f"Unexpected file {name!r}")
