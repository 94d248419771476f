"""Ways to publish on the bus and to read from it."""

import asyncio
import uuid
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from services.common.bus import Bus
from services.common.events import Event, event_subject
from services.common.subscription import Retry

QUICK = Retry(deliveries=3, delays=(0.05,), ack_wait=1.0)


@dataclass
class Seen:
    """A handler that keeps what it was given."""

    events: list[Event] = field(default_factory=list)
    changed: asyncio.Event = field(default_factory=asyncio.Event)

    async def __call__(self, event: Event) -> None:
        self.events.append(event)
        self.changed.set()

    async def until(self, enough: Callable[[list[Event]], bool]) -> None:
        async with asyncio.timeout(15):
            while not enough(self.events):
                await self.changed.wait()
                self.changed.clear()

    @property
    def ids(self) -> list[str]:
        return [event.event_id for event in self.events]


def name() -> str:
    return f"test-{uuid.uuid4().hex}"


async def until(true: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not true():  # noqa: ASYNC110 - what is waited for has no event
            await asyncio.sleep(0.01)


async def publish(bus: Bus, tenant: str, count: int, start: int = 0) -> list[str]:
    ids = [f"{tenant}-{number}" for number in range(start, start + count)]
    for event_id in ids:
        await bus.publish(event_subject(tenant, "job", "1"), b"x", event_id=event_id)
    return ids


async def take(events: AsyncIterator[Event], count: int) -> list[str]:
    found: list[str] = []
    async with asyncio.timeout(30):
        while len(found) < count:
            found.append((await anext(events)).event_id)
    return found


@asynccontextmanager
async def replaying(
    bus: Bus, tenant: str, start: int | None
) -> AsyncIterator[AsyncIterator[Event]]:
    async with bus.replay(event_subject(tenant, "job", ">"), start) as replay:
        events = aiter(replay)
        try:
            yield events
        finally:
            await events.aclose()  # type: ignore[attr-defined] # it is an async generator
