"""A language model behind a strict fake over real HTTP, as the prompt service asks it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import openai

from services.prompt.adapters.llm.dialects import DIALECTS
from services.prompt.adapters.llm.endpoint import Endpoint, Price
from services.prompt.adapters.llm.writer import LanguageModelWriter
from services.prompt.adapters.rules.reader import RulesReader
from services.prompt.packs import load_knowledge
from tests.fakes.llm import KEY, FakeLlm, serving

KNOWLEDGE = load_knowledge()
READER = RulesReader(KNOWLEDGE.lexicons, KNOWLEDGE.names)

BROKEN = {
    "status 500": FakeLlm(status=500),
    "status 429": FakeLlm(status=429),
    "status 402": FakeLlm(status=402),
    "status 404": FakeLlm(status=404),
    "cut off": FakeLlm(finish_reason="length"),
    "html": FakeLlm(garbage=b"<html>bad gateway</html>"),
    "no choices": FakeLlm(garbage=b'{"choices": []}'),
    "a string": FakeLlm(garbage=b'"hello"'),
    "no content": FakeLlm(garbage=b'{"choices": [{"message": {"content": null}}]}'),
    "no message": FakeLlm(
        garbage=b'{"choices": [{"index": 0, "finish_reason": "stop", "message": null}]}'
    ),
}
HANGING = {"slow": FakeLlm(delay=30), "streams garbage for ever": FakeLlm(endless=True)}


@asynccontextmanager
async def model_behind(fake: FakeLlm, timeout: float = 3.0) -> AsyncIterator[LanguageModelWriter]:
    """The fake is served while the block runs."""
    async with (
        serving(fake),
        openai.AsyncOpenAI(
            api_key=KEY, base_url=fake.base_url, max_retries=0, timeout=timeout
        ) as client,
    ):
        yield LanguageModelWriter(
            Endpoint(
                client=client,
                model="test-model",
                dialect=DIALECTS[fake.dialect],
                timeout=timeout,
                price=Price(150_000, 600_000),
            )
        )
