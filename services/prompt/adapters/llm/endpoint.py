"""One OpenAI-compatible endpoint: sends a conversation, returns text, tokens and cost."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import openai
from pydantic import BaseModel, Field

from services.prompt.adapters.llm.dialects import PLAIN_JSON, Dialect
from services.prompt.domain.language_model import LanguageModelFailedError


@dataclass(frozen=True)
class Price:
    """Micro-USD per million tokens; None where nobody told us."""

    input_micros: int | None = None
    output_micros: int | None = None

    def of(self, input_tokens: int, output_tokens: int) -> int | None:
        """Cost in micro-USD, rounded up, or None when a price is unknown."""
        if self.input_micros is None or self.output_micros is None:
            return None
        total = input_tokens * self.input_micros + output_tokens * self.output_micros
        return -(-total // 1_000_000)


@dataclass(frozen=True)
class Completion:
    """One answer, or several in sum; `fault` says why its text is of no use though it was paid."""

    text: str
    input_tokens: int = 0
    output_tokens: int = 0
    fault: str = ""

    @property
    def tokens(self) -> int:
        """Both ways."""
        return self.input_tokens + self.output_tokens

    def plus(self, more: "Completion") -> "Completion":
        """The newer text, and what both have used."""
        return Completion(
            more.text,
            self.input_tokens + more.input_tokens,
            self.output_tokens + more.output_tokens,
            more.fault,
        )


class _Message(BaseModel):
    content: str | None = None
    refusal: str | None = None


class _Choice(BaseModel):
    message: _Message
    finish_reason: str | None = None


class _Usage(BaseModel):
    prompt_tokens: int = Field(default=0, ge=0)
    completion_tokens: int = Field(default=0, ge=0)


class _Reply(BaseModel):
    """What we use of a completion. The SDK's own types are built without any check."""

    choices: list[_Choice] = Field(min_length=1)
    usage: _Usage | None = None

    def completion(self) -> Completion:
        choice, usage = self.choices[0], self.usage or _Usage()
        fault = "cut off at the token limit" if choice.finish_reason == "length" else ""
        if choice.message.refusal:
            fault = "refused"
        text = choice.message.content or ""
        return Completion(text, usage.prompt_tokens, usage.completion_tokens, fault)


@dataclass(frozen=True, kw_only=True)
class Endpoint:
    """Where the model is and how it is spoken to. `max_retries` is the SDK's, for one question."""

    client: openai.AsyncOpenAI
    model: str
    dialect: Dialect
    timeout: float
    max_tokens: int = 1_500
    price: Price = Price()

    async def complete(
        self,
        messages: list[dict[str, str]],
        *,
        name: str,
        schema: Mapping[str, Any],
        dialect: Dialect,
    ) -> Completion:
        """The model's answer as text; a refusal and an answer that was cut off say so in `fault`.

        Raises:
            LanguageModelFailedError: no answer, or none that is a completion.
        """
        arguments: dict[str, Any] = {
            "model": self.model,
            "messages": messages,
            "response_format": dialect.response_format(name, schema),
            dialect.length_field: self.max_tokens,
        }
        if dialect.temperature is not None:
            arguments["temperature"] = dialect.temperature
        if dialect.extra_body:
            arguments["extra_body"] = dict(dialect.extra_body)
        try:
            raw = await self.client.chat.completions.with_raw_response.create(**arguments)
            return _Reply.model_validate_json(raw.http_response.content).completion()
        except openai.BadRequestError as error:
            if dialect.json_schema and "response_format" in str(error):
                return await self.complete(messages, name=name, schema=schema, dialect=PLAIN_JSON)
            raise LanguageModelFailedError(_why(error)) from error
        except (openai.OpenAIError, ValueError) as error:
            raise LanguageModelFailedError(_why(error)) from error

    async def close(self) -> None:
        """Closes the connections."""
        await self.client.close()


def _why(error: Exception) -> str:
    """A few words that never hold what the server wrote, which may hold the prompt or a key."""
    if isinstance(error, openai.APITimeoutError):
        return "timeout"
    if isinstance(error, openai.APIConnectionError):
        return "connection failed"
    if isinstance(error, openai.APIStatusError):
        return f"HTTP {error.status_code}"
    return "unreadable answer"
