"""Every `Embedder`: unit vectors, one for each text in order, the same for the same."""

import hashlib
import math
from contextlib import asynccontextmanager

import numpy as np
import pytest
from model2vec import StaticModel
from starlette.applications import Starlette
from starlette.responses import JSONResponse
from starlette.routing import Route
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import Whitespace

from services.common.errors import FailedPrecondition, Unavailable
from services.common.http_server import serve_http
from services.orchestrator.adapters.embedders.endpoint import EndpointEmbedder
from services.orchestrator.adapters.embedders.lexical import LexicalEmbedder
from services.orchestrator.adapters.embedders.local import LocalEmbedder

VOCABULARY = ["[UNK]", "dog", "hound", "beach", "rocket"]
PLACES = np.array([[0, 0, 0], [1, 0, 0], [0.9, 0.1, 0], [0, 1, 0], [0, 0, 1]], dtype=np.float32)


@pytest.fixture
def folder(tmp_path):
    """A model of five words, saved as a real one is."""
    words = {word: number for number, word in enumerate(VOCABULARY)}
    tokenizer = Tokenizer(WordLevel(words, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = Whitespace()
    StaticModel(PLACES, tokenizer, normalize=True).save_pretrained(tmp_path)
    return tmp_path


def digest(folder):
    return hashlib.sha256((folder / "model.safetensors").read_bytes()).hexdigest()


def cosine(one, two):
    return math.fsum(a * b for a, b in zip(one, two, strict=True))


@asynccontextmanager
async def endpoint(answer):
    """An embedder on an endpoint that answers as told; yields it and what was asked."""
    asked = []

    async def embeddings(request):
        asked.append((request.headers["authorization"], await request.json()))
        return answer(asked[-1][1])

    app = Starlette(routes=[Route("/v1/embeddings", embeddings, methods=["POST"])])
    async with serve_http(app, "127.0.0.1:0", grace=1.0) as address:
        found = EndpointEmbedder(base_url=f"http://{address}/v1", api_key="k", model="m", timeout=5)
        try:
            yield found, asked
        finally:
            await found.close()


def words_as_numbers(body):
    """As the contract shows it, in another order than asked."""
    data = [
        {"object": "embedding", "index": i, "embedding": [float(len(text)), 1.0, 2.0]}
        for i, text in enumerate(body["input"])
    ]
    usage = {"prompt_tokens": 1, "total_tokens": 1}
    return JSONResponse(
        {"object": "list", "data": data[::-1], "model": body["model"], "usage": usage}
    )


@pytest.fixture(params=["lexical", "local", "endpoint"])
async def embedder(request):
    if request.param == "lexical":
        yield LexicalEmbedder()
    elif request.param == "local":
        folder = request.getfixturevalue("folder")
        yield LocalEmbedder(folder, digest(folder))
    else:
        async with endpoint(words_as_numbers) as (found, _):
            yield found


async def test_there_is_one_unit_vector_for_each_text_in_order(embedder):
    texts = ["dog beach", "rocket", "dog beach"]
    first, second, third = await embedder.embed(texts)
    assert first == third != second
    for vector in (first, second):
        assert math.hypot(*vector) == pytest.approx(1.0, abs=1e-5)
    assert embedder.name


async def test_what_says_nothing_has_no_vector(folder):
    assert await LexicalEmbedder().embed(["the of a"]) == [()]
    assert await LocalEmbedder(folder, digest(folder)).embed(["unheard of"]) == [()]


async def test_a_local_model_knows_what_stands_for_the_same(folder):
    dog, hound, rocket = await LocalEmbedder(folder, digest(folder)).embed(
        ["dog", "hound", "rocket"]
    )
    assert cosine(dog, hound) > 0.9 > cosine(dog, rocket)


def test_other_weights_than_the_pinned_ones_are_refused(folder, tmp_path):
    with pytest.raises(FailedPrecondition, match="EMBEDDINGS_SHA256"):
        LocalEmbedder(folder, "00")
    with pytest.raises(FailedPrecondition, match=r"no model\.safetensors"):
        LocalEmbedder(tmp_path / "none", "00")


async def test_the_endpoint_is_asked_as_its_contract_says():
    async with endpoint(words_as_numbers) as (found, asked):
        await found.embed(["dog"])
    assert asked == [("Bearer k", {"model": "m", "input": ["dog"], "encoding_format": "float"})]


@pytest.mark.parametrize(
    "answer",
    [
        lambda _: JSONResponse({"error": {"message": "no"}}, status_code=400),
        lambda body: words_as_numbers(body | {"input": []}),
    ],
    ids=["an error", "too few vectors"],
)
async def test_an_endpoint_that_does_not_serve_is_unavailable(answer):
    async with endpoint(answer) as (found, _):
        with pytest.raises(Unavailable, match="embeddings endpoint"):
            await found.embed(["dog"])
