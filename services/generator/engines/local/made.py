"""What a model process tells of a file it has made, apart from what makes it, which is heavy."""

from dataclasses import dataclass

from services.generator.domain.facts import WordTime
from services.generator.domain.shapes import Shape


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """What was written: the facts of the file, and what it took in seconds.

    `words` are when they are heard, `heard` is what was recognised, where the model tells.
    """

    shape: Shape
    seconds: float
    warnings: tuple[str, ...]
    method: str
    busy_seconds: float
    load_seconds: float
    served: int = 1
    words: tuple[WordTime, ...] = ()
    heard: str = ""
    score: float | None = None
