"""Walks down the plans when memory runs out in spite of them."""

from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import TypeVar

from services.common.errors import NoDevice
from services.common.telemetry import get_logger
from services.generator.domain.sentences import Said, said
from services.generator.domain.vram import Plan
from services.generator.engines.local import memory

T = TypeVar("T")
_log = get_logger(__name__)


def climb(
    plans: Iterable[Plan], attempt: Callable[[Plan], T], *, give_up: Callable[[Plan], None]
) -> T:
    """Return what the first plan leads to that does not run out of memory.

    `give_up` unloads what a plan had loaded. Raises NoDevice after the last one, and at once what
    has nothing to do with memory.
    """
    failed: list[Plan] = []
    for plan in plans:
        told = plan if not failed else _warned(plan, failed[-1])
        try:
            return attempt(told)
        except Exception as error:
            if not memory.out_of_memory(error):
                raise
            _log.warning("out of memory", rung=plan.rung.name, shape=str(plan.shape))
        # Out of the except block the traceback, and the tensors that it held, are gone.
        failed.append(plan)
        give_up(plan)
        memory.collect()
    names = ", ".join(dict.fromkeys(plan.rung.name.lower() for plan in failed))
    message = f"memory ran out on every rung that was predicted to fit: {names}"
    raise NoDevice(message)


def _warned(plan: Plan, failed: Plan) -> Plan:
    name, now = failed.rung.name.lower(), plan.rung.name.lower()
    warning = said(Said.MEMORY_RAN_OUT, failed=name, now=now)
    return replace(plan, warnings=(*plan.warnings, warning))
