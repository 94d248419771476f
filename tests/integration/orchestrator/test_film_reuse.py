"""A film that was paid for is made a second time for nothing, and its plan says so before."""

import hashlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from reelmesh.generator.v1 import model_pb2
from reelmesh.orchestrator.v1 import film_service_pb2 as pb
from reelmesh.orchestrator.v1.film_service_pb2_grpc import FilmServiceStub
from reelmesh.storage.v1 import storage_service_pb2
from reelmesh.storage.v1.storage_service_pb2_grpc import add_StorageServiceServicer_to_server
from services.common.server import serve
from services.common.settings import ServiceSettings
from tests.fakes.generator_service import Succeed, model
from tests.integration.orchestrator.conftest import House, house_on
from tests.integration.orchestrator.films import ROOMS, State, dollars, end, wanted
from tests.integration.orchestrator.test_cache import Storage
from tests.stack import SIGNING_KEY
from tests.stack.waiting import until

pytestmark = [pytest.mark.timeout(60), pytest.mark.asyncio(loop_scope="module")]
EXAMPLE = (Path(__file__).parents[3] / "examples/five_shots.json").read_text()
# What each kind of work costs here, in micro-USD; the cut and its captions cost nothing.
PRICES = {"video": 50_000, "image": 3_000, "speech": 1_000, "music": 20_000, "sound": 10_000}
WHOLE = 5 * (50_000 + 3_000 + 1_000) + 20_000 + 10_000
MODELS = {
    "vendor_picture": ("image", "per_image"),
    "vendor_speech": ("speech", "per_clip"),
    "vendor_music": ("music", "per_clip"),
    "vendor_sound": ("sound", "per_clip"),
}
PROVIDERS = {
    "image": "vendor_picture",
    "animation": "vendor_video",
    "audio": "vendor_speech",
    "music": "vendor_music",
    "sound": "vendor_sound",
}


class Library(Storage):
    """Knows the digests that the generator tells, and counts what was used again."""

    def __init__(self) -> None:
        super().__init__()
        self.used: dict[str, int] = {}

    def _asset(self, name):
        asset, content = super()._asset(name)
        made = name.replace("assets/", "generations/")
        asset.sha256 = hashlib.sha256(made.encode()).hexdigest()
        return asset, content

    async def RecordReuse(self, request, context):
        self.used[request.request_id] = request.saving.nanos // 1000
        return storage_service_pb2.RecordReuseResponse()


def priced(identifier: str, task: str, kind: str) -> model_pb2.Model:
    price = model_pb2.Price(kind=kind, amount_micros=PRICES[task], as_of="2026-01-01")
    able = model_pb2.Capabilities(text=True, image=task == "video", negative_prompt=True)
    return model(identifier, task=task, price=price, capabilities=able)


@pytest.fixture(scope="module")
def library() -> Library:
    return Library()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def house(
    tmp_path_factory: pytest.TempPathFactory, nats_url: str, library: Library
) -> AsyncIterator[House]:
    """One house for all tests of this file; each has tenants of its own."""
    tmp_path = tmp_path_factory.mktemp("reuse")
    plain: Any = {"address": "127.0.0.1:0", "signing_key": SIGNING_KEY, "data_dir": tmp_path}
    registration = (add_StorageServiceServicer_to_server, library)
    async with (
        serve(ServiceSettings(**plain), [registration]) as served,
        house_on(tmp_path, nats_url, cache=True, storage_address=served.address) as found,
    ):
        vendors = [priced(name, task, kind) for name, (task, kind) in MODELS.items()]
        free = [room for room in ROOMS if room.task in {"captions", "compose"}]
        found.generator.models = [priced("vendor_video", "video", "per_clip"), *vendors, *free]
        found.generator.script = lambda r: Succeed(
            cost_micros=PRICES.get(r.task.WhichOneof("work") or "", 0)
        )
        yield found


def booked(house: House) -> dict[str, int]:
    """Sums of acme's ledger by kind of movement."""
    query = "SELECT kind, sum(amount_micros) FROM ledger_entries WHERE tenant = 'acme' GROUP BY 1"
    return {kind: int(total) for kind, total in house.evidence.query("orchestrator", query)}


async def test_the_second_run_of_a_film_costs_nothing_at_all(
    house: House, library: Library
) -> None:
    async with house.client() as acme:
        films: Any = FilmServiceStub(acme.channel)
        request = wanted(EXAMPLE, providers=PROVIDERS)
        planning = pb.PlanFilmRequest(request=request)
        plan = await films.PlanFilm(planning)
        assert (plan.min_price, plan.max_price) == (dollars(WHOLE), dollars(WHOLE))
        first, _ = await end(films, (await films.CreateFilm(request)).film.name)
        assert (first.state, first.cost, first.savings) == (
            State.STATE_SUCCEEDED, dollars(WHOLE), dollars(0),
        )  # fmt: skip
        made, spent = len(house.generator.requests), booked(house)
        assert (spent["settle"], spent.get("saving", 0)) == (WHOLE, 0)

        plan = await films.PlanFilm(planning)
        assert (plan.min_price, plan.max_price) == (dollars(0), dollars(0))
        assert plan.p50_latency.seconds == 0
        assert sum(task.savings.nanos // 1000 for task in plan.tasks) == WHOLE
        assert booked(house) == spent, "a plan moves nothing"

        second, _ = await end(films, (await films.CreateFilm(request)).film.name)
    assert sum(task.savings.nanos // 1000 for task in second.tasks) == WHOLE
    assert (second.state, second.cost, second.savings) == (
        State.STATE_SUCCEEDED, dollars(0), dollars(WHOLE),
    )  # fmt: skip
    after = booked(house)
    assert (after["settle"], after["saving"]) == (WHOLE, WHOLE)
    again = [*house.generator.requests.values()][made:]
    assert {r.task.WhichOneof("work") for r in again} == {"captions", "compose"}
    await until(lambda: sum(library.used.values()) == WHOLE, 20)
    bought = [task.sha256 for task in first.tasks if task.cost.nanos]
    assert [task.sha256 for task in second.tasks if task.savings.nanos] == bought


async def test_a_film_that_does_without_the_cache_is_paid_for_again(house: House) -> None:
    request = wanted(providers=PROVIDERS, music="off")
    async with house.client("initech") as initech:
        films: Any = FilmServiceStub(initech.channel)
        first, _ = await end(films, (await films.CreateFilm(request)).film.name)
        request.use_cache = False
        second, _ = await end(films, (await films.CreateFilm(request)).film.name)
    assert first.cost == second.cost == dollars(2 * 54_000)
    assert second.savings == dollars(0)


async def test_another_tenants_film_is_never_served_with_it(house: House) -> None:
    request = wanted(providers=PROVIDERS, music="off")
    for tenant in ("globex", "hooli"):
        async with house.client(tenant) as caller:
            films: Any = FilmServiceStub(caller.channel)
            film, _ = await end(films, (await films.CreateFilm(request)).film.name)
            assert film.cost == dollars(2 * 54_000)
