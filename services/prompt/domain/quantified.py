"""A prompt turned into parameters, with where each of them came from."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType

from services.common.errors import InvalidArgument
from services.prompt.domain.parameters import (
    FIELDS,
    MAX_PROMPT_CHARACTERS,
    NOTHING_SAID,
    VideoParameters,
)

_TAG = re.compile(r"[A-Za-z]{2,8}(?:-[A-Za-z0-9]{1,8}){0,4}")
_MOST_OFFERS = 200
_FASTEST = 240


class Enhance(StrEnum):
    """How far the caller's words may be changed."""

    AUTO = "auto"
    ON = "on"
    OFF = "off"


class Provenance(StrEnum):
    """Where a parameter came from; the order of trust is the order here.

    A preset is named by the caller, yet only what he has set himself is binding for a model.
    """

    CALLER = "caller"
    PRESET = "preset"
    RULES = "rules"
    LLM = "llm"
    DEFAULT = "default"


@dataclass(frozen=True, kw_only=True)
class Backend:
    """Who understood the prompt, and what that cost."""

    source: str = "rules"
    model: str = ""
    tokens: int = 0
    cost_micros: int | None = None

    def __post_init__(self) -> None:
        if self.source not in {"rules", "llm"}:
            raise InvalidArgument("source", "is not known", allowed=("rules", "llm"))


RULES = Backend()


@dataclass(frozen=True, kw_only=True)
class Quantified:
    """The answer of QuantifyPrompt; `original` is the caller's text, byte for byte."""

    original: str
    prompt: str
    language: str
    parameters: VideoParameters
    provenance: Mapping[str, Provenance] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()
    backend: Backend = RULES
    template: str = ""
    """Name and version of the template that was filled, or ""."""
    prompt_language: str = ""
    """Language of `prompt` where it is not that of the original, or ""."""

    def __post_init__(self) -> None:
        check_prompt(self.original)
        unknown = set(self.provenance) - set(FIELDS)
        if unknown:
            raise InvalidArgument("provenance", f"names no parameter: {sorted(unknown)}")
        object.__setattr__(self, "provenance", MappingProxyType(dict(self.provenance)))


def chosen_by_caller(provenance: Mapping[str, Provenance]) -> tuple[str, ...]:
    """Names of the parameters that the caller has set himself, or by the preset that he named."""
    chosen = {Provenance.CALLER, Provenance.PRESET}
    return tuple(name for name, told in provenance.items() if told in chosen)


ANY = "*"
"""Stands in a list of ratios or resolutions for every other one."""


@dataclass(frozen=True, kw_only=True)
class Limits:
    """What a model can take, as far as prompts are concerned; empty means any.

    `text` is false for a model that works from a picture alone; `style` and `camera_motion` are
    true where it has fields of its own for them.
    """

    max_prompt_characters: int = 0
    text: bool = True
    negative_prompt: bool = True
    style: bool = False
    camera_motion: bool = False
    durations: tuple[float, ...] = ()
    min_duration: float | None = None
    max_duration: float | None = None
    whole_seconds: bool = False
    aspect_ratios: tuple[str, ...] = ()
    resolutions: tuple[str, ...] = ()
    fps: tuple[int, ...] = ()
    min_fps: float = 0.0
    max_fps: float = 0.0
    languages: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.max_prompt_characters < 0:
            raise InvalidArgument("limits.max_prompt_characters", "must not be negative")
        for name in ("durations", "aspect_ratios", "resolutions", "fps", "languages"):
            if len(getattr(self, name)) > _MOST_OFFERS:
                raise InvalidArgument(f"limits.{name}", f"must be at most {_MOST_OFFERS}")
        self._check_durations()
        for value in self.aspect_ratios:
            _check_offer("aspect_ratios", value)
        for value in self.resolutions:
            _check_offer("resolutions", value)
        if any(not 0 < rate <= _FASTEST for rate in self.fps):
            raise InvalidArgument("limits.fps", "must be between 1 and 240")
        if not 0 <= self.min_fps <= (self.max_fps or _FASTEST) <= _FASTEST:
            raise InvalidArgument("limits.max_fps", f"must be from min_fps to {_FASTEST}")

    def _check_durations(self) -> None:
        edges = [edge for edge in (self.min_duration, self.max_duration) if edge is not None]
        if any(duration <= 0 for duration in (*self.durations, *edges)):
            raise InvalidArgument("limits.durations", "must be above 0 s")
        if edges != sorted(edges):
            raise InvalidArgument("limits.max_duration", "must not be below min_duration")


def _check_offer(name: str, value: str) -> None:
    try:
        VideoParameters(**{name.removesuffix("s"): "" if value == ANY else value})  # type: ignore[arg-type]  # both are str
    except InvalidArgument as error:
        raise InvalidArgument(f"limits.{name}", error.violations[0].message) from error


@dataclass(frozen=True, kw_only=True)
class QuantifyRequest:
    """What a caller asks of QuantifyPrompt; `rules_only` asks no language model."""

    prompt: str
    parameters: VideoParameters = NOTHING_SAID
    enhance: Enhance = Enhance.AUTO
    language: str = ""
    packs: tuple[str, ...] = ()
    preset: str = ""
    limits: Limits | None = None
    template: str = ""
    rules_only: bool = False

    def __post_init__(self) -> None:
        check_prompt(self.prompt)
        check_language(self.language)
        if len(self.packs) > _MOST_OFFERS:
            raise InvalidArgument("packs", f"must be at most {_MOST_OFFERS}")


@dataclass(frozen=True, kw_only=True)
class CompileRequest:
    """What a caller asks of CompilePrompt; `fixed` names parameters that may not give way.

    `rules_only` asks no language model.
    """

    quantified: Quantified
    limits: Limits
    enhance: Enhance = Enhance.AUTO
    language: str = ""
    fixed: frozenset[str] = frozenset()
    rules_only: bool = False

    def __post_init__(self) -> None:
        check_language(self.language)
        check_prompt(self.quantified.prompt, "quantified_prompt.prompt")
        unknown = self.fixed - set(FIELDS)
        if unknown:
            raise InvalidArgument("fixed", f"names no parameter: {sorted(unknown)}", allowed=FIELDS)


def check_language(tag: str) -> None:
    """Refuses what cannot be a BCP 47 tag; "" asks for detection."""
    if tag and not _TAG.fullmatch(tag):
        raise InvalidArgument("language", 'must look like "en" or "sw-KE"')


def check_prompt(text: str, field: str = "prompt") -> None:
    """Refuses a prompt that is blank or longer than any service would take."""
    if not text.strip():
        raise InvalidArgument(field, "must not be empty")
    if len(text) > MAX_PROMPT_CHARACTERS:
        raise InvalidArgument(field, f"must have at most {MAX_PROMPT_CHARACTERS} characters")
