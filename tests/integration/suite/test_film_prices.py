"""The figures of document 001, from the real catalogue at its prices of 2025, by RPC and command.

Five, thirty and a hundred shots at $0.054 (budget) and $0.933 (premium) each; the example as it is
has one shot in the background, whose clip is made for less.
"""

import asyncio
import json
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from reelmesh.orchestrator.v1 import film_service_pb2 as pb
from reelmesh.orchestrator.v1.film_service_pb2_grpc import FilmServiceStub
from services.suite.simulator.server import simulating
from services.suite.simulator.world import World
from tests.fakes.simulator import quick
from tests.fakes.vendored_suite import addressed_suite, billed
from tests.integration.orchestrator.films import dollars
from tests.stack import Client

pytestmark = [pytest.mark.timeout(180), pytest.mark.asyncio(loop_scope="module")]
EXAMPLE = Path(__file__).parents[3] / "examples/five_shots.json"
VENDORS = ("FAL", "MINIMAX", "KLING", "OPENAI", "ELEVENLABS")


class House:
    """A suite at the prices of 2025, by its address."""

    def __init__(self, address: str, client: Client, world: World) -> None:
        self.address, self.world = address, world
        self.films: Any = FilmServiceStub(client.channel)

    async def plan(self, source: str, preset: str, **more: Any) -> pb.PlanFilmResponse:
        request = pb.CreateFilmRequest(
            source=pb.FilmSource(shots_json=source), preset=preset, **more
        )
        plan: pb.PlanFilmResponse = await self.films.PlanFilm(pb.PlanFilmRequest(request=request))
        return plan


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def house(tmp_path_factory: pytest.TempPathFactory, nats_url: str) -> AsyncIterator[House]:
    folder = tmp_path_factory.mktemp("prices")
    async with simulating(quick()) as world:
        suite = addressed_suite(
            world, VENDORS, folder=folder, nats_url=nats_url, GENERATOR_PRICE_LIST="seed-2025"
        )
        async with suite as addresses, Client(addresses.orchestrator, None) as client:
            yield House(addresses.orchestrator, client, world)


def many(count: int, start: int = 0) -> str:
    """So many shots like the example's, each with a picture and words of its own."""
    five = json.loads(EXAMPLE.read_text())["shots"]
    made = []
    for n in range(start, start + count):
        like = five[n % 5]
        own = {
            "shot_id": f"s{n}",
            "prompt": f"{like['prompt']}, take {n}",
            "narration": f"{like['narration'][:-4]} {n:03d}",
        }
        made.append({**like, **own, "sound": "", "background": False})
    return json.dumps(made)


@pytest.mark.parametrize(("preset", "count", "micros"), [
    ("budget", 5, 270_000),
    ("budget", 30, 1_620_000),
    ("premium", 5, 4_665_000),
    ("premium", 30, 27_990_000),
])  # fmt: skip
async def test_a_plan_over_rpc_costs_what_the_document_says(
    house: House, preset: str, count: int, micros: int
) -> None:
    plan = await house.plan(many(count), preset, music="off", use_cache=False)
    assert plan.max_price == dollars(micros)
    each = {task.id.partition(".")[0]: 0 for task in plan.tasks if task.id.endswith(".animation")}
    for task in plan.tasks:
        shot = task.id.partition(".")[0]
        if shot in each:
            each[shot] += task.cost.units * 1_000_000 + task.cost.nanos // 1000
    assert set(each.values()) == {micros // count}


@pytest.mark.parametrize(("preset", "micros", "spared"), [
    ("budget", 270_000, 0), ("premium", 4_665_000 - 870_000, 870_000),
])  # fmt: skip
async def test_the_example_as_it_is_costs_the_same_less_what_its_background_spares(
    house: House, preset: str, micros: int, spared: int
) -> None:
    before = len(await billed(house.world))
    plan = await house.plan(EXAMPLE.read_text(), preset)
    assert plan.max_price == dollars(micros)
    assert plan.background_savings == dollars(spared)
    main = "from services.suite.cli import main; main()"
    command = [sys.executable, "-c", main, "film", str(EXAMPLE), "--plan", "--preset", preset]
    shown = await asyncio.create_subprocess_exec(
        *command, "--address", house.address, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    printed, complaints = await shown.communicate()
    assert shown.returncode == 0, complaints
    assert f" to ${micros / 1_000_000:.5f}".rstrip("0") in printed.decode()
    assert len(await billed(house.world)) == before
