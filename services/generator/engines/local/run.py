"""Carries out one plan: lends the model, runs it once or as often as it takes, has it written."""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeAlias

from services.generator.domain.facts import WordTime
from services.generator.domain.segments import Segment, segments
from services.generator.domain.sentences import Said, said
from services.generator.domain.shapes import Shape
from services.generator.domain.tasks import Operation
from services.generator.domain.vram import Plan
from services.generator.engines.local.batching import Batcher
from services.generator.engines.local.continuing import joined
from services.generator.engines.local.dressing import dressed, watching
from services.generator.engines.local.family import (
    Frames,
    Pixels,
    Resident,
    Score,
    Sound,
    Stopped,
)
from services.generator.engines.local.made import Made
from services.generator.engines.local.naming import given_up, key_of, method_of
from services.generator.engines.local.order import Work, run_order
from services.generator.engines.local.residency import Claim, Residency
from services.generator.engines.local.speed import tuned
from services.generator.engines.local.writing import Clip, Written, brought, without_start, written

_TOGETHER = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What one run has given one ask, and the seconds of it that are this ask's own."""

    output: Written
    method: str
    warnings: tuple[str, ...]
    busy_seconds: float
    load_seconds: float
    served: int = 1


Results: TypeAlias = Batcher[Work, Result]
Write: TypeAlias = Callable[[Path, Written, Shape], Shape]


