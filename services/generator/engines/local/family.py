"""What a family of models must know how to do, and the values that cross to it."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from services.generator.domain.media import NO_OPTIONS, Json
from services.generator.domain.shapes import Shape
from services.generator.domain.tasks import Operation
from services.generator.domain.vram import Footprint, Plan
from services.generator.engines.local.probe import CheckpointFacts, Source

OnStep: TypeAlias = Callable[[int, int], None]
"""Told (steps done, steps in all) at every boundary between steps; raises to end the run there."""

Pixels: TypeAlias = NDArray[np.uint8]
Samples: TypeAlias = NDArray[np.float32]

NO_FILES: Mapping[str, Path] = {}


class Stopped(Exception):
    """Raised between two steps because nobody waits for the result any more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunOrder:
    """One run of a loaded model. `seeds` and `prompts` have the same length: one per result.

    `files` holds what the task refers to ("image", "last_image", "voice", "audio", …) as files of
    this machine. `lead` are the frames (n, height, width, 3) that came before and are gone on with.
    `steps` 0 and `guidance` None leave the choice to the family.
    """

    prompts: tuple[str, ...]
    seeds: tuple[int, ...]
    shape: Shape
    negative_prompt: str = ""
    steps: int = 0
    guidance: float | None = None
    lead: Pixels | None = None
    lyrics: str = ""
    language: str = ""
    voice: str = ""
    speed: float = 1.0
    files: Mapping[str, Path] = field(default_factory=lambda: NO_FILES)
    options: Mapping[str, Json] = field(default_factory=lambda: NO_OPTIONS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sound:
    """Samples (channels, n) from -1 to 1 at `rate` a second; `words` are (text, start, end) s.

    `heard` is what was recognised in it, by a model that hears.
    """

    samples: Samples
    rate: int
    words: tuple[tuple[str, float, float], ...] = ()
    heard: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Frames:
    """`count` frames in chunks (n, height, width, 3) at `fps`, with their sound if there is any.

    The chunks can be taken once; taking one may compute it.
    """

    chunks: Iterator[Pixels]
    count: int
    fps: float
    sound: Sound | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """Pixels (height, width, 3)."""

    pixels: Pixels


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """How much a picture looks like words, as the family measures it."""

    value: float


Output: TypeAlias = Frames | Picture | Sound | Score


@dataclass(slots=True, kw_only=True)
class Resident:
    """A loaded model: the pipeline as its library made it, and how it was loaded.

    One run at a time; whoever keeps it sees to that. `parts` is the family's own, `notes` what was
    given up while it ran.
    """

    pipeline: Any
    source: Source
    plan: Plan
    parts: dict[str, Any] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


class Family(Protocol):
    """Models that are loaded and run in the same way."""

    name: str
    operation: Operation
    classes: frozenset[str]
    """`_class_name` of the model_index.json, or the architecture of the config.json."""
    longest: int
    """Frames (of the family's own rate) in one run; 0 where that has no meaning."""
    overlap: int
    """Frames of `RunOrder.lead` that a run can go on from; 0: it cannot be continued."""
    batches: bool
    """Whether alike orders may share a run: several prompts and seeds."""

    def snap(self, asked: Shape) -> Shape:
        """Return the smallest shape it can make that holds `asked`, at a rate of its own.

        What is too much is cut off afterwards; another `fps` is reached by interpolation.
        """

    def footprint(self, facts: CheckpointFacts, shape: Shape) -> Footprint:
        """Return what a run of this shape needs; nothing is loaded for it."""

    def load(self, source: Source, plan: Plan) -> Resident:
        """Load a checkpoint as planned. Raises what the libraries raise, out of memory among it."""

    def run(self, resident: Resident, order: RunOrder, on_step: OnStep) -> Sequence[Output]:
        """Return one output for each seed. Raises Stopped, or what `on_step` raises."""
