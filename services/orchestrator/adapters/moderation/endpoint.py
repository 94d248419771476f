"""An OpenAI-compatible moderation endpoint (`POST {base}/moderations`)."""

from types import TracebackType
from typing import Self

import httpx
from pydantic import BaseModel, ValidationError

from services.common.errors import Unavailable

TIMEOUT = httpx.Timeout(5.0)


class _Result(BaseModel):
    flagged: bool
    categories: dict[str, bool | None] = {}


class _Answer(BaseModel):
    results: list[_Result]


class ModerationEndpoint:
    """`domain.policy_ports.ModerationPort` over HTTP; an asynchronous context manager."""

    def __init__(self, base_url: str, *, key: str, model: str) -> None:
        """Ask `base_url`, such as "https://api.openai.com/v1"; an empty key is not sent."""
        self._url = f"{base_url.rstrip('/')}/moderations"
        self._model = model
        headers = {"authorization": f"Bearer {key}"} if key else {}
        transport = httpx.AsyncHTTPTransport(retries=1)
        self._http = httpx.AsyncClient(timeout=TIMEOUT, headers=headers, transport=transport)

    async def flagged(self, text: str) -> tuple[str, ...]:
        """See `ModerationPort.flagged`."""
        try:
            body = {"model": self._model, "input": text}
            answer = (await self._http.post(self._url, json=body)).raise_for_status()
            results = _Answer.model_validate_json(answer.content).results
        except (httpx.HTTPError, ValidationError) as error:
            message = f"the moderation endpoint does not answer: {type(error).__name__}"
            raise Unavailable(message) from error
        named = [name for r in results if r.flagged for name, hit in r.categories.items() if hit]
        if any(r.flagged for r in results) and not named:
            return ("other",)
        return tuple(dict.fromkeys(named))

    async def __aenter__(self) -> Self:
        """Use it for the length of a block."""
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close the connections."""
        await self._http.aclose()
