"""Health: the store, the spool that stands in for it, and what is told of both."""

from typing import Any

import pytest
from prometheus_client import generate_latest

from services.common.errors import FailedPrecondition, ServiceError, Unavailable
from services.common.telemetry import Metrics
from services.storage.adapters.store_metrics import StoreMetrics
from services.storage.usecases.health import Health

AWAY = "degraded, the object store is away; spooled"


class Store:
    """A blob store as far as its check goes."""

    def __init__(self, error: ServiceError | None = None) -> None:
        self.error = error

    async def check(self) -> None:
        if self.error is not None:
            raise self.error


class Spool:
    """A spool in which so many bytes wait."""

    def __init__(self, used: int) -> None:
        self._used = used

    async def used(self) -> int:
        return self._used

    async def ids(self) -> list[str]:
        return ["1", "2"] if self._used else []


def health(store: Any, spool: Any, metrics: Metrics) -> Health:
    told = StoreMetrics(metrics).told
    return Health(blobs=store, spool=spool, room_bytes=100, told=told)


def shown(metrics: Metrics) -> list[str]:
    lines = generate_latest(metrics.registry).decode().splitlines()
    names = ("reelmesh_object_store_up ", "reelmesh_spool_bytes ")
    return [line for line in lines if line.startswith(names)]


@pytest.mark.parametrize(
    ("error", "spool", "ready", "up", "bytes_waiting"),
    [
        (None, None, True, "1.0", "0.0"),
        (None, Spool(0), True, "1.0", "0.0"),
        (None, Spool(40), "spooled: files 2, bytes 40 of 100", "1.0", "40.0"),
        (Unavailable("away"), None, False, "0.0", "0.0"),
        (Unavailable("away"), Spool(40), f"{AWAY}: files 2, bytes 40 of 100", "0.0", "40.0"),
        (Unavailable("away"), Spool(0), f"{AWAY}: files 0, bytes 0 of 100", "0.0", "0.0"),
        (Unavailable("away"), Spool(100), False, "0.0", "100.0"),
    ],
)
async def test_a_spool_with_room_stands_in_for_the_store_and_both_are_shown(
    error: ServiceError | None,
    spool: Spool | None,
    ready: bool | str,
    up: str,
    bytes_waiting: str,
) -> None:
    metrics = Metrics("storage")
    assert await health(Store(error), spool, metrics).ready() == ready
    assert shown(metrics) == [
        f"reelmesh_object_store_up {up}",
        f"reelmesh_spool_bytes {bytes_waiting}",
    ]


async def test_a_store_that_comes_back_is_shown_again() -> None:
    metrics, store = Metrics("storage"), Store(Unavailable("away"))
    looking = health(store, Spool(5), metrics)
    await looking.ready()
    store.error = None
    assert await looking.ready()
    assert "reelmesh_object_store_up 1.0" in shown(metrics)


async def test_no_spool_stands_in_for_a_store_that_is_set_up_wrongly() -> None:
    with pytest.raises(FailedPrecondition):
        await health(Store(FailedPrecondition("no such bucket")), Spool(0), Metrics("s")).ready()
