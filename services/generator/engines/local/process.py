"""The process of one device as its parent sees it: many orders at once, each followed apart."""

import asyncio
import itertools
import json
import sys
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from services.common.children import Child, spawn
from services.common.errors import (
    Cancelled,
    Internal,
    InvalidArgument,
    NoDevice,
    ResourceExhausted,
    ServiceError,
    Unavailable,
)
from services.generator.domain.records import from_record
from services.generator.domain.vram import Device
from services.generator.engines.workers import FULL

MODULE = "services.generator.engines.local"
STOPPING_SECONDS = 30.0
"""How long a cancelled order may take to its next step before the process is ended for it."""

Answer = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Hello:
    """What the process says when it is there: its device, and bytes of it for models."""

    device: Device
    budget: int


class ModelProcess:
    """Holds models for one device; begun on the first order and again after it has died."""

    def __init__(
        self,
        number: int = 0,
        *,
        loras: Path | None = None,
        pinned: Iterable[str] = (),
        module: str = MODULE,
        stopping: float = STOPPING_SECONDS,
    ) -> None:
        """`pinned` are keys of checkpoints that are never evicted; `stopping` seconds."""
        order = {"device": number, "loras": str(loras) if loras else None, "pinned": [*pinned]}
        # The libraries read their environment when they are imported.
        variables = ["HF_ENABLE_PARALLEL_LOADING=yes", "HF_HUB_OFFLINE=1"]
        python = ["/usr/bin/env", *variables, sys.executable]
        self._argv = [*python, "-m", module, json.dumps(order)]
        self._stopping = stopping
        self._child: Child | None = None
        self._reader: asyncio.Task[None] | None = None
        self._asked: dict[str, asyncio.Queue[Answer]] = {}
        self._hello: asyncio.Future[Hello] | None = None
        self._starting = asyncio.Lock()
        self._numbers = itertools.count()

    @property
    def pid(self) -> int:
        """The process id, 0 while there is none."""
        return self._child.pid if self._child and self._child.alive else 0

    @property
    def _gone(self) -> bool:
        """Whether it has ended, or closed its end, which it does a moment before."""
        running = self._child is not None and self._child.alive
        return not running or self._reader is None or self._reader.done()

    async def start(self) -> Hello:
        """Start it where it does not run and return what it says. Raises Unavailable."""
        async with self._starting:
            if self._hello is None or self._gone:
                self._hello = await self._begin()
            hello = self._hello
        return await asyncio.shield(hello)

    async def make(
        self, identifier: str, order: Answer, path: str, on_progress: Callable[[float], None]
    ) -> Answer:
        """Have an order carried out and return what was made.

        Cancelling stops it between two steps. Raises InvalidArgument, NoDevice, Unavailable when
        the process died, ResourceExhausted without room on the disk, Internal.
        """
        await self.start()
        answers: asyncio.Queue[Answer] = asyncio.Queue()
        self._asked[identifier] = answers
        try:
            await self._tell({"id": identifier, "order": order, "path": path})
            while True:
                answer = await answers.get()
                if "progress" in answer:
                    on_progress(answer["progress"])
                    continue
                return _made(answer)
        except asyncio.CancelledError:
            await asyncio.shield(self._stop(identifier, answers))
            raise
        finally:
            self._asked.pop(identifier, None)

    async def state(self) -> Answer:
        """Return what is loaded, and the bytes of the device that are used and there.

        Raises Unavailable when the process does not run.
        """
        identifier = f"state-{next(self._numbers)}"
        answers: asyncio.Queue[Answer] = asyncio.Queue()
        self._asked[identifier] = answers
        try:
            await self._tell({"state": identifier})
            return _made(await answers.get())
        finally:
            self._asked.pop(identifier, None)

    async def close(self) -> None:
        """End the process at once."""
        if self._child is not None:
            self._child.kill()
            await self._child.wait()
        if self._reader is not None:
            await self._reader

    async def _begin(self) -> "asyncio.Future[Hello]":
        await self.close()
        hello: asyncio.Future[Hello] = asyncio.get_running_loop().create_future()
        self._child = await spawn(self._argv)
        self._reader = asyncio.create_task(self._read(self._child, hello))
        return hello

    async def _read(self, child: Child, hello: "asyncio.Future[Hello]") -> None:
        while line := await child.stdout.readline():
            message = json.loads(line)
            if "hello" in message:
                hello.set_result(from_record(Hello, message["hello"]))
            elif message["id"] in self._asked:
                self._asked[message["id"]].put_nowait(message)
        gone = {"failed": {"kind": "gone", "message": f"the model process {child.pid} died"}}
        for answers in self._asked.values():
            answers.put_nowait(gone)
        if not hello.done():
            hello.set_exception(Unavailable("the model process could not start"))
            hello.exception()  # whoever waits is told; nobody may be waiting

    async def _tell(self, message: Answer) -> None:
        """Say it. Raises Unavailable where nobody hears it, or could answer any more."""
        if self._child is None or self._reader is None:
            raise Unavailable("the model process has not begun")
        if self._reader.done():  # it would tell of the end no more
            raise Unavailable("the model process died before it began")
        try:
            self._child.stdin.write(json.dumps(message).encode() + b"\n")
            await self._child.stdin.drain()
        except (ConnectionError, RuntimeError) as error:  # uvloop: the latter on a closed pipe
            raise Unavailable("the model process died before it began") from error

    async def _stop(self, identifier: str, answers: "asyncio.Queue[Answer]") -> None:
        """Stop an order between two steps.

        A process that does not come to one is ended, unless others wait for their orders: then this
        one stops by itself when it can, such as after a model was loaded.
        """
        with suppress(Unavailable):
            await self._tell({"cancel": identifier})
        try:
            async with asyncio.timeout(self._stopping):
                while "progress" in await answers.get():
                    pass
        except TimeoutError:
            if len(self._asked) == 1:
                await self.close()


def _made(answer: Answer) -> Answer:
    if "done" in answer:
        done: Answer = answer["done"]
        return done
    raise _error(answer["failed"])


def _error(failed: Answer) -> ServiceError:
    message = str(failed["message"])
    match failed["kind"]:
        case "invalid":
            return InvalidArgument(failed["field"], message)
        case "no_device":
            return NoDevice(message, metadata=failed.get("facts", {}))
        case "stopped":
            return Cancelled(message)
        case "gone":
            return Unavailable(message)
        case "os" if failed["errno"] in FULL:
            return ResourceExhausted("no room left on the disk")
        case _:
            return Internal(f"it could not be made: {message}")
