"""Searching by meaning through the real service: a model in it, and an endpoint in trouble."""

import asyncio
import os
import signal
import sqlite3
from collections.abc import AsyncIterator, Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from starlette.responses import JSONResponse, Response

from reelmesh.storage.v1 import asset_pb2
from reelmesh.storage.v1 import storage_service_pb2 as pb
from services.storage.__main__ import running
from services.storage.settings import Settings
from tests.fakes.embeddings import EmbeddingsEndpoint, endpoint, listed, saved_model
from tests.integration.storage.conftest import SIGNING_KEY, Client, client_of
from tests.integration.storage.service_process import process
from tests.unit.storage.clips import mp4

pytestmark = pytest.mark.timeout(60)
CLIP = mp4()
# Made for these tests: words by what they are near to. None of the question's is indexed.
PLACES: dict[str, list[float]] = {
    "emma": [1, 0, 0, 0, 0, 0], "lass": [0.9, 0.1, 0, 0, 0, 0],
    "attic": [0, 1, 0, 0, 0, 0], "rafters": [0.1, 0.9, 0, 0, 0, 0],
    "melancholy": [0, 0, 1, 0, 0, 0], "weeping": [0, 0, 0.9, 0, 0, 0.1],
    "night": [0, 0, 0, 1, 0, 0], "moonlit": [0, 0, 0, 0.9, 0, 0.1],
    "beach": [0, 0, 0, 0, 1, 0], "dunes": [0, 0, 0, 0, 0.9, 0.1],
    "joyful": [0, 0, -1, 0, 0, 0.2], "city": [0, 0, 0, 0.2, 0, 1], "poodle": [0, 0, 0, 0, 0.5, 1],
}  # fmt: skip
EMMA = asset_pb2.Facets(
    characters=["Emma"], landscapes=["attic"], mood="melancholy", time_of_day="night"
)
OTHERS = [asset_pb2.Facets(landscapes=[place], mood="joyful") for place in ("beach", "city")]
QUESTION = "a weeping lass beneath moonlit rafters"


def settings_for(folder: Path, **more: Any) -> Settings:
    """A folder of its own; what waits is looked for every moment."""
    facts: dict[str, Any] = {
        "address": "127.0.0.1:0", "data_dir": folder / "data", "signing_key": SIGNING_KEY,
        "min_free_bytes": 0, "derive": "", "flush_every": timedelta(milliseconds=50),
    }  # fmt: skip
    return Settings(**{**facts, **more})


def local(folder: Path) -> Settings:
    digest = saved_model(folder / "model", PLACES)
    chosen = {"embeddings": "local", "embeddings_path": folder / "model"}
    return settings_for(folder, embeddings_sha256=digest, **chosen)


def at(server: EmbeddingsEndpoint, folder: Path, **more: Any) -> Settings:
    chosen = {"embeddings": "endpoint", "embeddings_url": server.url, "embeddings_model": "m"}
    return settings_for(folder, **{**chosen, "embeddings_timeout": 30, **more})


def rows(settings: Settings, table: str, where: str = "1") -> int:
    """Rows of the service's own database."""
    with sqlite3.connect(settings.data_dir / "storage.db") as database:
        [found] = database.execute(f"SELECT count(*) FROM {table} WHERE {where}").fetchone()
    database.close()
    return int(found)


async def embedded(settings: Settings, count: int) -> None:
    """Wait until so many assets have their vectors and none waits."""
    waits = ("asset_meanings", "embedder = ''")
    while rows(settings, "asset_vectors") != count or rows(settings, *waits):  # noqa: ASYNC110 - another thread
        await asyncio.sleep(0.05)


async def searched(client: Client, query: str = QUESTION, **more: Any) -> pb.SearchAssetsResponse:
    request = pb.SearchAssetsRequest(query=query, **more)
    answer: pb.SearchAssetsResponse = await client.stub.SearchAssets(request)
    return answer


def told(answer: pb.SearchAssetsResponse) -> list[str]:
    return [hit.asset.creative_id for hit in answer.hits]


async def filled(client: Client) -> asset_pb2.Asset:
    """Store Emma and the others; returns Emma."""
    emma = await client.upload(CLIP, "emma", creative_id="emma", facets=EMMA)
    for number, facets in enumerate(OTHERS):
        await client.upload(CLIP, f"other {number}", creative_id=f"other {number}", facets=facets)
    return emma


def of_places(body: dict[str, Any]) -> Response:
    """What an endpoint says that knows the same words."""
    found = []
    for text in body["input"]:
        known = [PLACES[word] for word in text.lower().split() if word in PLACES]
        found.append([sum(numbers) for numbers in zip(*known, strict=True)] if known else [0.1] * 6)
    return listed(found)


def away(_: dict[str, Any]) -> Response:
    return JSONResponse({"error": {"message": "down"}}, status_code=503)


async def test_emma_is_found_by_words_that_nothing_says_and_leaves_nothing_behind(
    tmp_path: Path,
) -> None:
    settings = local(tmp_path)
    async with (
        running(settings) as address,
        client_of(address) as acme,
        client_of(address, "other") as other,
    ):
        emma = await filled(acme)
        await other.upload(CLIP, "theirs", creative_id="theirs", facets=EMMA)
        await embedded(settings, 4)
        answer = await searched(acme)
        assert told(answer)[0] == "emma"
        assert not answer.words_alone
        scores = [hit.score for hit in answer.hits]
        assert scores == sorted(scores, reverse=True)
        assert 0.6 < scores[0] <= 1
        assert told(await searched(other)) == ["theirs"]
        assert "emma" not in told(await searched(acme, words_alone=True))
        joyful = asset_pb2.Facets(mood="joyful")
        assert set(told(await searched(acme, "a poodle", facets=joyful))) == {"other 0", "other 1"}
        await acme.delete(emma.name)
        assert rows(settings, "asset_vectors") == rows(settings, "asset_meanings") == 3
        assert "emma" not in told(await searched(acme))


