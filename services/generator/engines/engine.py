"""What the generator asks of an engine that runs in this process."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from services.generator.domain.facts import Quality, WordTime
from services.generator.domain.ports import Work


@dataclass(frozen=True, slots=True, kw_only=True)
class Product:
    """A finished file and what its maker knows: pixels, frames per second, seconds, bytes.

    `gpu_seconds` of a GPU were spent on it, 0 where there is none; loading the model took
    `load_seconds`, which the `served` clips of that load share.
    """

    content_type: str
    sha256: str
    size_bytes: int
    width: int = 0
    height: int = 0
    fps: float = 0.0
    duration_seconds: float = 0.0
    seed: int | None = None
    warnings: tuple[str, ...] = ()
    words: tuple[WordTime, ...] = ()
    quality: Quality | None = None
    method: str = ""
    gpu_seconds: float = 0.0
    load_seconds: float = 0.0
    served: int = 1


class Engine(Protocol):
    """Makes one file. Nobody bills it; what it was doing dies with the process."""

    def suffix(self, work: Work) -> str:
        """Return the file name suffix of what it will make, such as ".mp4"."""

    async def make(
        self, work: Work, destination: Path, *, on_progress: Callable[[float], None]
    ) -> Product:
        """Write the file whole or not at all; `on_progress` is told a fraction from 0 to 1.

        Cancelling the call ends the work. Raises ServiceError.
        """
