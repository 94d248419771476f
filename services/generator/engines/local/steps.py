"""One hook into the steps of every pipeline: progress, and a place to stop.

Some pipelines have no callback and some ignore `_interrupt`, but all of them drive
`self.progress_bar(total).update()`, which is why the hook takes its place.
"""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any, Self

from services.generator.engines.local.family import OnStep


class StepBar:
    """Stands where a pipeline expects its progress bar; what `on_step` raises ends the run."""

    def __init__(self, on_step: OnStep, steps: Iterable[Any] | None, total: int | None) -> None:
        self._on_step = on_step
        self._steps = list(steps) if steps is not None else None
        self._total = len(self._steps) if self._steps is not None else (total or 0)
        self._done = 0

    def __enter__(self) -> Self:
        self._on_step(0, self._total)
        return self

    def __exit__(self, *error: object) -> None:
        return None

    def __iter__(self) -> Iterator[Any]:
        self._on_step(0, self._total)
        for step in self._steps or ():
            yield step
            self.update()

    def update(self, steps: int = 1) -> None:
        """Count steps that were made."""
        self._done += steps
        self._on_step(self._done, self._total)

    def set_postfix(self, *words: object, **more: object) -> None:
        """Drop what a bar would show behind itself."""

    set_description = set_postfix

    def close(self) -> None:
        """Do nothing: there is nothing on a screen."""


@contextmanager
def stepping(pipeline: Any, on_step: OnStep) -> Iterator[None]:
    """Tell `on_step` of every step of `pipeline` (an object of this request alone)."""

    def progress_bar(iterable: Iterable[Any] | None = None, total: int | None = None) -> StepBar:
        return StepBar(on_step, iterable, total)

    pipeline.progress_bar = progress_bar  # the instance's own goes before the class's
    try:
        yield
    finally:
        del pipeline.progress_bar
