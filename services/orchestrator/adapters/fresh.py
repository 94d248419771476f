"""Something that is read elsewhere, kept for a moment so that a request need not wait."""

import asyncio
import time
from collections.abc import Callable, Coroutine
from typing import Any, Generic, TypeVar

from services.common.errors import ServiceError
from services.common.telemetry import get_logger

T = TypeVar("T")
FRESH_SECONDS = 1.0
# What nobody has asked for in so long may be wrong by now: then it is waited for, this long.
OLD_SECONDS = 2.0
PATIENCE_SECONDS = 0.5
_log = get_logger(__name__)


class Fresh(Generic[T]):
    """One value: fresh within seconds, stale while the one who knows it is away."""

    def __init__(
        self,
        load: Callable[[], Coroutine[Any, Any, T]],
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Start without a value; `load` gets one, `clock` counts seconds."""
        self._load = load
        self._clock = clock
        self._values: tuple[T, ...] = ()
        self._loaded = float("-inf")
        self._asked = float("-inf")
        self._loading: asyncio.Task[None] | None = None

    async def get(self) -> T:
        """Return the value. One that has aged is renewed behind the caller's back.

        One that is old is waited for, unless who knows it was silent a moment ago. Raises what
        `load` raises while there has never been a value.
        """
        now = self._clock()
        if self._loading is None and now - max(self._loaded, self._asked) > FRESH_SECONDS:
            self._asked = now
            self._loading = asyncio.create_task(self._renew())
        if self._loading is not None:
            if not self._values:
                await asyncio.shield(self._loading)
            elif now - self._loaded > OLD_SECONDS:
                await asyncio.wait({self._loading}, timeout=PATIENCE_SECONDS)
        return self._values[0]

    async def close(self) -> None:
        """Give up a renewal that is under way."""
        if self._loading is not None:
            self._loading.cancel()
            await asyncio.gather(self._loading, return_exceptions=True)

    async def _renew(self) -> None:
        try:
            self._values = (await self._load(),)
            self._loaded = self._clock()
        except ServiceError as error:
            if not self._values:
                self._asked = float("-inf")
                raise
            _log.warning("kept_value_is_stale", reason=error.reason)
        finally:
            self._loading = None