@dataclass(slots=True)
class Run:
    """One piece of work on one plan; called again with the next plan when memory ran out."""

    residency: Residency
    batcher: Results
    work: Work
    budget: int
    write: Write = written

    def __call__(self, plan: Plan) -> Made:
        """Make and write it. Raises what the libraries raise, Stopped and NoDevice."""
        most = min(_TOGETHER, (self.budget - plan.weights) // max(1, plan.scratch))
        if most < 2 or not self.work.family.batches or self.work.ask.files:
            return self._alone(plan)
        while True:
            try:
                return self._finished(plan, self._joined(plan, most))
            except Stopped:
                self.work.watch.check()  # it was the one who led that was called off: once more

    def _joined(self, plan: Plan, most: int) -> Result:
        return self.batcher.made(
            (key_of(self.work.ask, plan), _alike(self.work, plan)),
            self.work,
            lambda closed: self._together(plan, closed, most),
            most=most,
            check=self.work.watch.check,
        )

    def _alone(self, plan: Plan) -> Made:
        parts = self._parts(plan)
        at_once = len(parts) == 1 and self.work.family.operation is not Operation.UPSCALE
        with self._lent(plan, 1) as (model, loading):
            began = time.monotonic()
            with dressed(model, self.work.wishes) as warnings:
                output = self._output(model, plan, parts)
                if at_once:
                    # Off the device, so that the next may have it while this one is written.
                    output = brought(output)
                else:  # a long or large clip would fill the memory: it is written as it comes
                    shape = self.write(self.work.path, output, self.work.ask.shape)
            told = self._told(plan, parts)
            result = Result(
                output=output,
                method=method_of(model.plan),
                warnings=(*warnings, *told, *_taken(model)),
                busy_seconds=time.monotonic() - began,
                load_seconds=loading,
            )
        if at_once:
            return self._finished(plan, result)
        return _made(plan, result, shape)

    def _finished(self, plan: Plan, result: Result) -> Made:
        self.work.watch.check()
        shape = self.write(self.work.path, result.output, self.work.ask.shape)
        return _made(plan, result, shape)

    def _together(
        self, plan: Plan, closed: Callable[[], Sequence[Work]], most: int
    ) -> Sequence[Result]:
        """Make alike asks in one run; each is told how it goes, the last to leave ends it."""
        with self._lent(plan, most) as (model, loading):
            works = closed()
            began = time.monotonic()
            with dressed(model, self.work.wishes) as warnings:
                order = run_order(works, plan.shape)
                made = self.work.family.run(model, order, watching(works))
                outputs = [brought(output) for output in made]
            notes, method = (*warnings, *_taken(model)), method_of(model.plan)
        busy = (time.monotonic() - began) / len(works)
        return [
            Result(
                output=output,
                method=method,
                warnings=notes,
                busy_seconds=busy,
                load_seconds=loading,
                served=len(works),
            )
            for output in outputs
        ]

    @contextmanager
    def _lent(self, plan: Plan, times: int) -> Iterator[tuple[Resident, float]]:
        """Lend the model; yields it and the seconds that loading took, 0 where it was there."""
        work, took = self.work, 0.0
        scratch = plan.scratch * times
        claim = Claim(
            key=key_of(work.ask, plan), weights=plan.weights, scratch=scratch, aside=plan.aside
        )

        def load() -> Resident:
            nonlocal took
            began = time.monotonic()
            loaded = tuned(work.family.load(work.ask.source, plan))
            took = time.monotonic() - began
            return loaded

        with self.residency.lend(claim, load, check=work.watch.check) as model:
            model.plan = replace(plan, settings=model.plan.settings)
            yield model, took

    def _parts(self, plan: Plan) -> tuple[Segment, ...]:
        family = self.work.family
        if not family.longest:
            return (Segment(1, 0),)
        needed = self.work.needed if family.overlap else min(self.work.needed, plan.shape.frames)
        return segments(needed, plan.shape.frames, family.overlap)

    def _output(self, model: Resident, plan: Plan, parts: tuple[Segment, ...]) -> Written:
        """Run it as often as it takes; the chunks of a clip are made when they are taken."""
        work, family = self.work, self.work.family
        if not family.longest:
            made = family.run(model, run_order((work,), plan.shape), watching((work,)))[0]
            return made if not isinstance(made, Frames) else Clip.of(made)
        clip = Clip(fps=plan.shape.fps, count=sum(part.new for part in parts))

        def run(number: int, part: Segment, lead: Pixels | None) -> Iterator[Pixels]:
            shape = family.snap(replace(plan.shape, frames=part.frames))
            order = replace(run_order((work,), shape), lead=lead)
            if number + 1 < len(parts):  # it is the whole clip that ends with a picture
                files = {name: path for name, path in order.files.items() if name != "last_image"}
                order = replace(order, files=files)
            made = family.run(model, order, watching((work,), number, len(parts)))[0]
            if not isinstance(made, Frames):
                message = f"{family.name} made {type(made).__name__} of a clip"
                raise TypeError(message)
            if made.sound is not None:
                clip.sounds.append(without_start(made.sound, part.overlap / made.fps))
            return made.chunks

        clip.chunks = joined(parts, run)
        return clip

    def _told(self, plan: Plan, parts: tuple[Segment, ...]) -> tuple[str, ...]:
        count, needed = sum(part.new for part in parts), self.work.needed
        if self.work.family.longest and count < needed:
            longest = plan.shape.frames >= self.work.family.longest
            key = Said.FRAMES_OF_MODEL if longest else Said.FRAMES_OF_DEVICE
            return (said(key, count=count, needed=needed, device=plan.device.name),)
        if len(parts) > 1:
            return (said(Said.MADE_IN_RUNS, runs=len(parts), frames=plan.shape.frames),)
        return ()


def _alike(work: Work, plan: Plan) -> str:
    """Return what must be equal for two asks to share a run: all but the words and the seed."""
    ask = work.ask
    words = (ask.negative_prompt, ask.lyrics, ask.language, ask.voice, ask.speed)
    return repr((plan.shape, words, work.wishes, sorted(ask.options.items(), key=str)))


def _taken(model: Resident) -> tuple[str, ...]:
    notes = tuple(model.notes)
    model.notes.clear()
    return notes


def _made(plan: Plan, result: Result, shape: Shape) -> Made:
    return Made(
        shape=shape,
        seconds=shape.seconds,
        warnings=(*plan.warnings, *given_up(plan), *result.warnings),
        method=result.method,
        busy_seconds=result.busy_seconds,
        load_seconds=result.load_seconds,
        served=result.served,
        words=_words(result.output),
        heard=result.output.heard if isinstance(result.output, Sound) else "",
        score=result.output.value if isinstance(result.output, Score) else None,
    )


def _words(output: Written) -> tuple[WordTime, ...]:
    """Return when each word is heard, where the model tells."""
    told = output.words if isinstance(output, Sound) else ()
    return tuple(
        WordTime(text=text, start_seconds=start, end_seconds=end) for text, start, end in told
    )