@pytest.mark.parametrize(
    "trouble",
    [
        away,
        lambda _: listed([[1.0] * 6] * 99),
        lambda _: JSONResponse({"error": {"message": "unknown model"}}, status_code=400),
    ],
    ids=["away", "another count", "refusing all"],
)
async def test_an_endpoint_in_trouble_is_in_nobodys_way_and_is_made_up_for(
    tmp_path: Path, trouble: Callable[[dict[str, Any]], Response]
) -> None:
    async with endpoint(trouble) as server:
        settings = at(server, tmp_path)
        async with running(settings) as address, client_of(address) as acme:
            await filled(acme)
            answer = await searched(acme, "a melancholy attic")
            assert answer.words_alone
            assert told(answer)[0] == "emma"
            server.answer = of_places
            await embedded(settings, 3)
            answer = await searched(acme)
            assert (answer.words_alone, told(answer)[0]) == (False, "emma")


async def test_an_endpoint_that_never_answers_holds_no_upload_and_no_search_for_long(
    tmp_path: Path,
) -> None:
    async def hear(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    silent = await asyncio.start_server(hear, "127.0.0.1", 0)
    url = f"http://127.0.0.1:{silent.sockets[0].getsockname()[1]}/v1"
    settings = settings_for(
        tmp_path, embeddings="endpoint", embeddings_url=url, embeddings_timeout=0.2
    )
    async with silent, running(settings) as address, client_of(address) as acme:
        await filled(acme)
        answer = await searched(acme, "a melancholy attic")
        assert (answer.words_alone, told(answer)[0]) == (True, "emma")


async def test_another_length_under_the_same_name_finds_by_words_and_breaks_nothing(
    tmp_path: Path,
) -> None:
    async with endpoint(of_places) as server:
        settings = at(server, tmp_path)
        async with running(settings) as address, client_of(address) as acme:
            await filled(acme)
            await embedded(settings, 3)
            server.answer = lambda body: listed([[1.0, 2.0, 3.0] for _ in body["input"]])
            assert told(await searched(acme, "a melancholy attic"))[0] == "emma"


async def test_killed_between_stored_and_embedded_it_is_embedded_by_the_next(
    tmp_path: Path,
) -> None:
    settings = local(tmp_path)
    rarely = settings.model_copy(update={"flush_every": timedelta(hours=1)})
    async with process(rarely) as service:
        async with client_of(service.address) as acme:
            await filled(acme)
        os.kill(service.pid, signal.SIGKILL)
        assert await service.died() == signal.SIGKILL
    assert rows(settings, "asset_vectors") == 0
    async with running(settings) as address, client_of(address) as acme:
        await embedded(settings, 3)
        assert told(await searched(acme))[0] == "emma"


async def test_another_embedder_reads_what_is_there_and_without_one_words_are_left(
    tmp_path: Path,
) -> None:
    async with endpoint(of_places) as server:
        for settings in (
            at(server, tmp_path), at(server, tmp_path, embeddings_model="n"), local(tmp_path)
        ):  # fmt: skip
            async with running(settings) as address, client_of(address) as acme:
                await filled(acme)
                await embedded(settings, 3)
                assert told(await searched(acme))[0] == "emma"
        async with running(settings_for(tmp_path)) as address, client_of(address) as acme:
            answer = await searched(acme)
            assert (answer.words_alone, "emma" in told(answer)) == (True, False)


async def test_an_endpoint_outside_is_not_shown_what_was_made_here(tmp_path: Path) -> None:
    async with endpoint(of_places) as server:
        settings = at(server, tmp_path)
        async with running(settings) as address, client_of(address) as acme:
            here = asset_pb2.Lineage(generation="generations/01hz", prompt="a secret of the house")
            there = asset_pb2.Lineage(
                generation="generations/02hz", prompt="a poodle", shown_outside=True
            )
            kept = await acme.upload(CLIP, "here", creative_id="here", lineage=here)
            await acme.upload(CLIP, "there", creative_id="there", lineage=there)
            await embedded(settings, 1)
            assert "poodle" in " ".join(server.texts())
            assert "secret" not in " ".join(server.texts())
            assert told(await searched(acme, "a secret"))[0] == "here"
            assert not (await acme.get(kept.name)).lineage.shown_outside
        settings = at(server, tmp_path / "own", embeddings_outside=False)
        async with running(settings) as address, client_of(address) as acme:
            await acme.upload(CLIP, "here", creative_id="here", lineage=here)
            await embedded(settings, 1)
            assert "secret" in " ".join(server.texts())


@pytest.fixture
async def bare(tmp_path: Path) -> AsyncIterator[str]:
    """The service as it is installed by itself: without the extra ``embeddings``."""
    hidden = ("openai", "model2vec", "numpy", "tokenizers")
    async with process(settings_for(tmp_path), hidden=hidden) as service:
        yield service.address


async def test_without_embeddings_nothing_of_them_is_needed(bare: str) -> None:
    async with client_of(bare) as acme:
        await filled(acme)
        answer = await searched(acme, "a melancholy attic")
        assert (answer.words_alone, told(answer)[0]) == (True, "emma")
