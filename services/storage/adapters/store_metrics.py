"""Object store and spool, for dashboards, alerts and the log."""

from __future__ import annotations

from typing import TYPE_CHECKING

from services.common.telemetry import get_logger

if TYPE_CHECKING:
    from services.common.telemetry import Metrics
    from services.storage.usecases.health import StoreHealth

log = get_logger(__name__)


class StoreMetrics:
    """Gauges that follow the readiness check; the log tells when the store goes and returns."""

    def __init__(self, metrics: Metrics) -> None:
        self._up = metrics.gauge("object_store_up", "1 while the object store answers, else 0.")
        self._spooled = metrics.gauge("spool_bytes", "Bytes that wait here for the object store.")
        self._was_up = True

    def told(self, found: StoreHealth) -> None:
        """Take what a look at the store has found."""
        self._up.set(found.up)
        self._spooled.set(found.spooled_bytes)
        if found.up != self._was_up:
            self._was_up = found.up
            write = log.info if found.up else log.warning
            write("object_store", up=found.up, spooled_bytes=found.spooled_bytes)
