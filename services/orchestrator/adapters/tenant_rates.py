"""How many jobs a tenant may begin in a minute: a moving window in this process's memory."""

import time

from limits import RateLimitItemPerMinute
from limits.aio.storage import MemoryStorage
from limits.aio.strategies import MovingWindowRateLimiter


class TenantRates:
    """`domain.policy_ports.RatesPort` on the library `limits`."""

    def __init__(self) -> None:
        """Begin with nobody having used anything."""
        self._limiter = MovingWindowRateLimiter(MemoryStorage())

    async def take(self, tenant: str, count: int, most: int) -> float | None:
        """See `RatesPort.take`."""
        limit = RateLimitItemPerMinute(most)
        if await self._limiter.hit(limit, tenant, cost=count):
            return None
        stats = await self._limiter.get_window_stats(limit, tenant)
        return max(stats.reset_time - time.time(), 1.0)
