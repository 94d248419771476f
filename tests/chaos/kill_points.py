"""Where a process under test dies: a file names the point, and is gone before the process is.

The file is JSON: {"point": "submit.before", "also": [pid, …]}; `also` die in the same breath.
A missing file means that nothing dies. Removing it first is what makes a point happen once.
"""

import json
import os
import signal
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

STEPS = ("prepare", "submit", "follow", "finish")
# before: nothing done; worked: the step's work is committed, its checkpoint is not; after: both.
ORCHESTRATOR = (
    "accept.before",
    "accept.after",
    *(f"{step}.{moment}" for step in STEPS for moment in ("before", "worked", "after")),
)


def arm(file: Path, point: str, also: Sequence[int] = ()) -> None:
    """Let the process that comes to this point first die there."""
    fresh = file.with_suffix(".new")
    fresh.write_text(json.dumps({"point": point, "also": list(also)}))
    fresh.replace(file)


def reached(file: Path, point: str) -> None:
    """Die here, if this is the point."""
    try:
        order = json.loads(file.read_text())
        if order["point"] != point:
            return
        file.unlink()
    except FileNotFoundError:
        return
    for pid in order["also"]:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    os.kill(os.getpid(), signal.SIGKILL)
