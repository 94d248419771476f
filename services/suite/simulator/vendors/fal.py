"""fal's queue: any model by its path. `COMPLETED` covers failure too."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any, ClassVar

from nacl.signing import SigningKey
from starlette.responses import JSONResponse, Response
from typing_extensions import override

from services.suite.simulator import faults as kinds
from services.suite.simulator.asking import Ask, Refused, Why
from services.suite.simulator.faults import Fault
from services.suite.simulator.jobs import ODD_WORD, Failure, Job, Order, Phase, View
from services.suite.simulator.media import MEDIA_TYPES, Kind
from services.suite.simulator.settings import KEY_PREFIX, WEBHOOK_SEED
from services.suite.simulator.shape import record, text
from services.suite.simulator.signatures import Signature
from services.suite.simulator.uploads import place
from services.suite.simulator.vendor import Vendor
from services.suite.simulator.vendors.fal_bill import billing_events
from services.suite.simulator.vendors.fal_models import clip_of, model_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from services.suite.simulator.shape import Issue
    from services.suite.simulator.vendor import Handler

TYPES = {
    "missing": "missing",
    "unknown": "extra_forbidden",
    "type": "type_error",
    "choice": "literal_error",
    "too_big": "less_than_equal",
    "too_small": "greater_than_equal",
}
UPLOAD = record(
    {"file_name": text(shortest=1), "content_type": text(shortest=1)}, "file_name", "content_type"
)
ERROR_TYPES = {
    Why.DOWN: "runner_scheduling_failure",
    Why.RATE: "rate_limit",
    Why.INVALID: "bad_request",
}


def details(issues: Sequence[Issue]) -> list[dict[str, Any]]:
    """Return issues as FastAPI spells them."""
    return [
        {
            "loc": ["body", *issue.path],
            "msg": issue.message,
            "type": TYPES.get(issue.code, "value_error"),
        }
        for issue in issues
    ]


def app_of(model: str) -> str:
    """Return owner and app of a model's path: follow-up addresses drop the rest."""
    keep = 3 if model.startswith(("workflows/", "comfy/")) else 2
    return "/".join(model.split("/")[:keep])


