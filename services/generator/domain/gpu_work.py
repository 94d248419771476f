"""Work for GPU nodes: which queue it waits in, what is told with it, and what becomes of it."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from services.common.errors import InvalidArgument
from services.generator.domain.facts import Cost, Failure, Identity, Quality, WordTime
from services.generator.domain.generation import Generation
from services.generator.domain.models import Model
from services.generator.domain.orders import Order, Priority, order_from_json, order_to_json
from services.generator.domain.ports import Entry, Work
from services.generator.domain.records import from_record, to_record
from services.generator.domain.vram import GIB, Device


class Tier(StrEnum):
    """How much memory a card must have, by the names of the modes; a higher one serves lower ones.

    The memory is what cards of the class are sure to report: 24 GB cards report 23.6 GiB, 40 GB
    cards 39.4, 80 GB cards 79.6.
    """

    CPU = "cpu"
    FAST = "fast"
    BALANCED = "balanced"
    CINEMA = "cinema"


_HOLDS = {Tier.FAST: 23.0, Tier.BALANCED: 39.0}
_CARDS = {Tier.FAST: 0.0, Tier.BALANCED: 38.0, Tier.CINEMA: 75.0}
_ORDER = tuple(Tier)


def tier_of(vram_gib: float | None) -> Tier:
    """Return the lowest tier whose cards hold a model of this size; unknown counts as small."""
    for tier, most in _HOLDS.items():
        if (vram_gib or 0.0) <= most:
            return tier
    return Tier.CINEMA


def tier_of_card(device: Device) -> Tier:
    """Return the class of a card by the memory that it reports; the processor is one of its own."""
    if device.kind == "cpu":
        return Tier.CPU
    gib = device.total_bytes / GIB
    return next((tier for tier in reversed(_CARDS) if gib >= _CARDS[tier]), Tier.FAST)


def served_by(tier: Tier) -> tuple[Tier, ...]:
    """Return the tiers whose work a card of `tier` takes, its own first: others can do the rest."""
    return tuple(reversed(_ORDER[: _ORDER.index(tier) + 1]))


@dataclass(frozen=True, slots=True, order=True)
class Queue:
    """One of the queues in which work waits: an engine, a tier, a priority."""

    engine: str
    tier: Tier
    priority: Priority = Priority.INTERACTIVE


def queue_of(model: Model, priority: Priority) -> Queue:
    """Return the queue of a model: who takes work from it must have that very model."""
    return Queue(model.id, tier_of(model.vram_gib), priority)


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkOrder:
    """What a worker is told: all that it needs beside its own catalogue and storage."""

    id: str
    tenant: str
    model: str
    identity: Identity
    placeholder: bool
    order: Order

    def entry(self, now: datetime) -> Entry:
        """Return it as storage is told of it."""
        generation = Generation(
            id=self.id,
            tenant=self.tenant,
            request_id=self.order.request_id,
            request_hash=self.order.request_hash,
            model=self.model,
            identity=self.identity,
            create_time=now,
            deadline=now,
            placeholder=self.placeholder,
        )
        return Entry(generation, self.order)

    def work(self, model: Model) -> Work:
        """Return it as an engine is asked for it."""
        return Work(
            id=self.id,
            tenant=self.tenant,
            model=model,
            identity=self.identity,
            task=self.order.task,
            order=self.order,
        )


def order_of(work: Work) -> WorkOrder:
    """Return what is told about a piece of work."""
    return WorkOrder(
        id=work.id,
        tenant=work.tenant,
        model=work.model.id,
        identity=work.identity,
        placeholder=work.model.placeholder,
        order=work.order,
    )


def order_to_record(order: WorkOrder) -> dict[str, Any]:
    """Return JSON values; `order_from_record` reads them back."""
    plain = {name: getattr(order, name) for name in ("id", "tenant", "model", "placeholder")}
    return {
        **plain,
        "identity": to_record(order.identity),
        "order": order_to_json(order.order),
    }


def order_from_record(record: Mapping[str, Any]) -> WorkOrder:
    """Rebuild (and check again) an order. Raises KeyError, TypeError, ValueError, ServiceError."""
    given = dict(record)
    identity = from_record(Identity, given.pop("identity"))
    return WorkOrder(identity=identity, order=order_from_json(given.pop("order")), **given)


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What became of a piece of work: the asset that storage has, or why there is none.

    There is one verdict per piece of work, the first. `stopped` tells that somebody cancelled it.
    """

    asset: str = ""
    failure: Failure | None = None
    stopped: bool = False
    cost: Cost | None = None
    seed: int | None = None
    warnings: tuple[str, ...] = ()
    words: tuple[WordTime, ...] = ()
    quality: Quality | None = None
    method: str = ""
    worker: str = ""

    def __post_init__(self) -> None:
        """Refuse a verdict that says both or neither."""
        if bool(self.asset) == (self.failure is not None):
            raise InvalidArgument("verdict", "holds either an asset or a failure")


def verdict_from_record(record: Mapping[str, Any]) -> Verdict:
    """Rebuild a verdict from what `to_record` made of it."""
    return from_record(Verdict, record)
