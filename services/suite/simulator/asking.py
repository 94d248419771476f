"""A call to a simulated vendor, and the reasons for which it is refused."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any

import jwt

from services.suite.simulator.faults import Fault

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response


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
CREDENTIALS = ("authorization", "x-api-key", "x-goog-api-key", "xi-api-key", "api-key")
HTML = "<html><head><title>502 Bad Gateway</title></head><body>cloud front</body></html>"
REFUSALS = {
    Fault.SUBMIT_ERROR: Why.DOWN,
    Fault.RATE_LIMITED: Why.RATE,
    Fault.QUOTA: Why.QUOTA,
    Fault.NO_CREDIT: Why.CREDIT,
}


class Refused(Exception):
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

    @property
    def account(self) -> str:
        """What tells one account from another: the key, or who signs the token."""
        shown = next(filter(None, map(self.header, CREDENTIALS)), "")
        try:
            token = shown.removeprefix("Bearer ")
            return str(jwt.decode(token, options={"verify_signature": False})["iss"])
        except (jwt.PyJWTError, KeyError):
            return shown

    def path(self, name: str) -> str:
        """Return a part of the path."""
        return str(self.request.path_params[name])

    def header(self, name: str) -> str:
        """Return a header, "" where there is none."""
        return self.request.headers.get(name, "")

    def query(self, name: str) -> str:
        """Return a parameter of the query, "" where there is none."""
        return self.request.query_params.get(name, "")
