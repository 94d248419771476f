"""What every simulated vendor is made of: doors, keys, faults on the way in and out."""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any, ClassVar

from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from services.suite.simulator import faults as kinds
from services.suite.simulator.faults import Fault, UnknownFault
from services.suite.simulator.jobs import Failure, Job, Order, Phase, View, view
from services.suite.simulator.settings import KEY_PREFIX
from services.suite.simulator.wire import HangUp, form_of
from services.suite.simulator.world import World, digest_of

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Sequence
    from datetime import datetime

    from starlette.requests import Request

    from services.suite.simulator.shape import Check, Issue

    Handler = Callable[["Ask"], Awaitable[Response]]


class Why(StrEnum):
    """Why a call is refused."""

    KEY = "key"
    INVALID = "invalid"
    MISSING = "missing"
    RATE = "rate"
    QUOTA = "quota"
    CREDIT = "credit"
    MODERATED = "moderated"
    DOWN = "down"


WORDS = {
    Why.KEY: "Invalid API key provided",
    Why.INVALID: "Invalid request",
    Why.MISSING: "Not found",
    Why.RATE: "Rate limit exceeded, please retry later",
    Why.QUOTA: "You have used up your quota",
    Why.CREDIT: "Insufficient balance",
    Why.MODERATED: "The input was flagged by our content moderation system",
    Why.DOWN: "The server is overloaded, please try again",
}
REFUSALS = {
    Fault.SUBMIT_ERROR: Why.DOWN,
    Fault.RATE_LIMITED: Why.RATE,
    Fault.QUOTA: Why.QUOTA,
    Fault.NO_CREDIT: Why.CREDIT,
}


class Refused(Exception):  # noqa: N818 - it carries an answer and is no defect
    """Ends a call with the vendor's answer."""

    def __init__(self, response: Response) -> None:
        super().__init__(response.status_code)
        self.response = response


@dataclass(slots=True)
class Ask:
    """A call. `body` is its JSON or the plain values of its form."""

    request: Request
    raw: bytes
    body: Any = None
    files: dict[str, bytes] = field(default_factory=dict)

    def path(self, name: str) -> str:
        """Return a part of the path."""
        return str(self.request.path_params[name])

    def header(self, name: str) -> str:
        """Return a header, "" where there is none."""
        return self.request.headers.get(name, "")

    def query(self, name: str) -> str:
        """Return a parameter of the query, "" where there is none."""
        return self.request.query_params.get(name, "")


