"""Exchanges a long-lived key for the short-lived tokens that some vendors want to see."""

import asyncio
from collections.abc import Callable
from datetime import datetime, timedelta

import httpx

from services.common.errors import ProviderRefused, Unavailable
from services.generator.providers.adapter import Adapter, number, text, text_of

_EARLY = timedelta(minutes=5)
_LONGEST_SECONDS = 24 * 3600.0


class Session:
    """An adapter that is always signed in; one that needs no token is given as it is.

    A token is kept until five minutes before its end, and many who need one ask for it once.
    """

    def __init__(
        self, adapter: Adapter, http: httpx.AsyncClient, *, now: Callable[[], datetime]
    ) -> None:
        self._adapter = adapter
        self._http = http
        self._now = now
        self._signed_in = adapter
        self._until: datetime | None = None
        self._lock = asyncio.Lock()

    async def adapter(self) -> Adapter:
        """Return the adapter with a token that is good now.

        Raises Unavailable when none can be had just now, ProviderRefused when the key is not good.
        """
        asking = self._adapter.sign_in(self._now())
        if asking is None:
            return self._adapter
        async with self._lock:
            if self._until is None or self._now() >= self._until:
                await self._exchange(asking.url, dict(asking.form))
        return self._signed_in

    async def _exchange(self, url: str, form: dict[str, str]) -> None:
        try:
            answer = await self._http.post(url, data=form, follow_redirects=False)
            body = answer.json()
        except (httpx.HTTPError, httpx.InvalidURL, ValueError) as error:
            message = f"no token could be had: {type(error).__name__}"
            raise Unavailable(message) from error
        token, seconds = text(body, "access_token"), number(body, "expires_in") or 0.0
        seconds = min(max(seconds, 0.0), _LONGEST_SECONDS)
        if answer.status_code >= 500 or answer.status_code == 429:
            message = f"no token could be had: HTTP {answer.status_code}"
            raise Unavailable(message)
        if not token:
            message = f"the vendor gives no token for this key: {text_of(body)}"
            raise ProviderRefused(message)
        self._signed_in = self._adapter.signed_in(token)
        self._until = self._now() + max(timedelta(seconds=seconds) - _EARLY, timedelta())
