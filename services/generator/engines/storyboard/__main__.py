"""The worker process: reads orders as JSON lines on stdin, draws, reports as JSON lines on stdout.

An order is ``{"kind": "video"|"still", "spec": {…}, "path": "…", "at": 0.5}``. Answers are
``{"progress": [done, total]}`` while it works, then ``{"done": {…}}`` or ``{"failed": {…}}``.
"""

import json
import os
import sys
import time
from pathlib import Path
from typing import Any

from services.generator.engines.storyboard.encode import write_still, write_video
from services.generator.engines.storyboard.spec import Rendered, StoryboardSpec

_NICENESS = 5
_REPORT_SECONDS = 0.1


def main() -> None:
    """Serve orders until stdin ends: the parent closed it, or died."""
    os.nice(_NICENESS)
    _say({"ready": True})
    for line in sys.stdin:
        _say(_answer(json.loads(line)))


def _answer(order: dict[str, Any]) -> dict[str, Any]:
    try:
        return {"done": _carry_out(order).to_json()}
    except Exception as error:
        number = error.errno if isinstance(error, OSError) else None
        return {"failed": {"errno": number, "message": f"{type(error).__name__}: {error}"}}


def _carry_out(order: dict[str, Any]) -> Rendered:
    spec, path = StoryboardSpec.from_json(order["spec"]), Path(order["path"])
    if order["kind"] == "still":
        return write_still(spec, path, order["at"])
    return write_video(spec, path, _Reporter())


class _Reporter:
    """Tells the parent how far it is, ten times a second at most."""

    def __init__(self) -> None:
        self._last = 0.0

    def __call__(self, done: int, total: int) -> None:
        now = time.monotonic()
        if now - self._last >= _REPORT_SECONDS or done == total:
            self._last = now
            _say({"progress": [done, total]})


def _say(message: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(message) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
