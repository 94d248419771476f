"""The only module that talks HTTP to vendors: sends calls, and says what a missing answer means.

A submit may cost money, so it is sent once. When nothing can have left this machine the error is
Unavailable and it may be sent again; when bytes may have left it is UnknownOutcome and must not be.
Everything else is a question and may be repeated.
"""

from collections.abc import Callable
from datetime import datetime

import httpx

from services.common.errors import (
    NotFound,
    ProviderRefused,
    RateLimited,
    Unavailable,
    UnknownOutcome,
)
from services.generator.domain.tasks import Media
from services.generator.providers.adapter import (
    Accepted,
    Adapter,
    Call,
    Failed,
    Fault,
    Outcome,
    Place,
    Reply,
    Running,
    Submission,
    Succeeded,
    Update,
    fault_of_status,
    refused,
    text,
    text_of,
)
from services.generator.providers.connections import PAID, TIMEOUT, check_head, written
from services.generator.providers.replies import read_all, reply_of
from services.generator.providers.tokens import Session

MAX_HOPS = 4
MEDIA = ("audio/", "image/", "video/")
_UNDELIVERED = (
    httpx.ConnectError,
    httpx.ConnectTimeout,
    httpx.PoolTimeout,
    httpx.UnsupportedProtocol,
    httpx.InvalidURL,
)
SUBMIT_TIMEOUT = httpx.Timeout(240.0, connect=10.0)