class Vendor(ABC):
    """One vendor's contract. `keeps_charge` are the failures that it does not pay back."""

    name: ClassVar[str]
    prefix: ClassVar[str] = ""
    faults: ClassVar[frozenset[Fault]] = kinds.BEFORE | kinds.LOST | kinds.JOB | kinds.LINK
    keeps_charge: ClassVar[frozenset[Failure]] = frozenset()
    moderates_at_submit: ClassVar[bool] = True
    link_seconds: ClassVar[float] = 86_400.0
    rotates_links: ClassVar[bool] = False
    statuses: ClassVar[dict[Why, int]] = {
        Why.KEY: 401,
        Why.INVALID: 400,
        Why.MISSING: 404,
        Why.RATE: 429,
        Why.QUOTA: 429,
        Why.CREDIT: 402,
        Why.MODERATED: 400,
        Why.DOWN: 503,
    }

    def __init__(self, world: World) -> None:
        self.world = world

    @abstractmethod
    def doors(self) -> Iterable[tuple[str, str, Handler]]:
        """Return method, path and handler of every call."""

    @abstractmethod
    def error(self, why: Why, message: str, issues: Sequence[Issue]) -> Any:
        """Return the body with which this vendor refuses."""

    def webhook(self, job: Job, seen: View) -> Any:
        """Return the body of a callback, None for nothing to say."""
        del job, seen

    # ------------------------------------------------------------------ plumbing
    def routes(self) -> list[Route]:
        """Return the doors as routes, the last one answering for what does not exist."""
        prefix = f"/{self.prefix or self.name}"
        return [
            Route(prefix + path, self._guarded(handler), methods=[method])
            for method, path, handler in self.doors()
        ]

    def nowhere(self) -> Route:
        """Return the route of what does not exist."""

        async def missing(ask: Ask) -> Response:
            del ask
            return self.refuse(Why.MISSING)

        every = ["GET", "POST", "PUT", "PATCH", "DELETE"]
        path = f"/{self.prefix or self.name}/{{rest:path}}"
        return Route(path, self._guarded(missing), methods=every)

    def _guarded(self, handler: Handler) -> Callable[[Request], Awaitable[Response]]:
        async def endpoint(request: Request) -> Response:
            ask = Ask(request, await request.body())
            try:
                response = self._locked(ask) or await handler(self._read(ask))
            except Refused as refused:
                response = refused.response
            except UnknownFault as error:
                response = JSONResponse({"simulator": str(error)}, status_code=400)
            self._note(ask, response)
            return response

        return endpoint

    def _note(self, ask: Ask, response: Response) -> None:
        self.world.calls.append({
            "time": self.world.now().isoformat(),
            "vendor": self.name,
            "method": ask.request.method,
            "path": ask.request.url.path,
            "query": ask.request.url.query,
            "status": 0 if isinstance(response, HangUp) else response.status_code,
        })

    def _locked(self, ask: Ask) -> Response | None:
        return None if self.opens(ask) else self.refuse(Why.KEY)

    def opens(self, ask: Ask) -> bool:
        """Tell whether the caller's key is good."""
        return ask.header("authorization").startswith(f"Bearer {KEY_PREFIX}")

    def _read(self, ask: Ask) -> Ask:
        content_type = ask.header("content-type")
        if content_type.startswith("multipart/form-data"):
            ask.body, ask.files = form_of(content_type, ask.raw)
        elif ask.raw:
            if "json" not in content_type:
                raise Refused(self.refuse(Why.INVALID, f"Unsupported media type {content_type!r}"))
            try:
                ask.body = json.loads(ask.raw)
            except ValueError:
                raise Refused(self.refuse(Why.INVALID, "The body is not JSON")) from None
        return ask

    def refuse(self, why: Why, message: str = "", issues: Sequence[Issue] = ()) -> Response:
        """Return a refusal in the vendor's words, with Retry-After where it is about a rate."""
        body = self.error(why, message or WORDS[why], issues)
        headers = {"retry-after": str(self.world.settings.retry_after_seconds)}
        return JSONResponse(
            body, status_code=self.statuses[why], headers=headers if why is Why.RATE else None
        )

    def check(self, body: Any, shape: Check, extra: Iterable[Issue] = ()) -> None:
        """Refuse a body that is not of this shape, or of which `extra` is wrong."""
        issues = list(shape(body, ())) or list(extra)
        if issues:
            words = "; ".join(f"{issue.where}: {issue.message}" for issue in issues[:3])
            raise Refused(self.refuse(Why.INVALID, words, issues))

    # ------------------------------------------------------------------ jobs
    def job_name(self) -> str:
        """Return an id in the vendor's style."""
        return str(self.world.new_uuid())

    async def take(self, ask: Ask, order: Order, answer: Callable[[Job], Response]) -> Response:
        """Accept an order and answer it, or meet the fault that is due."""
        drawn = self.world.scenario.draw(self.name, order.prompt, self.faults)
        if Fault.DROPPED_REQUEST in drawn:
            return HangUp()
        for fault, why in REFUSALS.items():
            if fault in drawn:
                return self.refuse(why)
        if Fault.MODERATED_BEFORE in drawn and self.moderates_at_submit:
            return self.refuse(Why.MODERATED)
        job = self.world.open_job(self.name, order, drawn, self.job_name())
        job.extra.update(order.extra)
        if "invalid" not in job.extra:
            key = ask.header("idempotency-key") or order.external_id
            self.world.charge(job, digest_of(ask.raw, ask.body), key)
        if order.webhook:
            self.world.announce(self, job)
        return self._spoilt(drawn) or answer(job)

    def _spoilt(self, drawn: dict[Fault, int]) -> Response | None:
        if Fault.LOST_RESPONSE in drawn:
            return HangUp()
        if Fault.HUNG_RESPONSE in drawn:
            return HangUp(self.world.settings.hang_seconds)
        if Fault.GARBLED_RESPONSE in drawn:
            return Response("<html><body>502 Bad Gateway", media_type="text/html")
        return self.refuse(Why.DOWN) if Fault.ACCEPTED_ERROR in drawn else None

    def find(self, name: str) -> Job:
        """Return a job. Ends the call as the vendor does where there is none."""
        job = self.world.job(self.name, name)
        if job is None or job.has(Fault.JOB_LOST):
            raise Refused(self.refuse(Why.MISSING))
        return job

    def poll(self, name: str) -> tuple[Job, View]:
        """Return a job and how it stands, or meet the fault that is due."""
        job = self.find(name)
        if job.shows(Fault.POLL_ERROR):
            raise Refused(self.refuse(Why.DOWN))
        if job.shows(Fault.POLL_RATE_LIMITED):
            raise Refused(self.refuse(Why.RATE))
        return job, self.look(job)

    def look(self, job: Job) -> View:
        """Return how a job stands."""
        return view(job, self.world.now())

    def stop(self, job: Job) -> None:
        """Cancel a job."""
        job.extra["cancelled_in"] = self.look(job).phase
        job.cancelled = self.world.now()

    def refunds(self, job: Job, now: datetime) -> bool:
        """Tell whether the money of a job goes back."""
        seen = view(job, now)
        if seen.phase is Phase.CANCELLED:
            return job.extra.get("cancelled_in") is Phase.QUEUED
        hidden = job.has(Fault.HIDDEN_FAILURE) or job.has(Fault.EMPTY_SUCCESS)
        failure = seen.failure or (Failure.INTERNAL if hidden and seen.over else None)
        return failure is not None and failure not in self.keeps_charge

    def link(self, job: Job, index: int = 0) -> str:
        """Return a fresh address of a result."""
        return self.world.link(job, self.link_seconds, index=index)
