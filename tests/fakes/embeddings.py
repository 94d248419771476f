"""What embedders need: a tiny Model2Vec model, made of words and places, and `POST /embeddings`."""

import hashlib
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import numpy as np
from model2vec import StaticModel
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.normalizers import Lowercase
from tokenizers.pre_tokenizers import Whitespace

from services.common.http_server import serve_http

Answer = Callable[[dict[str, Any]], Response]


def saved_model(folder: Path, places: Mapping[str, Sequence[float]]) -> str:
    """Save a model that knows these words, as a real one is; returns the digest of its weights."""
    nowhere = [0.0] * len(next(iter(places.values())))
    words = {word: number for number, word in enumerate(["[UNK]", *places])}
    tokenizer = Tokenizer(WordLevel(words, unk_token="[UNK]"))
    tokenizer.normalizer = Lowercase()
    tokenizer.pre_tokenizer = Whitespace()
    rows = np.array([nowhere, *places.values()], dtype=np.float32)
    StaticModel(rows, tokenizer, normalize=True).save_pretrained(folder)
    return hashlib.sha256((folder / "model.safetensors").read_bytes()).hexdigest()


def listed(vectors: Sequence[Sequence[float]], model: str = "m") -> JSONResponse:
    """An answer as the contract shows it, in another order than asked."""
    data = [
        {"object": "embedding", "index": index, "embedding": list(vector)}
        for index, vector in enumerate(vectors)
    ]
    usage = {"prompt_tokens": 1, "total_tokens": 1}
    return JSONResponse({"object": "list", "data": data[::-1], "model": model, "usage": usage})


class EmbeddingsEndpoint:
    """A real server that answers as `answer` says by then, and remembers what it was asked."""

    def __init__(self, answer: Answer) -> None:
        self.answer = answer
        self.asked: list[tuple[str, dict[str, Any]]] = []
        self.url = ""

    def texts(self) -> list[str]:
        """Every text that it was shown."""
        return [text for _, body in self.asked for text in body["input"]]

    async def _embeddings(self, request: Request) -> Response:
        body = await request.json()
        self.asked.append((request.headers["authorization"], body))
        return self.answer(body)


@asynccontextmanager
async def endpoint(answer: Answer) -> AsyncIterator[EmbeddingsEndpoint]:
    """Serve on a port of its own while the block runs."""
    found = EmbeddingsEndpoint(answer)
    app = Starlette(routes=[Route("/v1/embeddings", found._embeddings, methods=["POST"])])
    async with serve_http(app, "127.0.0.1:0", grace=1.0) as address:
        found.url = f"http://{address}/v1"
        yield found
