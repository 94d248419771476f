"""Alike asks that wait for the same model at once are made in one run."""

import threading
import traceback
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

A = TypeVar("A")
R = TypeVar("R")


@dataclass(slots=True, eq=False)
class _Group(Generic[A, R]):
    most: int
    asks: list[A] = field(default_factory=list)
    open: bool = True
    results: Sequence[R] = ()
    error: BaseException | None = None
    done: threading.Event = field(default_factory=threading.Event)


class Batcher(Generic[A, R]):
    """The first of alike asks leads: when its turn comes, whoever has joined is made with it."""

    def __init__(self) -> None:
        self._groups: dict[Hashable, _Group[A, R]] = {}
        self._lock = threading.Lock()

    @property
    def waiting(self) -> int:
        """How many wait in runs that can still be joined."""
        with self._lock:
            return sum(len(group.asks) for group in self._groups.values())

    def size(self, key: Hashable) -> int:
        """Return how many wait in the run that can still be joined."""
        with self._lock:
            group = self._groups.get(key)
            return len(group.asks) if group is not None else 0

    def made(
        self,
        key: Hashable,
        ask: A,
        lead: Callable[[Callable[[], Sequence[A]]], Sequence[R]],
        *,
        most: int,
        check: Callable[[], None] = lambda: None,
    ) -> R:
        """Return what was made for `ask`.

        `lead` waits for the model and then calls what it is given, once: the asks to make, its own
        first, `most` of them at most; it returns a result for each. `check` ends the waiting of one
        that has joined by raising; what it asked for is made all the same. Raises what `lead`
        raises, for all.
        """
        with self._lock:
            group = self._groups.get(key)
            leads = group is None or not group.open or len(group.asks) >= group.most
            if group is None or leads:
                group = self._groups[key] = _Group(most)
            place = len(group.asks)
            group.asks.append(ask)
        if leads:
            self._lead(key, group, lead)
        while not group.done.wait(0.2):
            check()
        if group.error is not None:
            raise group.error
        return group.results[place]

    def _lead(self, key: Hashable, group: "_Group[A, R]", lead: Any) -> None:
        def closed() -> Sequence[A]:
            with self._lock:
                group.open = False
                if self._groups.get(key) is group:
                    del self._groups[key]
                return tuple(group.asks)

        try:
            group.results = lead(closed)
        except BaseException as error:
            # Each of them gets this error: none may keep the tensors of the run by its frames.
            traceback.clear_frames(error.__traceback__)
            group.error = error
        finally:
            closed()
            group.done.set()
