"""Something that is read elsewhere, kept for a few seconds so that a request need not wait."""

import asyncio
import time
from collections.abc import Callable, Coroutine
from typing import Any, Generic, TypeVar

from services.common.errors import ServiceError
from services.common.telemetry import get_logger

T = TypeVar("T")
FRESH_SECONDS = 3.0
_log = get_logger(__name__)


class Fresh(Generic[T]):
    """One value: fresh within seconds, stale while the one who knows it is away."""

    def __init__(self, load: Callable[[], Coroutine[Any, Any, T]]) -> None:
        """Start without a value; `load` gets one."""
        self._load = load
        self._values: tuple[T, ...] = ()
        self._loaded = float("-inf")
        self._loading: asyncio.Task[None] | None = None

    async def get(self) -> T:
        """Return the value. One that has aged is renewed behind the caller's back.

        Raises what `load` raises while there has never been a value.
        """
        if time.monotonic() - self._loaded > FRESH_SECONDS and self._loading is None:
            self._loading = asyncio.create_task(self._renew())
        if not self._values and self._loading is not None:
            await asyncio.shield(self._loading)
        return self._values[0]

    async def close(self) -> None:
        """Give up a renewal that is under way."""
        if self._loading is not None:
            self._loading.cancel()
            await asyncio.gather(self._loading, return_exceptions=True)

    async def _renew(self) -> None:
        try:
            self._values = (await self._load(),)
            self._loaded = time.monotonic()
        except ServiceError as error:
            if not self._values:
                raise
            _log.warning("kept_value_is_stale", reason=error.reason)
        finally:
            self._loading = None
