"""A process that speaks as the one that holds models does, and does what its prompts say.

Run as `python -m tests.fakes.model_process`: "die" ends it, "slow" works until it is cancelled,
"freeze" never comes to a step, "refuse" cannot be made, "close" closes its end and stays; anything
else is made at once.
"""

import json
import os
import sys
import threading
from pathlib import Path
from typing import Any

DEVICE = {"kind": "cpu", "index": 0, "name": "fake", "total_bytes": 2**30, "capability": [0, 0]}
SHAPE = {"width": 64, "height": 64, "frames": 9, "fps": 8.0, "seconds": 1.125, "count": 1}
MADE = {
    "shape": SHAPE, "seconds": 1.125, "warnings": [], "method": "fake", "busy_seconds": 1.5,
    "load_seconds": 0.5, "served": 1,
}  # fmt: skip


def say(message: dict[str, Any]) -> None:
    print(json.dumps(message), flush=True)


def main() -> None:
    if "unable" in sys.argv[1]:
        sys.exit(1)
    kind = "cuda" if "on a card" in sys.argv[1] else "cpu"
    say({"hello": {"device": {**DEVICE, "kind": kind}, "budget": 2**30}})
    stops: dict[str, threading.Event] = {}
    for line in sys.stdin:
        message = json.loads(line)
        if "state" in message:
            say({"id": message["state"], "done": {"loaded": [], "used": 1, "total": 2**30}})
            continue
        if "cancel" in message:
            stops.setdefault(message["cancel"], threading.Event()).set()
            continue
        threading.Thread(target=answer, args=(message, stops), daemon=True).start()


def answer(message: dict[str, Any], stops: dict[str, threading.Event]) -> None:
    name, prompt = message["id"], message["order"]["prompt"]
    stop = stops.setdefault(name, threading.Event())
    say({"id": name, "progress": 0.25})
    if prompt == "die":
        os._exit(9)
    if prompt == "close":
        os.close(1)
    if prompt in {"close", "freeze"}:
        threading.Event().wait()
    if prompt == "slow":
        stop.wait()
        say({"id": name, "failed": {"kind": "stopped", "message": "stopped"}})
        return
    if prompt == "refuse":
        failed = {"kind": "no_device", "message": "too large", "facts": {"needed_bytes": "9"}}
        say({"id": name, "failed": failed})
        return
    Path(message["path"]).write_bytes(b"made of " + prompt.encode())
    say({"id": name, "done": MADE})


if __name__ == "__main__":
    main()
