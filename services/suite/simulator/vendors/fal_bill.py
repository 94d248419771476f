"""fal's billing events: a row for each charge, what a failed job had cost given back as 0."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    from services.suite.simulator.asking import Ask
    from services.suite.simulator.jobs import Job
    from services.suite.simulator.world import World

MOST = 10_000
DAY = 50


def billing_events(
    world: World, refunds: Callable[[Job, datetime], bool], ask: Ask, vendor: str
) -> dict[str, Any]:
    """Return a page of the charges between `start` and `end`, the oldest first."""
    start, end = (datetime.fromisoformat(ask.query(name)) for name in ("start", "end"))
    size, at = min(int(ask.query("limit") or DAY), MOST), int(ask.query("cursor") or 0)
    mine = [
        charge
        for charge in world.charges
        if charge.job.vendor == vendor and start <= charge.time < end
    ]
    now = world.now()
    rows = [
        {
            "request_id": charge.job.id,
            "endpoint_id": charge.job.order.model,
            "timestamp": charge.time.isoformat(),
            "output_units": 1,
            "unit_price": charge.amount_micros / 1_000_000,
            "percent_discount": None,
            "cost_estimate_nano_usd": (
                0 if refunds(charge.job, now) else charge.amount_micros * 1000
            ),
        }
        for charge in mine[at : at + size]
    ]
    more = at + size < len(mine)
    return {
        "billing_events": rows,
        "next_cursor": str(at + size) if more else None,
        "has_more": more,
    }