class Fal(Vendor):
    """fal's queue."""

    name: ClassVar[str] = "fal"
    faults: ClassVar[frozenset[Fault]] = (
        Vendor.faults | kinds.WEBHOOK | {Fault.HIDDEN_FAILURE}
    ) - {Fault.QUOTA}
    keeps_charge: ClassVar[frozenset[Failure]] = frozenset({Failure.OUTPUT})
    moderates_at_submit: ClassVar[bool] = False
    link_seconds: ClassVar[float] = 7 * 86_400.0
    statuses: ClassVar[dict[Why, int]] = Vendor.statuses | {Why.CREDIT: 403}
    signature: ClassVar[Signature] = Signature.ED25519

    @override
    def doors(self) -> Iterable[tuple[str, str, Handler]]:
        yield "GET", "/.well-known/jwks.json", self._keys
        yield "GET", "/v1/models/billing-events", self._bill
        yield "GET", "/{app:path}/requests/{id}/status", self._status
        yield "PUT", "/{app:path}/requests/{id}/cancel", self._cancel
        yield "GET", "/{app:path}/requests/{id}", self._result
        yield "POST", "/storage/upload/initiate", self._upload
        yield "POST", "/{model:path}", self._submit

    @override
    def opens(self, ask: Ask) -> bool:
        public = ask.request.url.path.endswith("/.well-known/jwks.json")
        return public or ask.header("authorization").startswith(f"Key {KEY_PREFIX}")

    @override
    def error(self, why: Why, message: str, issues: Sequence[Issue]) -> Any:
        if why is Why.CREDIT:
            where = "Top up your balance at fal.ai/dashboard/billing."
            return {"detail": f"User is locked. Reason: Exhausted balance. {where}"}
        if issues:
            return {"detail": details(issues)}
        kind = ERROR_TYPES.get(why)
        return {"detail": message, "error_type": kind} if kind else {"detail": message}

    def address(self, job: Job) -> str:
        """Return where a request is followed."""
        queue = f"{self.world.url}/{self.prefix or self.name}"
        return f"{queue}/{app_of(job.order.model)}/requests/{job.id}"

    def _urls(self, job: Job) -> dict[str, Any]:
        address = self.address(job)
        return {
            "request_id": job.id,
            "response_url": address,
            "status_url": f"{address}/status",
            "cancel_url": f"{address}/cancel",
        }

    async def _keys(self, ask: Ask) -> Response:
        del ask
        public = SigningKey(WEBHOOK_SEED).verify_key.encode()
        x = base64.urlsafe_b64encode(public).rstrip(b"=").decode()
        return JSONResponse({"keys": [{"kty": "OKP", "crv": "Ed25519", "x": x}]})

    async def _bill(self, ask: Ask) -> Response:
        return JSONResponse(billing_events(self.world, self.refunds, ask, self.name))

    async def _upload(self, ask: Ask) -> Response:
        if ask.query("storage_type") not in {"gcs", "fal-cdn-v3"}:
            return self.refuse(Why.INVALID, "storage_type must be gcs or fal-cdn-v3")
        self.check(ask.body, UPLOAD)
        _, address, policy = place(self.world)
        return JSONResponse({"upload_url": f"{address}?policy={policy}", "file_url": address})

    async def _submit(self, ask: Ask) -> Response:
        path = ask.path("model")
        if path.count("/") < 1 or "/requests/" in path or not isinstance(ask.body, dict):
            return self.refuse(Why.MISSING, f"Application {path!r} not found")
        model = model_of(path)
        issues = list(model.shape(ask.body, ()))
        prompt = next(
            (str(ask.body[name]) for name in ("prompt", "text", "tags") if name in ask.body), ""
        )
        order = Order(
            model=path,
            prompt=prompt,
            clip=clip_of(model, {} if issues else ask.body),
            price_micros=0 if issues else model.price(ask.body),
            body=None,
            webhook=ask.query("fal_webhook"),
            extra={"invalid": details(issues)} if issues else {},
        )

        def answer(job: Job) -> Response:
            body = {**self._urls(job), "status": "IN_QUEUE", "queue_position": 0}
            return JSONResponse(body, headers={"x-fal-request-id": job.id})

        return await self.take(ask, order, answer)

    def _mine(self, ask: Ask) -> tuple[Job, View]:
        job, seen = self.poll(ask.path("id"))
        if ask.path("app") != app_of(job.order.model):
            raise Refused(self.refuse(Why.MISSING))
        return job, seen

    async def _status(self, ask: Ask) -> Response:
        job, seen = self._mine(ask)
        if not seen.over:
            word = "IN_QUEUE" if seen.phase is Phase.QUEUED else "IN_PROGRESS"
            body = {
                "status": ODD_WORD.upper() if seen.odd else word,
                **self._urls(job),
                "logs": None,
            }
            body |= {"queue_position": 0} if seen.phase is Phase.QUEUED else {}
            return JSONResponse(body, status_code=202)
        body = {"status": "COMPLETED", **self._urls(job), "logs": []}
        body["metrics"] = {"inference_time": round(job.seconds, 3)}
        if seen.failure is Failure.INTERNAL:
            body |= {"error": "Runner failed", "error_type": "runner_server_error"}
        if seen.phase is Phase.CANCELLED:
            body |= {"error": "Request cancelled", "error_type": "client_cancelled"}
        return JSONResponse(body)

    async def _result(self, ask: Ask) -> Response:
        job, seen = self._mine(ask)
        if not seen.over:
            return self.refuse(Why.INVALID, "Request is still in progress")
        status, body = self.outcome(job, seen)
        units = "0" if self.refunds(job, self.world.now()) else "1"
        return JSONResponse(body, status_code=status, headers={"x-fal-billable-units": units})

    def outcome(self, job: Job, seen: View) -> tuple[int, Any]:
        """Return status and body of a result that is there."""
        if seen.failure is Failure.INVALID:
            return 422, {"detail": job.extra["invalid"]}
        if seen.failure in {Failure.INPUT, Failure.OUTPUT}:
            message = (
                "The content could not be processed because it was flagged by a content checker."
            )
            where = ["body", "prompt"]
            return 422, {
                "detail": [{"loc": where, "msg": message, "type": "content_policy_violation"}]
            }
        if seen.phase is Phase.CANCELLED:
            return 499, {"detail": "Request cancelled", "error_type": "client_cancelled"}
        if seen.failure is Failure.INTERNAL or job.has(Fault.HIDDEN_FAILURE):
            return 500, {"detail": "Internal server error", "error_type": "internal_error"}
        return 200, self._output(job)

    def _output(self, job: Job) -> dict[str, Any]:
        clip = job.order.clip
        count = 0 if job.has(Fault.EMPTY_SUCCESS) else clip.count
        files = [
            {
                "url": self.link(job, index),
                "content_type": MEDIA_TYPES[clip.kind],
                "file_name": f"output.{clip.kind}",
            }
            for index in range(count)
        ]
        if clip.kind is Kind.IMAGE:
            return {"images": files, "seed": 7, "has_nsfw_concepts": [False] * count}
        key = "video" if clip.kind is Kind.VIDEO else "audio"
        return {key: files[0] if files else None, "seed": 7}

    async def _cancel(self, ask: Ask) -> Response:
        try:
            job, seen = self._mine(ask)
        except Refused:
            return JSONResponse({"status": "NOT_FOUND"}, status_code=404)
        if seen.over:
            return JSONResponse({"status": "ALREADY_COMPLETED"}, status_code=400)
        self.stop(job)
        return JSONResponse({"status": "CANCELLATION_REQUESTED"}, status_code=202)

    @override
    def webhook(self, job: Job, seen: View) -> Any:
        if not seen.over:
            return None
        status, body = self.outcome(job, seen)
        fine = status < 300
        told: dict[str, Any] = {
            "request_id": job.id,
            "gateway_request_id": job.id,
            "status": "OK" if fine else "ERROR",
        }
        told |= {"payload": body, "error": None if fine else f"Invalid status code: {status}"}
        return told
