"""What every simulated vendor is made of: doors, keys, faults on the way in and out."""

from __future__ import annotations

import asyncio
import json
from abc import ABC, abstractmethod
from inspect import isawaitable
from typing import TYPE_CHECKING, Any, ClassVar

from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from services.suite.simulator import faults as kinds
from services.suite.simulator.asking import HTML, REFUSALS, WORDS, Ask, Refused, Why
from services.suite.simulator.faults import Fault, UnknownFault
from services.suite.simulator.jobs import Failure, Job, Order, Phase, View, view
from services.suite.simulator.media import rendered
from services.suite.simulator.settings import KEY_PREFIX
from services.suite.simulator.signatures import Signature
from services.suite.simulator.wire import HangUp, form_of
from services.suite.simulator.world import World, digest_of

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Sequence
    from datetime import datetime

    from starlette.requests import Request

    from services.suite.simulator.shape import Check, Issue

    Handler = Callable[[Ask], Awaitable[Response]]
    Answer = Callable[[Job], Response | Awaitable[Response]]


class Vendor(ABC):
    """One vendor's contract. `keeps_charge` are the failures that it does not pay back."""

    name: ClassVar[str]
    prefix: ClassVar[str] = ""
    faults: ClassVar[frozenset[Fault]] = kinds.BEFORE | kinds.LOST | kinds.JOB | kinds.LINK
    keeps_charge: ClassVar[frozenset[Failure]] = frozenset()
    moderates_at_submit: ClassVar[bool] = True
    link_seconds: ClassVar[float] = 86_400.0
    rotates_links: ClassVar[bool] = False
    signature: ClassVar[Signature] = Signature.NONE
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
        self.world.calls.append(
            {
                "time": self.world.now().isoformat(),
                "vendor": self.name,
                "method": ask.request.method,
                "path": ask.request.url.path,
                "query": ask.request.url.query,
                "status": 0 if isinstance(response, HangUp) else response.status_code,
            }
        )

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
        """Return a refusal in the vendor's words, with Retry-After under HTTP 429."""
        body = self.error(why, message or WORDS[why], issues)
        status = self.statuses[why]
        wait = {"retry-after": str(self.world.settings.retry_after_seconds)}
        return JSONResponse(body, status_code=status, headers=wait if status == 429 else None)

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

    async def take(self, ask: Ask, order: Order, answer: Answer) -> Response:
        """Accept an order and answer it, or meet the fault that is due."""
        drawn = self.world.scenario.draw(self.name, order.prompt, self.faults)
        refusal = self._refused(drawn)
        if refusal is not None:
            return refusal
        job = self.world.open_job(self.name, order, drawn, self.job_name())
        job.extra.update(order.extra)
        self.world.begun(job, ask.account)
        if "invalid" not in job.extra:
            key = ask.header("idempotency-key") or order.external_id
            self.world.charge(job, digest_of(ask.raw), key)
        if order.webhook:
            self.world.announce(self, job)
        spoilt = self._spoilt(drawn)
        if spoilt is not None:
            return spoilt
        answered = answer(job)
        return await answered if isawaitable(answered) else answered

    def _refused(self, drawn: dict[Fault, int]) -> Response | None:
        if Fault.DROPPED_REQUEST in drawn:
            return HangUp()
        if Fault.OK_ERROR in drawn:
            return JSONResponse(self.error(Why.CREDIT, WORDS[Why.CREDIT], ()))
        if Fault.MODERATED_BEFORE in drawn and self.moderates_at_submit:
            return self.refuse(Why.MODERATED)
        why = next((why for fault, why in REFUSALS.items() if fault in drawn), None)
        return None if why is None else self.refuse(why)

    def _spoilt(self, drawn: dict[Fault, int]) -> Response | None:
        if Fault.LOST_RESPONSE in drawn:
            return HangUp()
        if Fault.HUNG_RESPONSE in drawn:
            return HangUp(self.world.settings.hang_seconds)
        if Fault.GARBLED_RESPONSE in drawn:
            return Response(HTML, media_type="text/html")
        if Fault.ACCEPTED_ERROR in drawn:  # the vendor's front gives up, what is behind it does not
            return Response(HTML, status_code=502, media_type="text/html")
        return None

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
        """Return how a job stands, to tell it."""
        seen = view(job, self.world.now())
        if seen.failure is Failure.INTERNAL:
            job.extra.setdefault("told", self.world.now())
        return seen

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

    async def inline(self, job: Job, index: int = 0) -> bytes:
        """Return a result that travels in the answer itself, spoilt where that is due."""
        data = await rendered(job.order.clip, f"{job.id}/{index}")
        if job.has(Fault.WRONG_FILE):
            return b"<html><body>not what you asked for</body></html>"
        return data[: len(data) // 2] if job.has(Fault.TRUNCATED_FILE) else data

    async def work(self, job: Job) -> None:
        """Take the time that the job takes, where the vendor answers when it is done."""
        await asyncio.sleep(job.seconds)
