"""How far a job at a vendor is: what the vendor says, else an honest estimate."""

from dataclasses import replace
from datetime import datetime, timedelta
from math import exp

from services.common.url_policy import MAX_URL_LENGTH
from services.generator.domain.facts import Progress
from services.generator.domain.models import Latency
from services.generator.providers import adapter as vendor

_ESTIMATE_CAP = 95


def progress_of(
    update: vendor.Running, latency: Latency, *, begun: datetime, now: datetime
) -> Progress:
    """Return the vendor's own progress, else an estimate from the model's typical time.

    The estimate nears 95 percent and never says that it is done; without a typical time there is
    none.
    """
    typical, late = latency.p50_seconds, latency.p90_seconds or latency.p50_seconds
    eta = begun + timedelta(seconds=late) if late else None
    shown = eta if eta is not None and eta > now else None
    told = Progress(queued=update.queued, preview=_preview(update.preview_url))
    if update.progress is not None:
        percent = int(max(0.0, min(1.0, update.progress)) * 99)
        return replace(told, percent=percent, source="provider", eta=shown)
    if not typical:
        return told
    share = 1 - exp(-1.5 * (now - begun).total_seconds() / typical)
    return replace(told, percent=int(_ESTIMATE_CAP * share), source="estimate", eta=shown)


def _preview(url: str) -> str:
    """Return an address that a browser may open, "" for anything else that a vendor may say."""
    return url if url.startswith(("https://", "http://")) and len(url) <= MAX_URL_LENGTH else ""
