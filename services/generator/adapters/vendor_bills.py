"""Bills that vendors hand out over HTTP, charge by charge with the ids of their jobs."""

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import httpx
from pydantic import BaseModel, ConfigDict, ValidationError

from services.common.errors import ProviderRefused, Unavailable
from services.generator.domain.bill import Charge

_PAGE = 1_000


class BillingEvent(BaseModel):
    """One of fal's billing events; what is not named here is left aside."""

    model_config = ConfigDict(extra="ignore")

    request_id: str
    timestamp: datetime
    cost_estimate_nano_usd: int

    def charge(self) -> Charge:
        """Return it as a charge, in whole micro-USD rounded up."""
        when = self.timestamp if self.timestamp.tzinfo else self.timestamp.replace(tzinfo=UTC)
        micros = -(-self.cost_estimate_nano_usd // 1000)
        return Charge(job=self.request_id, micros=micros, time=when)


class EventPage(BaseModel):
    """A page of them."""

    model_config = ConfigDict(extra="ignore")

    billing_events: tuple[BillingEvent, ...]
    next_cursor: str | None = None
    has_more: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class FalBill:
    """`domain.bill.BillSource` of fal: `GET /models/billing-events`, for at most 90 days.

    Contract: https://fal.ai/docs/platform-apis/v1/models/billing-events (read 2026-11-21). `key` is
    an admin key; the keys that jobs are sent with may not read bills. Pika is on the same account.
    """

    http: httpx.AsyncClient
    base_url: str
    key: str
    providers: Sequence[str] = ("fal", "pika")

    async def charges(self, start: datetime, end: datetime) -> Sequence[Charge]:
        """See `BillSource.charges`."""
        return [event.charge() async for page in self._pages(start, end) for event in page]

    async def _pages(
        self, start: datetime, end: datetime
    ) -> AsyncIterator[tuple[BillingEvent, ...]]:
        asked = {"start": start.isoformat(), "end": end.isoformat(), "limit": str(_PAGE)}
        while True:
            page = await self._page(asked)
            yield page.billing_events
            if not (page.has_more and page.next_cursor):
                return
            asked["cursor"] = page.next_cursor

    async def _page(self, asked: Mapping[str, str]) -> EventPage:
        address = f"{self.base_url.rstrip('/')}/models/billing-events"
        sent = {"authorization": f"Key {self.key}"}
        try:
            reply = await self.http.get(address, params=dict(asked), headers=sent)
        except httpx.HTTPError as error:
            raise Unavailable(f"fal's bill cannot be read: {error!r}", metadata=_FAL) from error
        if reply.status_code in {401, 403}:
            message = "fal gives its bill to admin keys alone: set FAL_ADMIN_KEY to one"
            raise ProviderRefused(message, metadata=_FAL)
        if not reply.is_success:
            raise Unavailable(f"fal's bill: HTTP {reply.status_code}", metadata=_FAL)
        return _read(reply)


_FAL: dict[str, Any] = {"provider": "fal"}


def _read(reply: httpx.Response) -> EventPage:
    try:
        return EventPage.model_validate_json(reply.content)
    except ValidationError as error:
        raise Unavailable(f"fal's bill does not hold together: {error}", metadata=_FAL) from error
