"""The process that holds the models of one device: orders as JSON lines in, answers out.

In come ``{"id", "order": {…}, "path"}``, ``{"cancel": id}`` and ``{"state": id}``, which is told
by what is loaded; out go ``{"hello": {…}}``, then
``{"id", "progress": fraction}``, ``{"id", "done": {…}}`` or ``{"id", "failed": {…}}``.
"""

import json
import os
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Event, Lock
from typing import Any, TextIO

from services.common.errors import InvalidArgument, NoDevice, ServiceError
from services.generator.domain.records import from_record, to_record
from services.generator.domain.vram import Device
from services.generator.engines.local import memory
from services.generator.engines.local.asks import Ask
from services.generator.engines.local.family import Stopped
from services.generator.engines.local.host import Host
from services.generator.engines.local.naming import checkpoint_of
from services.generator.engines.local.order import Watch
from services.generator.engines.local.residency import Residency

_THREADS = 8
_LEAST_STEP = 0.01
_LOST = 70


def main() -> None:
    """Serve orders until stdin ends: the parent closed it, or died."""
    # What a library prints must not end up among the answers.
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "w", buffering=1)
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    found = memory.devices()
    asked = json.loads(sys.argv[1]) if len(sys.argv) > 1 else {}
    device = found[min(asked.get("device", 0), len(found) - 1)]
    loras = Path(asked["loras"]) if asked.get("loras") else None
    host = host_on(device, loras=loras, pinned=frozenset(asked.get("pinned", ())))
    server = Server(host, answers)
    server.say({"hello": {"device": to_record(device), "budget": memory.free_bytes(device)}})
    server.serve(sys.stdin)


def host_on(
    device: Device, *, loras: Path | None = None, pinned: frozenset[str] = frozenset()
) -> Host:
    """Return a host whose models share what is free on the device; `pinned` ones stay on it."""
    fixed = memory.free_bytes(device)

    def budget() -> int:
        # A card is asked each time, others use it too; what is left of the machine's memory would
        # shrink by what our own models take.
        return fixed if device.kind == "cpu" else memory.free_bytes(device)

    shelf = Residency(
        budget,
        let_go=memory.let_go,
        pinned=lambda key: checkpoint_of(key) in pinned,
        beside=memory.free_bytes(memory.processor()),
    )
    return Host(device, shelf, budget=budget, loras=loras)


def state_of(host: Host) -> dict[str, Any]:
    """Return what is loaded and how much of the device's memory is taken, in bytes."""
    total = host.device.total_bytes
    used = max(0, total - memory.free_bytes(host.device))
    return {"loaded": list(host.loaded), "used": used, "total": total}


class Server:
    """Has the host carry out what is read, many at once, and tells how it goes."""

    def __init__(
        self, host: Host, answers: TextIO, *, leave: Callable[[], None] = lambda: os._exit(_LOST)
    ) -> None:
        """`leave` ends the process: a card that is lost comes back to another one alone."""
        self._host = host
        self._leave = leave
        self._answers = answers
        self._lock = Lock()
        self._stops: dict[str, Event] = {}

    def say(self, message: dict[str, Any]) -> None:
        """Write one line."""
        with self._lock:
            self._answers.write(json.dumps(message) + "\n")
            self._answers.flush()

    def serve(self, orders: TextIO) -> None:
        """Read until the end; what is under way then is stopped between two steps."""
        with ThreadPoolExecutor(_THREADS) as threads:
            for line in orders:
                message = json.loads(line)
                if "state" in message:
                    self.say({"id": message["state"], "done": state_of(self._host)})
                    continue
                if "cancel" in message:
                    self._stops.get(message["cancel"], Event()).set()
                    continue
                self._stops[message["id"]] = Event()
                threads.submit(self._answer, message)
            for stop in tuple(self._stops.values()):
                stop.set()

    def _answer(self, message: dict[str, Any]) -> None:
        identifier = message["id"]
        stop = self._stops[identifier]
        try:
            self.say({"id": identifier, **self._made(message, stop)})
        finally:
            self._stops.pop(identifier, None)

    def _made(self, message: dict[str, Any], stop: Event) -> dict[str, Any]:
        last = -1.0

        def on_progress(fraction: float) -> None:
            nonlocal last
            if fraction - last >= _LEAST_STEP:
                last = fraction
                self.say({"id": message["id"], "progress": fraction})

        try:
            ask, path = from_record(Ask, message["order"]), Path(message["path"])
            made = self._host.carry_out(ask, path, Watch(on_progress, stop))
        except Exception as error:
            if memory.lost(error):
                self._leave()  # the parent tells everybody who waits, and begins another
            return {"failed": failed(error)}
        return {"done": to_record(made)}


def failed(error: Exception) -> dict[str, Any]:
    """Return an error as the parent reads it."""
    if isinstance(error, InvalidArgument):
        found = error.violations[0]
        return {"kind": "invalid", "field": found.field, "message": found.message}
    if isinstance(error, NoDevice):
        return {"kind": "no_device", "message": error.message, "facts": dict(error.metadata)}
    if isinstance(error, Stopped):
        return {"kind": "stopped", "message": "stopped between two steps"}
    if isinstance(error, OSError) and error.errno is not None:
        return {"kind": "os", "errno": error.errno, "message": str(error)}
    text = error.message if isinstance(error, ServiceError) else f"{type(error).__name__}: {error}"
    return {"kind": "internal", "message": text}


if __name__ == "__main__":
    main()
