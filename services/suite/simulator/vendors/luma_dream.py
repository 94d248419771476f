"""Luma's Dream Machine API, the legacy one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from starlette.responses import JSONResponse, Response
from typing_extensions import override

from services.suite.simulator import faults as kinds
from services.suite.simulator.asking import Ask, Refused, Why
from services.suite.simulator.faults import Fault
from services.suite.simulator.jobs import ODD_WORD, Failure, Job, Order, Phase, View
from services.suite.simulator.media import Clip
from services.suite.simulator.shape import URL, first_of, flag, listing, one_of, record, text
from services.suite.simulator.vendor import Vendor
from services.suite.simulator.vendors.fal import details

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from services.suite.simulator.shape import Issue
    from services.suite.simulator.vendor import Handler

FRAME = first_of(
    record({"type": one_of("image"), "url": URL}, "type", "url"),
    record({"type": one_of("generation"), "id": text()}, "type", "id"),
)
BODY = record(
    {
        "generation_type": one_of("video"),
        "model": one_of("ray-2", "ray-flash-2", "ray-1-6"),
        "prompt": text(5000, shortest=3),
        "aspect_ratio": one_of("1:1", "16:9", "9:16", "4:3", "3:4", "21:9", "9:21"),
        "resolution": one_of("540p", "720p", "1080p", "4k"),
        "duration": one_of("5s", "9s"),
        "loop": flag,
        "keyframes": record({"frame0": FRAME, "frame1": FRAME}),
        "concepts": listing(record({"key": text()}, "key")),
        "callback_url": URL,
    },
    "model",
)
MICROS_PER_SECOND = {"540p": 45_000, "720p": 80_000, "1080p": 160_000, "4k": 320_000}
WORDS = {Phase.QUEUED: "queued", Phase.RUNNING: "dreaming", Phase.SUCCEEDED: "completed"}
FAILURES = {
    Failure.OUTPUT: "The output was blocked by content moderation",
    Failure.INTERNAL: "Job failed",
}


class LumaDream(Vendor):
    """Luma Dream Machine."""

    name: ClassVar[str] = "luma_dream"
    faults: ClassVar[frozenset[Fault]] = (
        Vendor.faults | (kinds.WEBHOOK - {Fault.WEBHOOK_FORGED, Fault.WEBHOOK_STALE})
    ) - {Fault.QUOTA}
    statuses: ClassVar[dict[Why, int]] = Vendor.statuses | {Why.CREDIT: 400}

    @override
    def doors(self) -> Iterable[tuple[str, str, Handler]]:
        yield "POST", "/dream-machine/v1/generations/video", self._submit
        yield "POST", "/dream-machine/v1/generations", self._submit
        yield "GET", "/dream-machine/v1/generations", self._list
        yield "GET", "/dream-machine/v1/generations/{id}", self._get
        yield "DELETE", "/dream-machine/v1/generations/{id}", self._delete
        yield "GET", "/dream-machine/v1/ping", self._ping

    @override
    def error(self, why: Why, message: str, issues: Sequence[Issue]) -> Any:
        if why is Why.CREDIT:
            message = "Insufficient credits"
        return {"detail": details(issues) if issues else message}

    async def _submit(self, ask: Ask) -> Response:
        self.check(ask.body, BODY)
        body = ask.body
        for frame in body.get("keyframes", {}).values():
            if frame["type"] == "generation":
                self._require_made(frame["id"])
        seconds = int(body.get("duration", "5s")[:-1])
        order = Order(
            model=body["model"],
            prompt=body.get("prompt", ""),
            clip=Clip(seconds=seconds, ratio=body.get("aspect_ratio", "16:9")),
            price_micros=MICROS_PER_SECOND[body.get("resolution", "720p")] * seconds,
            body=body,
            webhook=body.get("callback_url", ""),
        )
        answer = lambda job: JSONResponse(self._told(job, self.look(job)), status_code=201)  # noqa: E731 - used at once
        return await self.take(ask, order, answer)

    def _require_made(self, name: str) -> None:
        job = self.world.job(self.name, name)
        if job is None or self.look(job).phase is not Phase.SUCCEEDED:
            raise Refused(self.refuse(Why.INVALID, f"generation {name} is not completed"))

    def _told(self, job: Job, seen: View) -> dict[str, Any]:
        assets = None
        if seen.phase is Phase.SUCCEEDED:
            url = None if job.has(Fault.EMPTY_SUCCESS) else self.link(job)
            assets = {"video": url, "image": None, "progress_video": None}
        elif seen.phase is Phase.RUNNING:
            assets = {"video": None, "image": None, "progress_video": self._look_at(job)}
        return {
            "id": job.id,
            "generation_type": "video",
            "state": ODD_WORD if seen.odd else WORDS.get(seen.phase, "failed"),
            "failure_reason": FAILURES.get(seen.failure) if seen.failure else None,
            "created_at": job.created.isoformat().replace("+00:00", "Z"),
            "model": job.order.model,
            "assets": assets,
            "request": job.order.body,
        }

    def _look_at(self, job: Job) -> str:
        """Return where an unfinished look lies: the clip itself, by a link that is not counted."""
        path = f"/media/{job.vendor}/{job.id}/0/0.{job.order.clip.kind}"
        stamp = f"{job.created.timestamp() + self.link_seconds:.3f}"
        signed = self.world.sign(path + stamp)
        return f"{self.world.media_url}{path}?expires={stamp}&signature={signed}"

    async def _get(self, ask: Ask) -> Response:
        job, seen = self.poll(ask.path("id"))
        return JSONResponse(self._told(job, seen))

    async def _list(self, ask: Ask) -> Response:
        limit, offset = int(ask.query("limit") or 10), int(ask.query("offset") or 0)
        jobs = self.world.jobs(self.name)
        page = [self._told(job, self.look(job)) for job in jobs[offset : offset + limit]]
        more = offset + limit < len(jobs)
        body = {"generations": page, "count": len(jobs), "limit": limit, "offset": offset}
        return JSONResponse({**body, "has_more": more})

    async def _delete(self, ask: Ask) -> Response:
        job = self.find(ask.path("id"))
        job.deleted = True
        return Response(status_code=204)

    async def _ping(self, ask: Ask) -> Response:
        del ask
        return JSONResponse({"message": "pong"})

    @override
    def webhook(self, job: Job, seen: View) -> Any:
        return self._told(job, seen) if seen.over else None
