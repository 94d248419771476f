"""Processes that are asked in lines of JSON: the side that answers, with bounds on what it takes.

One object per line comes in and one goes out: what ``work`` returns, or ``error``, ``message`` and
``kind``: "media" is damaged, "memory" and "full" (the disk) are used up, the "disk" fails, and
"other" is what nobody has foreseen, with a ``trace``. Before it, lines with ``alive`` may tell that
work which takes long gets on. Ends with its standard input, that is, with
the service.
"""

from __future__ import annotations

import errno
import json
import os
import sys
import time
import traceback
from typing import TYPE_CHECKING, Any

from av.error import FFmpegError

from services.common.errors import DataLoss
from services.storage.adapters.process_limits import CPU_SECONDS, FULL, allow_time, bound_memory

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_TOLD_SECONDS = 1.0


def serve(work: Callable[..., dict[str, Any]]) -> None:
    """Answer until standard input ends; a question's ``cpu_seconds`` are what it may take."""
    bound_memory()
    for line in sys.stdin:
        asked = json.loads(line)
        allow_time(asked.pop("cpu_seconds", CPU_SECONDS))
        _say(answered(work, asked))


class Progress:
    """Tells once a second that work gets on: it may take, and compute, as long as it does."""

    def __init__(self) -> None:
        self._told = time.monotonic()

    def __call__(self) -> None:
        """Say so, if it was not said within the last second."""
        now = time.monotonic()
        if now - self._told >= _TOLD_SECONDS:
            self._told = now
            allow_time()
            _say({"alive": True})


def _say(told: Mapping[str, Any]) -> None:
    sys.stdout.write(json.dumps(told) + "\n")
    sys.stdout.flush()


def answered(work: Callable[..., dict[str, Any]], asked: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the work returns, or what became of it."""
    try:
        return work(**asked)
    except Exception as error:
        kind = _kind(error)
        trace = {"trace": traceback.format_exc()} if kind == "other" else {}
        return {"error": type(error).__name__, "message": _worded(error), "kind": kind, **trace}


def _worded(error: Exception) -> str:
    """Return what may be told: the words of an ``OSError`` have a path of ours in them."""
    if isinstance(error, OSError) and error.errno and not isinstance(error, FFmpegError):
        return os.strerror(error.errno)
    return str(error)


def _kind(error: Exception) -> str:
    """Return whose fault it is, where that is sure."""
    number = error.errno if isinstance(error, OSError) else None
    if isinstance(error, MemoryError) or number == errno.ENOMEM:
        return "memory"
    if number in FULL:
        return "full"
    if isinstance(error, (FFmpegError, DataLoss)):
        return "media"
    return "disk" if isinstance(error, OSError) else "other"
