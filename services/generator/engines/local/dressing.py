"""A loaded model dressed for one request: its adapters and step cache on, and off again."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from services.generator.domain.sentences import Said, said
from services.generator.engines.local import memory
from services.generator.engines.local.adapters import adapted
from services.generator.engines.local.family import OnStep, Resident, Stopped
from services.generator.engines.local.order import Wishes, Work
from services.generator.engines.local.tiers import caching

STEPS_SHARE = 0.9
"""Share of the progress that the steps have; the rest is decoding and writing."""


@contextmanager
def dressed(model: Resident, wishes: Wishes) -> Iterator[tuple[str, ...]]:
    """Have the model run as wished while the block does; yields warnings."""
    pipeline = model.pipeline
    with (
        adapted(pipeline, wishes.loras),
        tiling(model),
        caching(pipeline, wishes.tier) as warnings,
    ):
        yield warnings


@contextmanager
def tiling(model: Resident) -> Iterator[None]:
    """Decode in tiles where it is planned so, or where memory runs out in decoding.

    What was denoised is not lost then. A decoder that tiles always is left alone.
    """
    decoder: Any = getattr(model.pipeline, "vae", None)
    if not hasattr(decoder, "enable_tiling") or getattr(decoder, "use_tiling", False):
        yield
        return
    whole = decoder.decode

    def decode(*given: Any, **more: Any) -> Any:
        try:
            return whole(*given, **more)
        except Exception as error:
            if decoder.use_tiling or not memory.out_of_memory(error):
                raise
        memory.collect()
        decoder.enable_tiling()
        model.notes.append(said(Said.DECODED_IN_TILES))
        return whole(*given, **more)

    if model.plan.tiled:
        decoder.enable_tiling()
    decoder.decode = decode  # the instance's own goes before the class's
    try:
        yield
    finally:
        del decoder.decode
        decoder.disable_tiling()


def watching(works: Sequence[Work], number: int = 0, runs: int = 1) -> OnStep:
    """Return what is told of the steps of run `number` of `runs` that are made for `works`.

    It raises Stopped when nobody waits any more.
    """

    def on_step(done: int, total: int) -> None:
        if all(work.watch.stop.is_set() for work in works):
            raise Stopped
        share = (number + done / max(1, total)) / runs
        for work in works:
            work.watch.on_progress(STEPS_SHARE * share)

    return on_step
