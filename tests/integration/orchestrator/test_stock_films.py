"""A film of stock: clips of the tenant's own library, with licence and maker kept."""

from pathlib import Path
from typing import Any

import pytest
from google.protobuf import duration_pb2

from reelmesh.orchestrator.v1.film_service_pb2_grpc import FilmServiceStub
from reelmesh.storage.v1 import asset_pb2, storage_service_pb2
from reelmesh.storage.v1.storage_service_pb2_grpc import add_StorageServiceServicer_to_server
from services.common.server import serve
from services.common.settings import ServiceSettings
from tests.fakes.generator_service import model
from tests.integration.orchestrator.conftest import house_on
from tests.integration.orchestrator.films import ROOMS, State, end, shots, wanted
from tests.integration.orchestrator.test_cache import Storage
from tests.stack import SIGNING_KEY

pytestmark = pytest.mark.timeout(60)


def stock(name: str, score: float, seconds: int = 9, **more: Any) -> Any:
    """A hit of the library's search, a stock clip unless said otherwise."""
    labels = {"stock": "true", "attribution": "A. Maker", "licence": "CC-BY-4.0"}
    facts = {"content_type": "video/mp4", "labels": labels, "sha256": f"sha of {name}", **more}
    media = asset_pb2.MediaInfo(duration=duration_pb2.Duration(seconds=seconds))
    asset = asset_pb2.Asset(name=f"assets/{name}", media=media, **facts)
    return storage_service_pb2.SearchHit(asset=asset, score=score)


class Library(Storage):
    """Finds the same for all words, the nearest first; only the fourth will do."""

    def __init__(self):
        super().__init__()
        self.shown = []

    async def SearchAssets(self, request, context):
        self.shown += [request.query] if not request.words_alone else []
        hits = [
            stock("own", 0.9, labels={}),
            stock("short", 0.8, seconds=1),
            stock("sketch", 0.7, placeholder=True),
            stock("right", 0.6),
            stock("far", 0.1),
        ]
        return storage_service_pb2.SearchAssetsResponse(hits=hits)


async def test_a_film_of_stock_takes_what_fits_names_its_maker_and_asks_no_model(
    tmp_path: Path, nats_url: str
) -> None:
    plain: Any = {"address": "127.0.0.1:0", "signing_key": SIGNING_KEY, "data_dir": tmp_path}
    library = Library()
    registration = (add_StorageServiceServicer_to_server, library)
    async with (
        serve(ServiceSettings(**plain), [registration]) as served,
        house_on(tmp_path, nats_url, storage_address=served.address) as house,
        house.client("acme") as client,
    ):
        house.generator.models = [model("a_video"), *ROOMS]
        films = FilmServiceStub(client.channel)
        order = wanted(shots(1), visual_approach="stock_only", music="off", captions="off")
        film, _ = await end(films, (await films.CreateFilm(order)).film.name)
        asked = {r.task.WhichOneof("work") for r in house.generator.requests.values()}
    assert film.state == State.STATE_SUCCEEDED
    [found] = [task for task in film.tasks if task.type == "retrieval"]
    assert (found.asset, found.credit) == ("assets/right", "A. Maker, CC-BY-4.0")
    assert "video" not in asked
    assert library.shown == [], "an embedder may be outside, and its scores are of another scale"
