"""Vectors from an OpenAI-compatible endpoint: `POST /embeddings`.

Contract: https://platform.openai.com/docs/api-reference/embeddings/create
"""

import math
from collections.abc import Sequence

import openai
from openai.types import CreateEmbeddingResponse
from pydantic import ValidationError

from services.common.errors import InvalidArgument, Unavailable

# The text is to blame: too long, or not to be had. Anything else is trouble of the endpoint.
_REFUSED = frozenset({400, 413, 422})
# Seconds after which an endpoint that has had too many questions is asked again.
_REST = 60.0


class EndpointEmbedder:
    """An `OpenEmbedder`; the client repeats what failed in passing, twice."""

    def __init__(self, *, base_url: str, api_key: str, model: str, timeout: float) -> None:
        """`timeout` in seconds for one request, all repeats together take three times as long."""
        self.name = model
        # Endpoints of one's own take no key, and the client does not start without one.
        self._client = openai.AsyncOpenAI(
            base_url=base_url, api_key=api_key or "none", timeout=timeout
        )

    async def embed(self, texts: Sequence[str]) -> Sequence[tuple[float, ...]]:
        """See `OpenEmbedder.embed`. Raises Unavailable, InvalidArgument where a text is refused."""
        try:
            given = await self._client.embeddings.with_raw_response.create(
                model=self.name, input=[*texts], encoding_format="float"
            )
            answer = CreateEmbeddingResponse.model_validate_json(given.content)
        except openai.RateLimitError as error:
            raise Unavailable("the embeddings endpoint wants fewer requests", _REST) from error
        except openai.APIStatusError as error:
            if error.status_code in _REFUSED:
                message = f"are refused by the embeddings endpoint ({error.status_code})"
                raise InvalidArgument("texts", message) from error
            raise _away(error) from error
        except (openai.OpenAIError, ValidationError) as error:
            raise _away(error) from error
        rows = sorted(answer.data, key=lambda row: row.index)
        if len(rows) != len(texts) or len({len(row.embedding) for row in rows}) > 1:
            message = f"the embeddings endpoint gave {len(rows)} vectors for {len(texts)} texts"
            raise Unavailable(f"{message}, or vectors that are not of one length")
        return [_unit(row.embedding) for row in rows]

    async def close(self) -> None:
        """Close the connections."""
        await self._client.close()


def _away(error: Exception) -> Unavailable:
    return Unavailable(f"the embeddings endpoint does not serve: {type(error).__name__}")


def _unit(numbers: Sequence[float]) -> tuple[float, ...]:
    length = math.hypot(*numbers)
    if not math.isfinite(length):
        raise Unavailable("the embeddings endpoint gave numbers that are not finite")
    return tuple(number / length for number in numbers) if length else ()
