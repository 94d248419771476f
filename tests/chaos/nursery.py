"""Generators by the hundred: each a process of its own, forked from one that has loaded the code.

`python -m tests.chaos.nursery` reads one JSON object a line, {"name", "folder", "settings"}, and
starts a generator with these environment variables; what is written to standard error goes to
`folder/generator.log`. It answers with {"name", "pid"}, and with {"pid", "status"} once that one
has died. Where the generator listens is written to `folder/address`.
"""

import asyncio
import gc
import json
import os
import signal
import sys
from pathlib import Path
from typing import Any

import aiosqlite
import certifi
import h11

from services.common.server import wait_for_signal
from services.common.telemetry import configure_logging
from services.generator.__main__ import running
from services.generator.settings import Settings

LOADED = (aiosqlite, certifi, h11)  # what a generator would otherwise load when it starts


def tell(**facts: Any) -> None:
    """Write one line in one piece."""
    os.write(1, (json.dumps(facts) + "\n").encode())


def reap(*_: object) -> None:
    """Tell of every child that has died."""
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return
        if not pid:
            return
        tell(pid=pid, status=os.waitstatus_to_exitcode(status))


async def serve(folder: Path) -> None:
    settings = Settings()
    configure_logging(settings)
    async with running(settings) as address:
        fresh = folder / "address.new"
        fresh.write_text(address)
        fresh.replace(folder / "address")
        await wait_for_signal()


def live(folder: Path, settings: dict[str, str]) -> None:
    """Be a generator until the end."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    log = os.open(folder / "generator.log", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    nothing = os.open(os.devnull, os.O_RDWR)
    for old, new in ((0, nothing), (1, nothing), (2, log)):
        os.dup2(new, old)
    os.environ.update(settings)  # noqa: TID251 - the settings read it
    asyncio.run(serve(folder))


def main() -> None:
    """Start what is asked for until standard input ends; then kill whatever still lives."""
    Settings()  # the catalogue is read once, for all
    gc.collect()
    gc.freeze()
    signal.signal(signal.SIGCHLD, reap)
    tell(ready=True)
    for line in sys.stdin:
        order = json.loads(line)
        pid = os.fork()
        if not pid:
            try:
                live(Path(order["folder"]), order["settings"])
            finally:
                os._exit(1)
        tell(name=order["name"], pid=pid)


if __name__ == "__main__":
    main()
