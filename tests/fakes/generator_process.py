"""The real generator service as a process of its own, to be killed and started again."""

import asyncio
import os
import signal
from collections.abc import Mapping
from pathlib import Path

from reelmesh.generator.v1 import generation_pb2
from reelmesh.generator.v1 import generator_service_pb2 as pb
from reelmesh.generator.v1.generator_service_pb2_grpc import GeneratorServiceStub
from services.common.channels import Channel
from services.common.errors import ServiceError
from tests.servers.forked import Forked
from tests.servers.process import free_ports

State = generation_pb2.Generation.State


class GeneratorProcess:
    """`python -m services.generator` on a fixed port; `settings` are environment variables."""

    def __init__(self, folder: Path, settings: Mapping[str, str]) -> None:
        self.address = f"127.0.0.1:{free_ports(1)[0]}"
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self._log = folder / "generator.log"
        self._settings = {
            "REELMESH_DATA_DIR": str(folder),
            "REELMESH_ENVIRONMENT": "test",
            "GENERATOR_ADDRESS": self.address,
            "GENERATOR_HEARTBEAT_SECONDS": "0.3",
            "GENERATOR_LEASE_SECONDS": "0.9",
            **settings,
        }
        self._process: Forked | None = None
        self._channel = Channel(self.address)
        self.stub = GeneratorServiceStub(self._channel)

    async def start(self, **settings: str) -> None:
        """Start it and wait until it answers."""
        environment = {**os.environ, **self._settings, **settings}  # noqa: TID251 - a child inherits it
        self._process = await asyncio.to_thread(
            Forked, ["services.generator"], env=environment, folder=self._folder, log=self._log
        )
        async with asyncio.timeout(60):
            while True:
                try:
                    await self.stub.GetCapacity(pb.GetCapacityRequest(), timeout=1)
                    return
                except ServiceError:
                    assert self._process.poll() is None, self.log()
                    await asyncio.sleep(0.05)

    async def died(self) -> int:
        """Wait for its end; returns the exit status, -9 after a kill."""
        assert self._process is not None
        return await asyncio.to_thread(self._process.wait, 40)

    async def kill(self) -> None:
        """Kill it as a power cut would."""
        if self._process is not None:
            self._process.send_signal(signal.SIGKILL)
            await asyncio.to_thread(self._process.wait, 40)

    async def close(self) -> None:
        await self.kill()
        await self._channel.close()

    def log(self) -> str:
        return self._log.read_text()

    async def create(
        self, request: pb.CreateGenerationRequest, *, seconds: float = 30
    ) -> generation_pb2.Generation:
        """Ask until somebody answers, as a caller with a durable step does."""
        async with asyncio.timeout(seconds):
            while True:
                try:
                    return (await self.stub.CreateGeneration(request, timeout=15)).generation
                except ServiceError as error:
                    if not error.retryable:
                        raise
                    await asyncio.sleep(0.1)

    async def follow(
        self, name: str, *, seconds: float = 40, until: tuple[int, ...] = ()
    ) -> list[generation_pb2.Generation]:
        """Watch to the end, reconnecting after the last sequence; returns every state seen."""
        seen: list[generation_pb2.Generation] = []
        ends = (State.STATE_SUCCEEDED, State.STATE_FAILED, State.STATE_CANCELLED, *until)
        async with asyncio.timeout(seconds):
            while not seen or seen[-1].state not in ends:
                after = seen[-1].sequence if seen else 0
                request = pb.WatchGenerationRequest(name=name, after_sequence=after)
                try:
                    async for response in self.stub.WatchGeneration(request):
                        seen.append(response.generation)
                        if response.generation.state in ends:
                            break
                except ServiceError as error:
                    if not error.retryable:
                        raise
                    await asyncio.sleep(0.05)
        return seen
