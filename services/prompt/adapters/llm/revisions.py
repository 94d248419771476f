"""What a language model must answer when it changes a prompt by feedback."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from services.common.errors import InvalidArgument
from services.prompt.adapters.llm.answers import term
from services.prompt.domain.language_model import Proposal
from services.prompt.domain.parameters import NOTHING_SAID

_WORDS = frozenset({"style", "camera_motion", "shot_type", "mood", "time_of_day"})


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid")


class ChangeAnswer(_Strict):
    """One parameter that a wish changes.

    Length, size, count and quality are not among them: they follow from plain words alone,
    because they are paid for.
    """

    field: Literal[
        "style",
        "camera_motion",
        "shot_type",
        "mood",
        "time_of_day",
        "aspect_ratio",
        "negative_prompt",
    ]
    value: str = Field(min_length=1, max_length=400)
    wish: int


class ReviseAnswer(_Strict):
    """Every field is required: what strict structured output asks for."""

    prompt: str = Field(min_length=1, max_length=20_000)
    prompt_wishes: list[int]
    changes: list[ChangeAnswer] = Field(max_length=20)

    @classmethod
    def read(cls, text: str, *, wishes: int, longest: int) -> "ReviseAnswer":
        """The answer, checked against what was asked.

        Raises:
            ValueError: no such answer, a wish that nobody has, a value that no video can have.
        """
        answer = cls.model_validate_json(text)
        numbers = [*answer.prompt_wishes, *(change.wish for change in answer.changes)]
        if any(not 1 <= number <= wishes for number in numbers):
            msg = f"wishes are numbered from 1 to {wishes}"
            raise ValueError(msg)
        if len(answer.prompt) > longest:
            msg = "prompt is far longer than the one before"
            raise ValueError(msg)
        for change in answer.proposals():
            try:
                NOTHING_SAID.with_value(change.field, change.value)
            except InvalidArgument as error:
                raise ValueError(error.message) from error
        return answer

    def carried_out(self) -> tuple[int, ...]:
        """Wishes that the new words carry out, counted from 0."""
        return tuple(dict.fromkeys(number - 1 for number in self.prompt_wishes))

    def proposals(self) -> tuple[Proposal, ...]:
        """Changes of parameters."""
        return tuple(
            Proposal(
                change.field,
                term(change.value) if change.field in _WORDS else change.value.strip(),
                change.wish - 1,
            )
            for change in self.changes
        )
