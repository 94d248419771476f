"""Sheets of characters over the wire: kept for a tenant, sent with every still, never another's."""

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from reelmesh.generator.v1 import model_pb2
from reelmesh.orchestrator.v1 import film_service_pb2 as pb
from reelmesh.orchestrator.v1.film_service_pb2_grpc import FilmServiceStub
from reelmesh.storage.v1.storage_service_pb2_grpc import add_StorageServiceServicer_to_server
from services.common.errors import InvalidArgument, NotFound
from services.common.identity import current_identity
from services.common.server import serve
from services.common.settings import ServiceSettings
from tests.fakes.generator_service import Succeed, model
from tests.integration.orchestrator.conftest import House, house_on
from tests.integration.orchestrator.films import ROOMS, State, dollars, end, local
from tests.integration.orchestrator.test_cache import Storage
from tests.stack import SIGNING_KEY

pytestmark = [pytest.mark.timeout(60), pytest.mark.asyncio(loop_scope="module")]
CLIP, STILL = 50_000, 3_000
EMMA = {"name": "Emma", "description": "ten, in a red coat", "reference": "assets/emma"}


class Album(Storage):
    """Has everything but what belongs to acme, for everybody else."""

    def _asset(self, name):
        if name == "assets/emma" and current_identity().tenant != "acme":
            raise NotFound("asset", name)
        asset, content = super()._asset(name)
        asset.sha256, asset.content_type = f"sha of {name}", "image/png"
        return asset, content


def able(identifier: str, task: str) -> model_pb2.Model:
    """A model that takes pictures; clips cost something, and so do the stills of one."""
    paid = {"a_video": ("per_clip", CLIP), "b_picture": ("per_image", STILL)}
    kind, micros = paid.get(identifier, ("free", 0))
    price = model_pb2.Price(kind=kind, amount_micros=micros, as_of="2026-01-01")
    return model(
        identifier,
        task=task,
        capabilities=model_pb2.Capabilities(text=True, image=True),
        price=price,
    )


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def house(tmp_path_factory: pytest.TempPathFactory, nats_url: str) -> AsyncIterator[House]:
    tmp_path = tmp_path_factory.mktemp("characters")
    plain: Any = {"address": "127.0.0.1:0", "signing_key": SIGNING_KEY, "data_dir": tmp_path}
    registration = (add_StorageServiceServicer_to_server, Album())
    async with (
        serve(ServiceSettings(**plain), [registration]) as served,
        house_on(tmp_path, nats_url, cache=True, storage_address=served.address) as found,
    ):
        found.generator.script = lambda r: Succeed(cost_micros=CLIP if "video" in r.model else 0)
        found.generator.models = [
            *(able("a_video", "video"), able("a_picture", "image"), able("b_picture", "image")),
            *(local("media_check", "check"), local("clip", "check"), *ROOMS),
        ]
        yield found


def wanted(count: int, *sheets: dict[str, str], **fields: Any) -> pb.CreateFilmRequest:
    """A film in which Emma is seen in every shot; the sheets are in its file."""
    seen = [
        {"shot_id": f"s{n}", "prompt": f"picture {n}", "duration": 2, "characters": ["Emma"]}
        for n in range(1, count + 1)
    ]
    source = pb.FilmSource(shots_json=json.dumps({"characters": sheets, "shots": seen}))
    still = {"image": "a_picture"}
    return pb.CreateFilmRequest(source=source, music="off", providers=still, **fields)


