"""Films in houses of their own: workers that come and go, prices, budgets."""

import asyncio
from contextlib import suppress
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from reelmesh.generator.v1 import model_pb2
from reelmesh.orchestrator.v1 import budget_service_pb2
from reelmesh.orchestrator.v1 import film_service_pb2 as pb
from reelmesh.orchestrator.v1.budget_service_pb2_grpc import BudgetServiceStub
from reelmesh.orchestrator.v1.film_service_pb2_grpc import FilmServiceStub
from services.common import clock
from services.common.errors import BudgetExceeded, InvalidArgument
from services.orchestrator.__main__ import running
from tests.fakes.generator_service import Succeed, model
from tests.integration.orchestrator.conftest import house_on
from tests.integration.orchestrator.films import (
    ROOMS,
    State,
    asked,
    dollars,
    end,
    local,
    of,
    wanted,
)
from tests.stack.waiting import until

pytestmark = pytest.mark.timeout(60)


async def test_workers_that_come_and_go_only_delay_a_film(tmp_path: Path, nats_url: str) -> None:
    async with house_on(tmp_path, nats_url, role="front") as house:
        house.generator.models += ROOMS
        gates = [asyncio.Event() for _ in range(3)]
        held = {"s1.audio": gates[0], "s2.audio": gates[1], "composition": gates[2]}
        house.generator.script = of({k: Succeed(after=gate) for k, gate in held.items()})
        worker = house.settings.model_copy(update={"role": "worker"})
        async with house.client() as acme:
            films: Any = FilmServiceStub(acme.channel)
            name = (await films.CreateFilm(wanted(mode="sequential"))).film.name
            for part, gate in held.items():
                async with running(worker):
                    await until(partial(asked, house, part), 40)
                gate.set()  # it ends while there is no worker
            async with running(worker):
                film, _ = await end(films, name)
        assert film.state == State.STATE_SUCCEEDED
        assert {task.state for task in film.tasks} == {"succeeded"}
        assert all("/1.1/" in r or r.endswith("/1/1") for r in house.generator.requests)


async def closing_soon(films: Any) -> tuple[str, datetime]:
    """A film that must begin very soon, or a little later where accepting it takes its time."""
    for seconds in (1, 4, 16):
        latest = clock.now() + timedelta(seconds=seconds)
        with suppress(InvalidArgument):
            return (await films.CreateFilm(wanted(latest_start_time=latest))).film.name, latest
    pytest.fail("no film was accepted within 16 s")


async def test_a_window_that_passes_while_no_worker_is_free_costs_nothing(
    tmp_path: Path, nats_url: str
) -> None:
    async with house_on(tmp_path, nats_url, role="front") as house, house.client() as acme:
        house.generator.models += ROOMS
        films: Any = FilmServiceStub(acme.channel)
        name, latest = await closing_soon(films)
        await until(lambda: clock.now() > latest, 40)
        async with running(house.settings.model_copy(update={"role": "worker"})):
            film, _ = await end(films, name)
        assert film.state == State.STATE_FAILED
        assert "no worker was free to begin it" in film.error.message
        assert not film.HasField("start_time")
        assert not house.generator.requests


async def test_money_is_estimated_limited_settled_and_told(tmp_path: Path, nats_url: str) -> None:
    price = model_pb2.Price(kind="per_clip", amount_micros=50_000, as_of="2026-01-01")
    async with house_on(tmp_path, nats_url) as house, house.client() as acme:
        house.generator.models = [model("first_model", price=price), *ROOMS]
        house.generator.script = lambda r: Succeed(
            cost_micros=50_000 if r.task.HasField("video") else 0
        )
        films: Any = FilmServiceStub(acme.channel)
        plan = await films.PlanFilm(pb.PlanFilmRequest(request=wanted()))
        assert plan.max_price == dollars(100_000)
        with pytest.raises(BudgetExceeded):
            await films.CreateFilm(wanted(budget_limit=dollars(99_999)))
        name = (await films.CreateFilm(wanted(budget_limit=dollars(100_000)))).film.name
        film, _ = await end(films, name)
        assert (film.state, film.cost) == (State.STATE_SUCCEEDED, dollars(100_000))
        budgets: Any = BudgetServiceStub(acme.channel)
        film_id = name.removeprefix("films/")
        asked = budget_service_pb2.GetBudgetRequest(name=f"budgets/film.{film_id}")
        told = (await budgets.GetBudget(asked)).budget
        assert (told.spent, told.held) == (dollars(100_000), dollars(0))
        by_film = budget_service_pb2.GetCostReportRequest(group_by="film")
        report = await budgets.GetCostReport(by_film)
        assert [(row.key, row.cost) for row in report.rows] == [(film_id, dollars(100_000))]


PER_SECOND = {"540p": 40_000, "1080p": 150_000}
"""Micro-dollars for a second of a vendor's clip, by its resolution."""
LARGER = 9_000
"""Micro-dollars for the GPU that makes a clip of two seconds twice as large."""


def bought(request: Any) -> Succeed:
    """A clip at the vendor's price of its resolution, or one made larger here."""
    if request.task.HasField("upscale"):
        return Succeed(cost_micros=LARGER)
    if request.task.HasField("video"):
        return Succeed(cost_micros=2 * PER_SECOND[request.task.video.resolution])
    return Succeed()


async def test_small_and_made_larger_costs_less_in_the_ledger_than_native(
    tmp_path: Path, nats_url: str
) -> None:
    tiers = [
        model_pb2.PriceTier(amount_micros=amount, resolution=name)
        for name, amount in PER_SECOND.items()
    ]
    price = model_pb2.Price(kind="per_second", tiers=tiers, as_of="2026-01-01")
    once = model_pb2.Price(kind="per_clip", amount_micros=LARGER, as_of="2026-01-01")
    larger = local("here_larger", "upscale")
    larger.price.CopyFrom(once)
    async with house_on(tmp_path, nats_url) as house, house.client() as acme:
        house.generator.models = [model("first_model", price=price), larger, *ROOMS]
        house.generator.script = bought
        films: Any = FilmServiceStub(acme.channel)
        budgets: Any = BudgetServiceStub(acme.channel)
        paid: dict[bool, int] = {}
        for upscale in (False, True):
            order = wanted(resolution="1080p", upscale=upscale, request_id=f"film {upscale}")
            planned = await films.PlanFilm(pb.PlanFilmRequest(request=order))
            film, _ = await end(films, (await films.CreateFilm(order)).film.name)
            assert film.state == State.STATE_SUCCEEDED
            by_film = budget_service_pb2.GetCostReportRequest(group_by="film")
            rows = (await budgets.GetCostReport(by_film)).rows
            cost = next(row.cost for row in rows if film.name.endswith(row.key))
            assert cost == film.cost == planned.max_price
            paid[upscale] = cost.units * 1_000_000 + cost.nanos // 1000
    native = 2 * 2 * PER_SECOND["1080p"]
    assert paid == {False: native, True: 2 * (2 * PER_SECOND["540p"] + LARGER)}
    assert paid[True] < paid[False]
