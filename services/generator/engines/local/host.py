"""Carries out asks on one device: plans, lends the model, runs it, writes the file.

Used by many threads at once; nothing here waits on an event loop.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from threading import Lock

from services.common.errors import InvalidArgument
from services.generator.domain.planning import Room, plans
from services.generator.domain.segments import segments
from services.generator.domain.shapes import Shape
from services.generator.domain.vram import Device, Footprint, Plan
from services.generator.engines.local.asks import Ask
from services.generator.engines.local.batching import Batcher
from services.generator.engines.local.families import FAMILIES, recognise
from services.generator.engines.local.family import Family
from services.generator.engines.local.interpolation import count_at
from services.generator.engines.local.ladder import climb
from services.generator.engines.local.made import Made
from services.generator.engines.local.measured import denoise_bytes
from services.generator.engines.local.naming import checkpoint_of, key_of
from services.generator.engines.local.order import Watch, Work, wishes_of
from services.generator.engines.local.plainly import Plainly
from services.generator.engines.local.precision import dtype_for
from services.generator.engines.local.probe import CheckpointFacts, folder_of, probe
from services.generator.engines.local.residency import Residency
from services.generator.engines.local.run import Results, Run, Write
from services.generator.engines.local.tiers import Tier
from services.generator.engines.local.writing import written

_LEAST_FRAMES = 17
"""Runs are not made shorter than this to fit: too little would hold them together."""


class Host:
    """The models of one device. `loras` is the folder of installed adapters."""

    def __init__(
        self,
        device: Device,
        residency: Residency,
        *,
        budget: Callable[[], int],
        families: tuple[Family, ...] = FAMILIES,
        loras: Path | None = None,
        write: Write = written,
    ) -> None:
        self.device = device
        self.residency = residency
        self._budget = budget
        self._families = families
        self._loras = loras
        self._write = write
        self._facts: dict[str, CheckpointFacts] = {}
        self._facts_lock = Lock()
        self._batcher: Results = Batcher()
        self._plainly = Plainly()

    @property
    def loaded(self) -> tuple[str, ...]:
        """Where the checkpoints lie that are loaded now."""
        return tuple(dict.fromkeys(checkpoint_of(key) for key in self.residency.loaded))

    @property
    def gathered(self) -> int:
        """How many asks wait in runs that others may still join."""
        return self._batcher.waiting

    def precision(self, family: Family) -> str:
        """Return what a family computes in on this device."""
        return dtype_for(self.device, family.name)

    def room_for(self, ask: Ask) -> int:
        """Return the bytes that a run may have: what other models are pinned on is not there."""
        return self._budget() - self.residency.pinned_beside(ask.source.key)

    def room(self, family: Family, settings: Mapping[str, str]) -> Room:
        """Return what a run of a family may use here."""
        return Room(
            device=self.device,
            budget=self._budget(),
            dtype=self.precision(family),
            settings=settings,
            # A processor gains nothing by moving weights to itself.
            moves=self.device.kind != "cpu",
        )

    def carry_out(self, ask: Ask, path: Path, watch: Watch) -> Made:
        """Write the file that `ask` asks for.

        Raises Stopped when nobody waits for it any more, NoDevice when nothing fits,
        InvalidArgument, and what the libraries raise.
        """
        watch.check()
        work, facts = self._work(ask, path, watch)
        run = Run(self.residency, self._batcher, work, self.room_for(ask), self._write)

        def give_up(plan: Plan) -> None:
            self.residency.drop(key_of(ask, plan))

        def give_up_all(_plan: Plan) -> None:
            # Whichever way it was loaded: what ran may have been the plain copy of the plan.
            self.residency.drop_all(ask.source.key)

        def attempt(plan: Plan) -> Made:
            checkpoint = ask.source.key
            return self._plainly.made(plan, run, checkpoint=checkpoint, give_up=give_up)

        return climb(self._ways(work, facts), attempt, give_up=give_up_all)

    def plan(self, ask: Ask) -> Plan:
        """Return how it would be tried first; nothing is loaded. Raises as `carry_out` does."""
        work, facts = self._work(ask, Path(), Watch())
        return next(self._ways(work, facts))

    def _work(self, ask: Ask, path: Path, watch: Watch) -> tuple[Work, CheckpointFacts]:
        family, facts = self.family_of(ask)
        work = Work(
            ask=ask,
            family=family,
            path=path,
            watch=watch,
            wishes=wishes_of(ask.options, ask.source.model, self._loras),
            needed=needed_frames(family, ask.shape),
        )
        return work, facts

    def family_of(self, ask: Ask) -> tuple[Family, CheckpointFacts]:
        """Return who loads the checkpoint, and what is in it. Raises InvalidArgument."""
        with self._facts_lock:
            key = ask.source.key
            if key not in self._facts:
                self._facts[key] = probe(folder_of(ask.source))
            facts = self._facts[key]
        family = recognise(facts, self._families)
        if family.operation is not ask.operation:
            message = f"{ask.source.model} makes {family.operation}, not {ask.operation}"
            raise InvalidArgument("model", message, allowed=(family.operation,))
        return family, facts

    def _ways(self, work: Work, facts: CheckpointFacts) -> Iterator[Plan]:
        family, shape = work.family, first_run(work)
        tier = {"tier": "fast"} if work.wishes.tier is Tier.FAST else {}
        room = replace(self.room(family, tier), budget=self.room_for(work.ask))

        def shorter(tried: Shape) -> Shape | None:
            """Halve a run: the clip is made of more of them, or is shorter where that is let."""
            if not (family.overlap or work.ask.may_shorten):
                return None
            half = family.snap(replace(tried, frames=tried.frames // 2 + 1))
            least = max(_LEAST_FRAMES, 2 * family.overlap)
            return half if least <= half.frames < tried.frames else None

        def need(shape: Shape) -> Footprint:
            return _measured(family.footprint(facts, shape), facts, shape, room.dtype)

        return plans(room, need, shape, shorter=shorter)


def _measured(need: Footprint, facts: CheckpointFacts, shape: Shape, dtype: str) -> Footprint:
    """Return the footprint with the step as the denoiser's own configuration has it."""
    parts = [facts.components[name] for name in need.denoisers]
    found = [denoise_bytes(each.class_name, each.config, shape, dtype) for each in parts]
    known = [size for size in found if size is not None]
    return replace(need, denoise=max(known) * need.reads) if known else need


def needed_frames(family: Family, asked: Shape) -> int:
    """Return how many frames, at the family's own rate, the asked ones are made of."""
    if not family.longest:
        return asked.frames
    own = family.snap(asked).fps
    if own == asked.fps:
        return asked.frames
    return count_at(asked.frames, asked.fps, own) + 1


def first_run(work: Work) -> Shape:
    """Return the shape of the longest run: the whole clip where the family makes that at once.

    Raises InvalidArgument for a clip that is too long for a family that cannot go on from one.
    """
    family, asked = work.family, work.ask.shape
    if not family.longest:
        return family.snap(asked)
    own = family.snap(asked).fps
    if not work.ask.may_shorten:
        segments(work.needed, family.longest, family.overlap)
    frames = min(work.needed, family.longest)
    return family.snap(replace(asked, fps=own, frames=frames))
