"""Runs a plan again without what makes it fast on a card, where that is what broke it."""

from collections import deque
from collections.abc import Callable
from dataclasses import replace
from typing import TypeVar

from services.common.errors import ServiceError
from services.common.telemetry import get_logger
from services.generator.domain.vram import PLAIN, Plan
from services.generator.engines.local import memory
from services.generator.engines.local.family import Stopped

T = TypeVar("T")
_LONGEST = 120
_REMEMBERED = 256
_log = get_logger(__name__)


class Plainly:
    """Remembers which checkpoints run here without kernels and compiled blocks alone, and why.

    Those are chosen by trying, but a card, a driver and a model together may still refuse one.
    """

    def __init__(self) -> None:
        self._known: dict[str, str] = {}
        self._either_way: deque[tuple[str, str]] = deque(maxlen=_REMEMBERED)

    def made(
        self,
        plan: Plan,
        attempt: Callable[[Plan], T],
        *,
        checkpoint: str,
        give_up: Callable[[Plan], None],
    ) -> T:
        """Return what `plan` leads to, on a card once more as diffusers does it by itself.

        `give_up` unloads what a plan had loaded. Raises at once what the service says itself, what
        has to do with memory, whatever a card that is lost says, and what has broken the checkpoint
        in the same words without it: its model would be unloaded for nothing.
        """
        if why := self._known.get(checkpoint):
            return attempt(_plain(plan, why))
        try:
            return attempt(plan)
        except (ServiceError, Stopped, OSError):
            raise
        except Exception as error:
            why = _words(error)
            if plan.device.kind != "cuda" or (checkpoint, why) in self._either_way:
                raise
            if not _of_the_model(error):
                raise
        # Out of the except block the traceback, and the tensors that it held, are gone.
        _log.warning("tried without what makes it fast", checkpoint=checkpoint, why=why)
        give_up(plan)
        memory.collect()
        try:
            made = attempt(_plain(plan, why))
        except Exception as error:
            if _words(error) == why:
                self._either_way.append((checkpoint, why))
            raise
        self._known[checkpoint] = why
        return made


def _words(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0][:_LONGEST]


def _of_the_model(error: Exception) -> bool:
    """Tell whether a model may have said it: neither the memory, the card nor a picture did."""
    brought = type(error).__module__.startswith("PIL.")
    return not (brought or memory.out_of_memory(error) or memory.lost(error))


def _plain(plan: Plan, why: str) -> Plan:
    return replace(plan, settings={**plan.settings, "speed": PLAIN, "because": why})
