"""The worker process of the media room: orders as JSON lines in, answers as JSON lines out.

An order is ``{"kind": "compose" | "speech" | …, "task": {…}, "files": {…}, "path": "…"}``. Answers
are ``{"progress": [done, total]}`` while it works, then ``{"done": {…}}`` or ``{"failed": {…}}``.
"""

import json
import os
import sys
import time
import traceback
from typing import Any

from services.common.errors import InvalidArgument
from services.generator.media.orders import carry_out

_NICENESS = 5
_REPORT_SECONDS = 0.2


def main() -> None:
    """Serve orders until stdin ends: the parent closed it, or died."""
    os.nice(_NICENESS)
    say({"ready": True})
    for line in sys.stdin:
        say(_answer(json.loads(line)))


def _answer(order: dict[str, Any]) -> dict[str, Any]:
    try:
        return {"done": carry_out(order, _Reporter())}
    except InvalidArgument as error:
        found = error.violations[0]
        return {"failed": {"errno": None, "field": found.field, "message": found.message}}
    except Exception as error:
        number = error.errno if isinstance(error, OSError) else None
        told = {"errno": number, "message": f"{type(error).__name__}: {error}"}
        return {"failed": {**told, "trace": traceback.format_exc()}}


class _Reporter:
    """Tells the parent how far it is, a few times a second."""

    def __init__(self) -> None:
        self._last = 0.0

    def __call__(self, fraction: float) -> None:
        now = time.monotonic()
        if now - self._last >= _REPORT_SECONDS:
            self._last = now
            say({"progress": [fraction, 1]})


def say(message: dict[str, Any]) -> None:
    """Write one line to the parent."""
    sys.stdout.write(json.dumps(message) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