async def test_a_still_unlike_its_sheet_is_made_again_is_paid_for_twice_and_the_best_is_kept(
    house: House,
) -> None:
    def script(request: Any) -> Succeed:
        check = request.task.WhichOneof("work") == "check"
        second = request.request_id.endswith("/3")
        price = {"a_video": CLIP, "b_picture": STILL}.get(request.model, 0)
        return Succeed(cost_micros=price, likeness=(0.8 if second else 0.4) if check else None)

    plain, house.generator.script = house.generator.script, script
    request = wanted(1, EMMA, use_cache=False, consistency=pb.Consistency(least=0.75))
    request.providers["image"] = "b_picture"
    try:
        async with house.client("acme") as client:
            films = FilmServiceStub(client.channel)
            plan = await films.PlanFilm(pb.PlanFilmRequest(request=request))
            film, _ = await end(films, (await films.CreateFilm(request)).film.name)
    finally:
        house.generator.script = plain
    [still] = [task for task in film.tasks if task.type == "image"]
    assert (still.likeness.character, still.likeness.tries) == ("Emma", 2)
    assert still.likeness.score == 0.8
    assert (film.consistency.least, film.consistency.retries) == (0.75, 1)
    assert plan.max_price == dollars(CLIP + STILL)
    assert plan.worst_price == film.cost == dollars(CLIP + 2 * STILL)
    mine = [r for r in house.generator.requests.values() if r.labels.job == film.name]
    tries = [r for r in mine if "s1.image" in r.request_id]
    assert [r.request_id.rpartition("/")[2] for r in tries] == ["0", "1", "2", "3"]
    assert [r.task.check.alike.asset for r in tries[1::2]] == ["assets/emma"] * 2
    begun = {r.task.video.image.asset for r in house.generator.requests.values()}
    assert still.asset in begun, "the clip begins with the one that was kept"


def followed(house: House, film: pb.Film) -> list[str]:
    """The picture that each still of the film was asked to follow."""
    tasks = (r.task for r in house.generator.requests.values() if r.labels.job == film.name)
    return [task.image.references[0].asset for task in tasks if task.WhichOneof("work") == "image"]


async def test_five_shots_carry_the_sheet_and_so_does_the_next_film_by_name(house: House):
    async with house.client("acme") as client:
        films = FilmServiceStub(client.channel)
        first, _ = await end(films, (await films.CreateFilm(wanted(5, EMMA))).film.name)
        second, _ = await end(films, (await films.CreateFilm(wanted(1, use_cache=False))).film.name)
    assert [first.state, second.state] == [State.STATE_SUCCEEDED] * 2
    assert followed(house, first) == ["assets/emma"] * 5
    assert followed(house, second) == ["assets/emma"]
    assert [sheet.name for sheet in second.characters] == ["Emma"]
    assert second.characters[0].description == EMMA["description"]


async def test_a_foreign_sheet_is_not_found_and_nothing_is_asked_for(house: House):
    asked = len(house.generator.requests)
    async with house.client("rival") as client:
        films = FilmServiceStub(client.channel)
        order = wanted(1, characters=[pb.CharacterSheet(**EMMA)])
        with pytest.raises(NotFound):
            await films.CreateFilm(order)
        with pytest.raises(NotFound):
            await films.PlanFilm(pb.PlanFilmRequest(request=order))
        assert not (await films.ListFilms(pb.ListFilmsRequest())).films
        plain = (await films.CreateFilm(wanted(1, require_approval=True))).film
    assert not plain.characters
    assert len(house.generator.requests) == asked


async def test_every_fault_of_the_requests_sheets_has_its_place(house: House):
    async with house.client("acme") as client:
        films = FilmServiceStub(client.channel)
        bad = [pb.CharacterSheet(name="Emma"), pb.CharacterSheet(description="a fox")]
        with pytest.raises(InvalidArgument) as caught:
            await films.CreateFilm(wanted(1, characters=bad))
    places = [fault.field for fault in caught.value.violations]
    assert places == ["characters[0].description", "characters[1].name"]


async def test_a_clip_that_begins_with_the_picture_is_foreseen_and_another_picture_is_another_clip(
    house: House,
) -> None:
    def order(picture: str) -> pb.CreateFilmRequest:
        request = wanted(2, EMMA | {"reference": picture})
        request.ClearField("providers")
        return request

    async with house.client("acme") as client:
        films = FilmServiceStub(client.channel)
        costs = []
        for picture in ("assets/emma", "assets/emma", "assets/other"):
            request = order(picture)
            plan = await films.PlanFilm(pb.PlanFilmRequest(request=request))
            film, _ = await end(films, (await films.CreateFilm(request)).film.name)
            assert plan.max_price == film.cost
            costs.append(film.cost)
    assert costs == [dollars(2 * CLIP), dollars(0), dollars(2 * CLIP)]