class Client:
    """One vendor, as the machine uses it."""

    def __init__(
        self, adapter: Adapter, http: httpx.AsyncClient, *, now: Callable[[], datetime]
    ) -> None:
        """Speak to `adapter`'s vendor over `http`, which the caller closes."""
        self._adapter = adapter
        self._http = http
        self._now = now
        self._session = Session(adapter, http, now=now)

    async def signed_in(self) -> Adapter:
        """Return the adapter with whatever token its vendor wants to see now.

        Raises Unavailable or ProviderRefused when there is none.
        """
        return await self._session.adapter()

    async def submit(self, submission: Submission) -> Outcome:
        """Ask for a job, once.

        Returns Accepted, Succeeded (vendors that answer at once) or Failed (a definitive refusal).
        Raises Unavailable when the request provably never left, ProviderRefused when it could not
        be written, and UnknownOutcome when its answer is lost or unreadable.
        """
        call = self._adapter.submit(submission)
        try:
            reply = await self._send(call, SUBMIT_TIMEOUT)
        except _UNDELIVERED as error:
            message = f"the vendor was not reached: {type(error).__name__}"
            raise Unavailable(message, metadata={"delivered": "no"}) from error
        except (httpx.HTTPError, UnicodeError) as error:  # the latter: it redirects to no host name
            message = f"the answer to a paid call was lost: {type(error).__name__}"
            raise UnknownOutcome(message) from error
        return self._judged(reply)

    async def upload(self, picture: Media) -> Place:
        """Have a picture taken in, or be told where to put it. It costs nothing.

        Raises Unavailable or RateLimited when it may be tried again, else ProviderRefused.
        """
        uploads = self._adapter.uploads
        if uploads is None:
            message = "the vendor takes no uploads"
            raise ProviderRefused(message)
        reply = await self._ask(uploads.call(picture, self._adapter.upload_host))
        place = uploads.read(reply) if reply.status < 300 else None
        if place is None:
            raise refused(reply).error()
        return place

    async def poll(self, job: str) -> Update:
        """Return how the job stands, following the vendor's further calls.

        Raises Unavailable or RateLimited when it should be asked again later, and ProviderRefused
        when the credentials no longer serve: none of them ends the job.
        """
        call = self._adapter.poll(job)
        for _ in range(MAX_HOPS):
            reply = await self._ask(call)
            update = self._read(job, reply)
            if not isinstance(update, Call):
                return _whole(update)
            call = update
        message = "the vendor sends us in a circle"
        raise Unavailable(message)

    async def cancel(self, job: str) -> bool:
        """Ask the vendor to stop; True when it agreed, False when it cannot or it is too late."""
        if (call := self._adapter.cancel(job)) is None:
            return False
        if self._adapter.cancel_destroys and not isinstance(await self.poll(job), Running):
            return False  # it has ended: asking now would delete a clip that is paid for
        reply = await self._ask(call)
        if reply.status >= 500 or reply.status == 429:
            message = f"HTTP {reply.status} to a cancellation"
            raise Unavailable(message, reply.retry_after)
        return reply.status < 300

    async def look_up(self, submission: Submission) -> Accepted | None:
        """Find what an unanswered submit led to; None when the vendor cannot tell.

        Raises NotFound where it says that it has no job of this id of ours.
        """
        if (call := self._adapter.look_up(submission)) is None:
            return None
        reply = await self._ask(call)
        found = self._adapter.found(submission, reply) if reply.status < 300 else None
        told = reply.status, text(reply.body, "code")
        if found is None and told == self._adapter.no_such_job:
            raise NotFound("job", submission.generation)
        return found

    def _judged(self, reply: Reply) -> Outcome:
        if reply.status < 300:
            readable = reply.body is not None or reply.media_type.startswith(MEDIA)
            outcome = self._adapter.accepted(reply) if readable else None
            if outcome is None or (isinstance(outcome, Accepted) and not outcome.shown_id):
                message = "the answer to a paid call cannot be read"
                raise UnknownOutcome(message)
            return outcome
        refusal = self._adapter.refusal(reply)
        if refusal is None and (reply.status >= 500 or reply.status == 408):
            message = f"a paid call was answered with HTTP {reply.status}: {text_of(reply.body)}"
            raise UnknownOutcome(message)
        return refusal or refused(reply)

    def _read(self, job: str, reply: Reply) -> Update | Call:
        if reply.status < 300:
            if reply.body is None and not reply.media_type.startswith(MEDIA):
                message = "the vendor's answer cannot be read"
                raise Unavailable(message)
            return self._adapter.update(job, reply)
        found = self._adapter.trouble(job, reply)
        if found is not None:
            return found
        message = f"HTTP {reply.status}: {text_of(reply.body)}"
        fault = fault_of_status(reply.status)
        if fault in {Fault.UNAUTHENTICATED, Fault.FORBIDDEN}:
            raise ProviderRefused(message)
        if fault is Fault.RATE:
            raise RateLimited(message, reply.retry_after)
        raise Unavailable(message, reply.retry_after)

    async def _ask(self, call: Call) -> Reply:
        try:
            return await self._send(call, TIMEOUT)
        except (httpx.HTTPError, httpx.InvalidURL, UnicodeError) as error:
            message = f"the vendor was not reached: {type(error).__name__}"
            raise Unavailable(message) from error

    async def _send(self, call: Call, timeout: httpx.Timeout) -> Reply:
        files = {
            name: (part.filename or None, part.value, part.media_type or None)
            for name, part in call.form.items()
        }
        adapter = await self._session.adapter()
        with written():
            request = self._http.build_request(
                call.method,
                self._address(call.path),
                params=dict(call.query) or None,
                json=call.json,
                files=files or None,
                headers={**call.headers, **adapter.auth(self._now())},
                timeout=timeout,
                extensions={PAID: True} if timeout is SUBMIT_TIMEOUT else None,
            )
            check_head(request)
        response = await self._http.send(request, stream=True, follow_redirects=False)
        try:
            content = await read_all(response)
        finally:
            await response.aclose()
        secrets = adapter.secret_values()
        return reply_of(response, content, call.step, now=self._now(), secrets=secrets)

    def _address(self, path: str) -> str:
        """Return the URL to call. Credentials travel along: another host than ours is refused."""
        base = self._adapter.base_url.rstrip("/")
        if path.startswith("/"):
            return f"{base}{path}"
        if origin(path) not in {origin(base), origin(self._adapter.upload_host or base)}:
            message = "the vendor's follow-up address is on another host; nothing was sent there"
            raise ProviderRefused(message)
        return path


def origin(url: str) -> tuple[str, str, int | None]:
    """Return scheme, host and port of a URL, with the port that the scheme implies."""
    parsed = httpx.URL(url)
    return parsed.scheme, parsed.host, parsed.port or {"https": 443, "http": 80}.get(parsed.scheme)


def _whole(update: Update) -> Update:
    """Return `update`; a success without anything in it is a failure."""
    if not isinstance(update, Succeeded) or any(it.url or it.data for it in update.outputs):
        return update
    return Failed(fault=Fault.VENDOR, message="the vendor calls it done and gives no result")
