"""Asks one question, checks the answer, and lets the model repair it once."""

import asyncio
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from pydantic import ValidationError

from services.prompt.adapters.llm import instructions
from services.prompt.adapters.llm.endpoint import Completion, Endpoint
from services.prompt.domain.language_model import LanguageModelFailedError
from services.prompt.domain.quantified import RULES, Backend

T = TypeVar("T")
_TRIES = 2
_NOTHING = Completion("")


@dataclass(frozen=True, kw_only=True)
class Question(Generic[T]):
    """What is asked; `read` makes the answer of a text, or a ValueError says what is wrong."""

    name: str
    system: str
    user: str
    schema: Mapping[str, Any]
    read: Callable[[str], T]

    def checked(self, answer: str) -> T:
        """What was answered.

        Raises:
            ValueError: not what was asked for, or a piece of the instructions.
        """
        if instructions.leaks(answer, self.system):
            msg = "the answer repeats the instructions"
            raise ValueError(msg)
        return self.read(_unfenced(answer))


@dataclass
class _Exchange:
    """One question on its way: what was said so far and what it used."""

    messages: list[dict[str, str]]
    spent: Completion = _NOTHING


async def ask(
    endpoint: Endpoint, question: Question[T], *, patience: float | None = None
) -> tuple[T, Backend]:
    """The checked answer, and who gave it at what cost.

    Raises:
        LanguageModelFailedError: no usable answer within the endpoint's time or `patience`.
    """
    exchange = _Exchange(
        [
            {"role": "system", "content": question.system},
            {"role": "user", "content": question.user},
        ]
    )
    limit = endpoint.timeout if patience is None else max(0.0, min(endpoint.timeout, patience))
    try:
        async with asyncio.timeout(limit):
            answer = await _answer(endpoint, question, exchange)
    except TimeoutError as error:
        msg = "timeout"
        raise LanguageModelFailedError(msg, _failed(endpoint, exchange)) from error
    except LanguageModelFailedError as error:
        raise LanguageModelFailedError(str(error), _failed(endpoint, exchange)) from error
    return answer, _backend(endpoint, exchange, source="llm")


async def _answer(endpoint: Endpoint, question: Question[T], exchange: _Exchange) -> T:
    for _ in range(_TRIES):
        said = await endpoint.complete(
            exchange.messages, name=question.name, schema=question.schema, dialect=endpoint.dialect
        )
        exchange.spent = exchange.spent.plus(said)
        if said.fault:
            raise LanguageModelFailedError(said.fault)
        try:
            return question.checked(said.text)
        except ValueError as error:
            exchange.messages += [
                {"role": "assistant", "content": said.text[:4000]},
                {"role": "user", "content": instructions.repair(_reason(error))},
            ]
    msg = "two invalid answers"
    raise LanguageModelFailedError(msg)


def _failed(endpoint: Endpoint, exchange: _Exchange) -> Backend:
    return _backend(endpoint, exchange, source="rules") if exchange.spent.tokens else RULES


def _backend(endpoint: Endpoint, exchange: _Exchange, *, source: str) -> Backend:
    spent = exchange.spent
    cost = endpoint.price.of(spent.input_tokens, spent.output_tokens)
    return Backend(source=source, model=endpoint.model, tokens=spent.tokens, cost_micros=cost)


def _unfenced(answer: str) -> str:
    """The JSON of an answer that small models like to put between code fences."""
    text = answer.strip()
    if text.startswith("```"):
        text = text.split("\n", 1)[-1].rsplit("```", 1)[0]
    return text


def _reason(error: ValueError) -> str:
    if isinstance(error, ValidationError):
        found = [f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors()[:5]]
        return "; ".join(found)
    if isinstance(error, json.JSONDecodeError):
        return "not JSON"
    return str(error)
