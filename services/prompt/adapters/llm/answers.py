"""What a language model must answer: the schema that it is given and that its answer must pass."""

from pydantic import BaseModel, ConfigDict, field_validator

from services.common.errors import InvalidArgument
from services.prompt.domain.parameters import QUALITIES, VideoParameters


class QuantifyAnswer(BaseModel):
    """Every field is required and may be null: what strict structured output asks for."""

    model_config = ConfigDict(extra="forbid")

    prompt: str
    language: str
    duration_seconds: float | None
    aspect_ratio: str | None
    style: str | None
    quality: str | None
    camera_motion: str | None
    shot_type: str | None
    mood: str | None
    time_of_day: str | None
    negative_prompt: str | None
    characters: list[str] | None
    landscapes: list[str] | None

    @field_validator("prompt")
    @classmethod
    def _has_text(cls, prompt: str) -> str:
        if not prompt.strip() or len(prompt) > 20_000:
            msg = "must have 1 to 20000 characters"
            raise ValueError(msg)
        return prompt

    @field_validator("quality")
    @classmethod
    def _is_quality(cls, quality: str | None) -> str | None:
        if quality is not None and quality not in QUALITIES:
            msg = f"must be one of {', '.join(QUALITIES)} or null"
            raise ValueError(msg)
        return quality

    def parameters(self) -> VideoParameters:
        """As parameters of the domain.

        Raises:
            ValueError: a value that no video can have.
        """
        try:
            return VideoParameters(
                duration_seconds=self.duration_seconds,
                aspect_ratio=self.aspect_ratio or "",
                style=term(self.style),
                quality=self.quality or "",
                camera_motion=term(self.camera_motion),
                shot_type=term(self.shot_type),
                mood=term(self.mood),
                time_of_day=term(self.time_of_day),
                negative_prompt=(self.negative_prompt or "").strip(),
                characters=tuple(filter(None, self.characters or [])),
                landscapes=tuple(filter(None, self.landscapes or [])),
            )
        except InvalidArgument as error:
            raise ValueError(error.message) from error


def term(value: str | None) -> str:
    """A value in the spelling of the lexicon: "slow_push" for "Slow push"."""
    return "_".join((value or "").strip().lower().replace("-", " ").split())
