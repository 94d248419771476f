"""Loaded models: each is loaded once, lent to one run at a time, and gives way when it is old.

Weights stay between runs, scratch is reserved for a run; whoever does not fit waits, in order.
"""

import math
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from services.common.errors import NoDevice
from services.generator.domain.vram import GIB
from services.generator.engines.local.naming import checkpoint_of

Load = Callable[[], Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """What a run asks for: the model by key, and bytes of weights that stay and scratch on top.

    `aside` bytes of its weights wait in the machine's own memory.
    """

    key: str
    weights: int
    scratch: int
    aside: int = 0


@dataclass(slots=True)
class _Kept:
    weights: int
    aside: int = 0
    model: Any = None
    busy: bool = True


@dataclass(slots=True, eq=False)
class _Turn:
    claim: Claim


class Residency:
    """Models within a budget of bytes, the least recently used of them evicted first.

    `budget` is asked each time: other processes may use the device too. `pinned` tells which
    checkpoints never give way to others: one that is loaded in two ways stays in the way that was
    used last. `let_go` frees what a model that leaves has held. `beside` are the bytes of the
    machine's own memory in which weights may wait.
    """

    def __init__(
        self,
        budget: Callable[[], int],
        *,
        let_go: Callable[[Any], None] = lambda _model: None,
        pinned: Callable[[str], bool] = lambda _key: False,
        beside: float = math.inf,
    ) -> None:
        self._budget = budget
        self._beside = beside
        self._let_go = let_go
        self._pinned = pinned
        self._kept: OrderedDict[str, _Kept] = OrderedDict()
        self._line: list[_Turn] = []
        self._used = 0
        self._changed = threading.Condition()

    @property
    def loaded(self) -> tuple[str, ...]:
        """Keys of the models that are loaded, the one used longest ago first."""
        with self._changed:
            return tuple(key for key, kept in self._kept.items() if kept.model is not None)

    @property
    def used(self) -> int:
        """Bytes of weights and scratch that are spoken for."""
        with self._changed:
            return self._used

    @property
    def waiting(self) -> int:
        """How many wait for their turn."""
        with self._changed:
            return len(self._line)

    @contextmanager
    def lend(
        self, claim: Claim, load: Load, *, check: Callable[[], None] = lambda: None
    ) -> Iterator[Any]:
        """Lend the model alone, loading it first when it is not there.

        `check` is asked while it waits, and ends the waiting by raising.

        Raises NoDevice when it could not fit even alone, and what `load` raises; nothing is kept
        then.
        """
        kept, fresh = self._take(claim, check)
        try:
            if fresh:
                self._load(claim, kept, load)
            yield kept.model
        finally:
            with self._changed:
                kept.busy = False
                self._used -= claim.scratch
                self._changed.notify_all()

    def pinned_beside(self, checkpoint: str) -> int:
        """Return the bytes that no model of this checkpoint can have: others are pinned there."""
        with self._changed:
            return sum(self._kept[key].weights for key in self._fixed(checkpoint))

    def drop(self, key: str) -> None:
        """Unload a model that nobody uses; another, or one that works, stays."""
        with self._changed:
            kept = self._kept.get(key)
            if kept is not None and not kept.busy:
                self._evict(key)
                self._changed.notify_all()

    def drop_all(self, checkpoint: str) -> None:
        """Unload a checkpoint, in whichever ways it is loaded; what works stays."""
        with self._changed:
            for key in [key for key in self._kept if checkpoint_of(key) == checkpoint]:
                self.drop(key)

    def _take(self, claim: Claim, check: Callable[[], None]) -> tuple[_Kept, bool]:
        turn = _Turn(claim)
        with self._changed:
            self._line.append(turn)
            try:
                while not self._may_go(turn):
                    self._changed.wait(0.2)  # and look whether anybody still wants it
                    check()
            finally:
                self._line.remove(turn)
                self._changed.notify_all()
            kept = self._kept.get(claim.key)
            fresh = kept is None
            if kept is None:
                kept = self._kept[claim.key] = _Kept(claim.weights, claim.aside)
                self._used += claim.weights
            kept.busy = True
            self._kept.move_to_end(claim.key)
            self._used += claim.scratch
            return kept, fresh

    def _may_go(self, turn: _Turn) -> bool:
        """Tell whether it is this one's turn; makes room when it is.

        Who waits for memory holds up those behind, or it would never come to pass; who waits for a
        model that works holds up only those that want the same.
        """
        for earlier in self._line[: self._line.index(turn)]:
            kept = self._kept.get(earlier.claim.key)
            if earlier.claim.key == turn.claim.key or kept is None or not kept.busy:
                return False
        own = self._kept.get(turn.claim.key)
        if own is None and any(each.busy for each in self._kept.values()):
            return False  # while it loads, the libraries change torch's defaults for every thread
        loading = any(each.busy and each.model is None for each in self._kept.values())
        return not (loading or (own and own.busy)) and self._make_room(turn.claim, own)

    def _make_room(self, claim: Claim, own: _Kept | None) -> bool:
        budget = self._budget()
        fixed = self._fixed(checkpoint_of(claim.key))
        pinned = sum(self._kept[key].weights for key in fixed)
        needed = claim.scratch + claim.weights
        if needed > budget - pinned:
            message = (
                f"{claim.key} needs {needed / GIB:.2f} GiB, "
                f"{(budget - pinned) / GIB:.2f} GiB are there for it"
            )
            raise NoDevice(message)
        more = claim.scratch + (0 if own is not None else claim.weights)
        held = fixed | {claim.key}
        idle = [key for key, each in self._kept.items() if not each.busy and key not in held]
        for key in idle:
            if self._used + more <= budget:
                break
            self._evict(key)
        self._make_room_beside(claim, idle, fresh=own is None)
        return self._used + more <= budget

    def _make_room_beside(self, claim: Claim, idle: list[str], *, fresh: bool) -> None:
        """Evict what waits in the machine's memory: unlike a card, that would end the process.

        Raises NoDevice for a `fresh` one that is too large beside what never gives way.
        """
        held = sum(kept.aside for key, kept in self._kept.items() if key != claim.key)
        for key in idle:
            if held + claim.aside <= self._beside:
                return
            if key in self._kept and self._kept[key].aside:
                held -= self._kept[key].aside
                self._evict(key)
        if fresh and held + claim.aside > self._beside:
            message = (
                f"{claim.key} needs {claim.aside / GIB:.2f} GiB of the machine's own memory, "
                f"{max(0, self._beside - held) / GIB:.2f} GiB are there for it"
            )
            raise NoDevice(message)

    def _fixed(self, checkpoint: str) -> frozenset[str]:
        """Return what does not give way to a model of this checkpoint."""
        last = {checkpoint_of(key): key for key in self._kept if self._pinned(key)}
        return frozenset(key for name, key in last.items() if name != checkpoint)

    def _load(self, claim: Claim, kept: _Kept, load: Load) -> None:
        try:
            kept.model = load()
        except BaseException:
            with self._changed:
                del self._kept[claim.key]
                self._used -= claim.weights
            raise

    def _evict(self, key: str) -> None:
        kept = self._kept.pop(key)
        self._let_go(kept.model)
        kept.model = None
        self._used -= kept.weights
