"""Hits, misses and savings of the cache as metrics."""

from services.common.telemetry import Metrics


class CacheMetrics:
    """`usecases.reuse.Counting` on Prometheus."""

    def __init__(self, metrics: Metrics) -> None:
        """Register the counters."""
        labels = ("tenant", "kind", "provider")
        self._hits = metrics.counter(
            "cache_hits_total", "Variations that a cached clip served, by who had made it.", labels
        )
        self._misses = metrics.counter(
            "cache_misses_total", "Look-ups that found nothing.", ("tenant", "kind")
        )
        self._saved = metrics.counter(
            "cache_saved_micros_total", "What cached clips have saved, in micro-USD.", labels
        )

    def hit(self, tenant: str, kind: str, provider: str, saved_micros: int) -> None:
        """See `Counting.hit`."""
        self._hits.labels(tenant, kind, provider).inc()
        self._saved.labels(tenant, kind, provider).inc(saved_micros)

    def miss(self, tenant: str, kind: str) -> None:
        """See `Counting.miss`."""
        self._misses.labels(tenant, kind).inc()
