"""Vectors from an OpenAI-compatible endpoint: `POST /embeddings`.

Contract: https://platform.openai.com/docs/api-reference/embeddings/create
"""

import math
from collections.abc import Sequence

import openai

from services.common.errors import Unavailable


class EndpointEmbedder:
    """`domain.cache.entries.Embedder`; the client repeats what failed in passing, twice."""

    def __init__(self, *, base_url: str, api_key: str, model: str, timeout: float) -> None:
        """`timeout` in seconds for one request, all repeats together take three times as long."""
        self.name = model
        # Endpoints of one's own take no key, and the client does not start without one.
        self._client = openai.AsyncOpenAI(
            base_url=base_url, api_key=api_key or "none", timeout=timeout
        )

    async def embed(self, texts: Sequence[str]) -> Sequence[tuple[float, ...]]:
        """See `Embedder.embed`. Raises Unavailable."""
        try:
            answer = await self._client.embeddings.create(
                model=self.name, input=[*texts], encoding_format="float"
            )
        except openai.OpenAIError as error:
            message = f"the embeddings endpoint does not serve: {type(error).__name__}"
            raise Unavailable(message) from error
        rows = sorted(answer.data, key=lambda row: row.index)
        if len(rows) != len(texts):
            message = f"the embeddings endpoint gave {len(rows)} vectors for {len(texts)} texts"
            raise Unavailable(message)
        return [_unit(row.embedding) for row in rows]

    async def close(self) -> None:
        """Close the connections."""
        await self._client.close()


def _unit(numbers: Sequence[float]) -> tuple[float, ...]:
    length = math.hypot(*numbers)
    return tuple(number / length for number in numbers) if length else ()
