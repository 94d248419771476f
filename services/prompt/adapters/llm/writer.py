"""Asks a language model to quantify a prompt, checks its answer, and lets it repair one."""

import json

from pydantic import ValidationError

from services.prompt.adapters.llm import instructions
from services.prompt.adapters.llm.answers import QuantifyAnswer
from services.prompt.adapters.llm.endpoint import Completion, Endpoint
from services.prompt.domain.ports import Draft, LanguageModelFailedError
from services.prompt.domain.quantified import Backend

_SCHEMA = QuantifyAnswer.model_json_schema()
_MAX_GROWTH = 4_000


class LanguageModelWriter:
    """Implements the port `LanguageModel`: two tries, then it says that it failed."""

    def __init__(self, endpoint: Endpoint) -> None:
        self._endpoint = endpoint

    async def quantify(self, text: str, *, enhance: bool, translate_to: str = "") -> Draft:
        """See `LanguageModel.quantify`."""
        dialect = self._endpoint.dialect
        # json_object enforces no schema, and json_schema does not explain itself to small models.
        system = instructions.quantify(enhance=enhance, translate_to=translate_to, schema=_SCHEMA)
        messages = [
            {"role": "system", "content": system},
            {"role": "user", "content": instructions.fenced(text)},
        ]
        spent = Completion("", 0, 0)
        why = ""
        try:
            async with self._endpoint.deadline():
                for _ in range(2):
                    answer = await self._endpoint.complete(
                        messages, name="video_request", schema=_SCHEMA, dialect=dialect
                    )
                    spent = _sum(spent, answer)
                    try:
                        return self._draft(answer.text, text, system, spent)
                    except ValueError as error:
                        why = _reason(error)
                    messages = [
                        *messages,
                        {"role": "assistant", "content": answer.text[:4000]},
                        {"role": "user", "content": instructions.repair(why)},
                    ]
        except TimeoutError as error:
            msg = "timeout"
            raise LanguageModelFailedError(msg) from error
        msg = "two invalid answers"
        raise LanguageModelFailedError(msg)

    def _draft(self, answer: str, request: str, system: str, spent: Completion) -> Draft:
        parsed = QuantifyAnswer.model_validate_json(_unfenced(answer))
        if len(parsed.prompt) > len(request) + _MAX_GROWTH:
            msg = "prompt is far longer than the request"
            raise ValueError(msg)
        if instructions.leaks(answer, system):
            msg = "the answer repeats the instructions"
            raise ValueError(msg)
        tokens = spent.input_tokens + spent.output_tokens
        cost = self._endpoint.price.of(spent.input_tokens, spent.output_tokens)
        return Draft(
            parameters=parsed.parameters(),
            prompt=parsed.prompt,
            language=parsed.language,
            backend=Backend(
                source="llm", model=self._endpoint.model, tokens=tokens, cost_micros=cost
            ),
        )


def _sum(spent: Completion, more: Completion) -> Completion:
    return Completion(
        more.text,
        spent.input_tokens + more.input_tokens,
        spent.output_tokens + more.output_tokens,
    )


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
