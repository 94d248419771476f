"""Derived files, for dashboards and alerts."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from services.common.telemetry import Metrics
    from services.storage.domain.deriving import Step
    from services.storage.usecases.trying import Outcome


class DeriveMetrics:
    """Counts how the making of derived files ended."""

    def __init__(self, metrics: Metrics) -> None:
        text = "Tries to make the derived files of an asset, by step and how they ended."
        self._tries = metrics.counter("derive_tries_total", text, ("step", "outcome"))

    def told(self, step: Step, outcome: Outcome) -> None:
        """Count one try."""
        self._tries.labels(step.value, outcome.name.lower()).inc()
