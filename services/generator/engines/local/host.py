"""Carries out asks on one device: plans, lends the model, runs it, writes the file.

Used by many threads at once; nothing here waits on an event loop.
"""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from threading import Event
from typing import Any

from services.common.errors import InvalidArgument
from services.generator.domain.planning import Room, plans
from services.generator.domain.shapes import Shape
from services.generator.domain.vram import Device, Plan
from services.generator.engines.local.asks import Ask
from services.generator.engines.local.encoding import write_clip, write_picture, write_sound
from services.generator.engines.local.families import FAMILIES, recognise
from services.generator.engines.local.family import (
    Family,
    Frames,
    Output,
    Picture,
    Resident,
    RunOrder,
    Stopped,
)
from services.generator.engines.local.ladder import climb
from services.generator.engines.local.precision import dtype_for
from services.generator.engines.local.probe import CheckpointFacts, probe
from services.generator.engines.local.residency import Claim, Residency

OnProgress = Callable[[float], None]
_STEPS_SHARE = 0.9


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """What was written: the facts of the file, and what it took in seconds."""

    shape: Shape
    seconds: float
    warnings: tuple[str, ...]
    method: str
    busy_seconds: float
    load_seconds: float
    served: int = 1


class Host:
    """The models of one device."""

    def __init__(
        self,
        device: Device,
        residency: Residency,
        *,
        budget: Callable[[], int],
        families: tuple[Family, ...] = FAMILIES,
    ) -> None:
        self._device = device
        self._residency = residency
        self._budget = budget
        self._families = families
        self._facts: dict[str, CheckpointFacts] = {}

    def carry_out(self, ask: Ask, path: Path, *, on_progress: OnProgress, stop: Event) -> Made:
        """Write the file that `ask` asks for.

        Raises Stopped when `stop` was set, NoDevice when nothing fits, InvalidArgument, and what
        the libraries raise.
        """
        facts = self._facts_of(ask)
        family = recognise(facts, self._families)
        if family.operation is not ask.operation:
            message = f"{ask.source.model} makes {family.operation}, not {ask.operation}"
            raise InvalidArgument("model", message, allowed=(family.operation,))
        run = _Run(self._residency, family, ask, path, on_progress, stop)
        room = Room(
            device=self._device, budget=self._budget(), dtype=dtype_for(self._device, family.name)
        )
        ways = plans(room, lambda shape: family.footprint(facts, shape), family.snap(ask.shape))
        return climb(ways, run, give_up=lambda plan: self._residency.drop(_key(ask, plan)))

    def _facts_of(self, ask: Ask) -> CheckpointFacts:
        key = ask.source.key
        if key not in self._facts:
            folder = ask.source.folder
            if folder is None:
                raise InvalidArgument("checkpoint", f"{key} is not on this machine")
            self._facts[key] = probe(folder)
        return self._facts[key]


@dataclass(slots=True)
class _Run:
    residency: Residency
    family: Family
    ask: Ask
    path: Path
    on_progress: OnProgress
    stop: Event

    def __call__(self, plan: Plan) -> Made:
        claim = Claim(key=_key(self.ask, plan), weights=plan.weights, scratch=plan.scratch)
        began = time.monotonic()

        def load() -> Resident:
            return self.family.load(self.ask.source, plan)

        with self.residency.lend(claim, load, check=self._check) as lent:
            ready = time.monotonic()
            outputs = self.family.run(lent.model, self._order(plan), self._step)
            shape, seconds = self._write(outputs[0])
            ended = time.monotonic()
        return Made(
            shape=shape,
            seconds=seconds,
            warnings=plan.warnings,
            method=method_of(plan),
            busy_seconds=ended - ready,
            load_seconds=ready - began if lent.fresh else 0.0,
        )

    def _check(self) -> None:
        if self.stop.is_set():
            raise Stopped

    def _step(self, done: int, total: int) -> None:
        self._check()
        self.on_progress(_STEPS_SHARE * done / max(1, total))

    def _order(self, plan: Plan) -> RunOrder:
        ask = self.ask
        return RunOrder(
            prompts=(ask.prompt,),
            seeds=(ask.seed,),
            shape=plan.shape,
            negative_prompt=ask.negative_prompt,
            lyrics=ask.lyrics,
            language=ask.language,
            voice=ask.voice,
            speed=ask.speed,
            files={name: Path(path) for name, path in ask.files.items()},
            options=ask.options,
            **_chosen(ask.options),
        )

    def _write(self, output: Output) -> tuple[Shape, float]:
        """Write the file; returns what it has and its length in seconds."""
        asked = self.ask.shape
        size = (asked.width, asked.height)
        if isinstance(output, Frames):
            count = write_clip(self.path, output.chunks, like=asked, sound=output.sound)
            return replace(asked, frames=count), count / asked.fps
        if isinstance(output, Picture):
            write_picture(self.path, output, size)
            return asked, 0.0
        return asked, write_sound(self.path, output, asked.seconds)


def method_of(plan: Plan) -> str:
    """Return how it was made, for the record: a seed gives the same pixels only the same way."""
    words = [plan.device.kind, plan.dtype, plan.rung.name.lower()]
    return " ".join((*words, *(f"{name}={value}" for name, value in plan.settings.items())))


def _chosen(options: Mapping[str, Any]) -> dict[str, Any]:
    """Return the options that every family knows. Raises InvalidArgument."""
    steps, guidance = options.get("steps", 0), options.get("guidance")
    if not isinstance(steps, int | float) or not 0 <= steps <= 200:
        raise InvalidArgument("options.local.steps", "must be a number", allowed=("1 to 200",))
    if guidance is not None and not isinstance(guidance, int | float):
        raise InvalidArgument("options.local.guidance", "must be a number")
    return {"steps": int(steps), "guidance": guidance}


def _key(ask: Ask, plan: Plan) -> str:
    return f"{ask.source.key} {plan.dtype} {plan.rung.name.lower()}"
