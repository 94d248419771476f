"""Hands on the nursery: start generators, hear of their deaths, kill them as a power cut would."""

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from reelmesh.generator.v1.generator_service_pb2_grpc import GeneratorServiceStub
from services.common.channels import Channel
from tests.fakes.waiting import until


@dataclass
class Foundling:
    """One generator process. `died` is set once it has, with its exit status."""

    folder: Path
    pid: int
    died: "asyncio.Future[int]"

    @asynccontextmanager
    async def calling(self) -> AsyncIterator[Any]:
        """Speak with it, from when it answers."""
        file = self.folder / "address"
        await until(lambda: file.exists() or self.died.done(), 60)
        assert file.exists(), (self.folder / "generator.log").read_text()
        async with Channel(file.read_text()) as channel:
            yield GeneratorServiceStub(channel)

    async def kill(self) -> None:
        """Kill -9; returns once it is dead."""
        with suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGKILL)
        await asyncio.shield(self.died)


@dataclass
class Nursery:
    """The process from which all others are forked."""

    process: asyncio.subprocess.Process
    settings: Mapping[str, str]
    _born: "dict[str, asyncio.Future[int]]" = field(default_factory=dict)
    _deaths: "dict[int, asyncio.Future[int]]" = field(default_factory=dict)

    async def start(self, folder: Path, **settings: str) -> Foundling:
        """Fork a generator that keeps its things in `folder`."""
        folder.mkdir(parents=True, exist_ok=True)
        born = self._born[folder.name] = asyncio.get_running_loop().create_future()
        facts = {**self.settings, "REELMESH_DATA_DIR": str(folder), **settings}
        order = {"name": folder.name, "folder": str(folder), "settings": facts}
        assert self.process.stdin is not None
        self.process.stdin.write((json.dumps(order) + "\n").encode())
        pid = await born
        return Foundling(folder, pid, self._deaths[pid])

    async def listen(self) -> None:
        """Hear of births and deaths until the nursery ends."""
        assert self.process.stdout is not None
        async for line in self.process.stdout:
            told = json.loads(line)
            if "status" in told:
                self._death(told["pid"]).set_result(told["status"])
            elif "pid" in told:
                self._death(told["pid"])
                self._born.pop(told["name"]).set_result(told["pid"])

    async def close(self) -> None:
        """Kill whoever still lives."""
        for pid, death in self._deaths.items():
            if not death.done():
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
        self.process.kill()
        await self.process.wait()

    def _death(self, pid: int) -> "asyncio.Future[int]":
        return self._deaths.setdefault(pid, asyncio.get_running_loop().create_future())


@asynccontextmanager
async def nursery(**settings: str) -> AsyncIterator[Nursery]:
    """Open one; every generator in it has these environment variables."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "tests.chaos.nursery",
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    found = Nursery(process, settings)
    listening = asyncio.create_task(found.listen())
    try:
        yield found
    finally:
        await found.close()
        await listening
