"""Every `Embedder`: unit vectors, one for each text in order, the same for the same."""

import math
from contextlib import asynccontextmanager

import pytest
from starlette.responses import JSONResponse, PlainTextResponse, Response

from services.common.embedders.chosen import chosen
from services.common.embedders.endpoint import EndpointEmbedder
from services.common.embedders.local import LocalEmbedder
from services.common.errors import FailedPrecondition, InvalidArgument, Unavailable
from services.orchestrator import settings as orchestrator
from services.orchestrator.adapters.lexical_embedder import LexicalEmbedder
from services.storage import settings as storage
from tests.fakes.embeddings import endpoint, listed, saved_model

PLACES: dict[str, list[float]] = {
    "dog": [1, 0, 0],
    "hound": [0.9, 0.1, 0],
    "beach": [0, 1, 0],
    "rocket": [0, 0, 1],
}


@pytest.fixture
def local(tmp_path):
    """An embedder on a model of four words."""
    digest = saved_model(tmp_path, PLACES)
    return LocalEmbedder(tmp_path, digest, setting="STORAGE_EMBEDDINGS")


@asynccontextmanager
async def by_endpoint(answer):
    """An embedder on an endpoint that answers as told; yields it and the endpoint."""
    async with endpoint(answer) as server:
        found = EndpointEmbedder(base_url=server.url, api_key="k", model="m", timeout=5)
        try:
            yield found, server
        finally:
            await found.close()


def words_as_numbers(body):
    return listed([[float(len(text)), 1.0, 2.0] for text in body["input"]])


def numbers(*written):
    rows = ",".join(
        f'{{"object":"embedding","index":{index},"embedding":[{",".join(written)}]}}'
        for index in range(2)
    )
    usage = '"usage":{"prompt_tokens":1,"total_tokens":1}'
    return Response(f'{{"object":"list","model":"m",{usage},"data":[{rows}]}}')


@pytest.fixture(params=["lexical", "local", "endpoint"])
async def embedder(request):
    if request.param == "lexical":
        yield LexicalEmbedder()
    elif request.param == "local":
        yield request.getfixturevalue("local")
    else:
        async with by_endpoint(words_as_numbers) as (found, _):
            yield found


async def test_there_is_one_unit_vector_for_each_text_in_order(embedder):
    texts = ["dog beach", "rocket", "dog beach"]
    first, second, third = await embedder.embed(texts)
    assert first == third != second
    for vector in (first, second):
        assert math.hypot(*vector) == pytest.approx(1.0, abs=1e-5)
    assert embedder.name


async def test_what_says_nothing_has_no_vector(local):
    assert await LexicalEmbedder().embed(["the of a"]) == [()]
    assert await local.embed(["unheard of"]) == [()]


async def test_a_local_model_knows_what_stands_for_the_same(local):
    dog, hound, rocket = await local.embed(["dog", "hound", "rocket"])
    alike, other = (math.fsum(a * b for a, b in zip(dog, x, strict=True)) for x in (hound, rocket))
    assert alike > 0.9 > other


@pytest.mark.parametrize("service", [orchestrator, storage], ids=["orchestrator", "storage"])
def test_other_weights_than_the_pinned_ones_are_refused_by_the_name_of_the_setting(
    service, tmp_path
):
    prefix = f"{service.Settings.service.upper()}_EMBEDDINGS"
    given = {"embeddings_path": tmp_path / "model", "embeddings_sha256": "00"}
    with pytest.raises(FailedPrecondition, match=rf"{prefix}_PATH: no model\.safetensors"):
        chosen("local", service.Settings(**given))
    saved_model(tmp_path / "model", PLACES)
    with pytest.raises(FailedPrecondition, match=f"{prefix}_SHA256 is not that of"):
        chosen("local", service.Settings(**given))


async def test_the_endpoint_is_asked_as_its_contract_says():
    async with by_endpoint(words_as_numbers) as (found, server):
        await found.embed(["dog"])
    asked = {"model": "m", "input": ["dog"], "encoding_format": "float"}
    assert server.asked == [("Bearer k", asked)]


@pytest.mark.parametrize(
    "answer",
    [
        lambda _: JSONResponse({"error": {"message": "no"}}, status_code=401),
        lambda body: words_as_numbers(body | {"input": []}),
        lambda _: listed([[1.0, 2.0], [1.0]]),
        lambda _: JSONResponse({"data": [{"index": 0, "embedding": ["much"]}]}),
        lambda _: numbers("NaN", "Infinity"),
        lambda _: numbers("1e308", "1e308", "1e308", "1e308"),
        lambda _: PlainTextResponse("welcome to our network"),
    ],
    ids=[
        "an error",
        "too few vectors",
        "two lengths",
        "no numbers",
        "not a number",
        "too large",
        "no answer of the kind",
    ],
)
async def test_an_endpoint_that_does_not_serve_is_unavailable(answer):
    async with by_endpoint(answer) as (found, _):
        with pytest.raises(Unavailable, match="embeddings endpoint"):
            await found.embed(["dog", "hound"])


async def test_an_endpoint_that_has_had_enough_for_now_says_when_to_come_again():
    def busy(_):
        return JSONResponse({"error": {"message": "slow down"}}, status_code=429)

    async with by_endpoint(busy) as (found, _):
        with pytest.raises(Unavailable) as caught:
            await found.embed(["dog"])
    assert caught.value.retry_after


async def test_a_text_that_the_endpoint_refuses_is_to_blame_itself():
    def refusing(_):
        return JSONResponse({"error": {"message": "too long"}}, status_code=400)

    async with by_endpoint(refusing) as (found, _):
        with pytest.raises(InvalidArgument, match="refused by the embeddings endpoint"):
            await found.embed(["dog"])
