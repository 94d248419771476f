"""One service of ours as a child process: started, awaited by its health, killed, started again."""

import asyncio
import os
import signal
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import grpc
import httpx
from grpc_health.v1 import health_pb2, health_pb2_grpc

from tests.servers.process import Server, free_ports
from tests.stack.waiting import until

ROOT = Path(__file__).parents[2]


class Service:
    """`python -m module` on a port that it keeps over restarts."""

    def __init__(self, name: str, module: str, env: Mapping[str, str]) -> None:
        self.name = name
        self.module = module
        self.env = dict(env)
        self.address = f"127.0.0.1:{free_ports(1)[0]}"
        self._server = Server(name)

    @property
    def pid(self) -> int:
        """The process id of its present or last life."""
        return self._server.pid

    @property
    def dead(self) -> bool:
        """Whether the process has ended."""
        return self._server.ended

    @property
    def log(self) -> str:
        """Everything that it has written in all its lives."""
        return self._server.log.read_text(errors="replace") if self._server.log.exists() else ""

    def start(self, **changes: str) -> None:
        """Start it, and return before it is ready. From the main thread only."""
        prefix = self.name.partition("-")[0].upper()
        env = {
            "PYTHONPATH": str(ROOT),
            **self.env,
            f"{prefix}_ADDRESS": self.address,
            **changes,
        }
        self._server.fork([self.module], env=env)

    def kill(self) -> None:
        """`kill -9`, and wait until it is gone; its folder stays."""
        self._server.kill()

    def terminate(self) -> None:
        """SIGTERM, as an orchestrator of containers sends it; returns at once."""
        os.kill(self.pid, signal.SIGTERM)

    def close(self) -> None:
        """Kill it and remove its folder."""
        self._server.close()

    def wait_ready(self, seconds: float = 100) -> None:
        """Block until health says SERVING. Raises AssertionError with the log when it died."""
        deadline = time.monotonic() + seconds
        with grpc.insecure_channel(self.address, [("grpc.max_reconnect_backoff_ms", 100)]) as way:
            health: Any = health_pb2_grpc.HealthStub(way)
            ready = self._answers_http if self.name == "gateway" else lambda: self._serving(health)
            while not ready():
                assert not self.dead, f"{self.name} died:\n{self.log[-4000:]}"
                assert time.monotonic() < deadline, f"{self.name} is late:\n{self.log[-4000:]}"
                time.sleep(0.05)

    def _serving(self, health: Any) -> bool:
        try:
            answer = health.Check(health_pb2.HealthCheckRequest(), timeout=1)
        except grpc.RpcError:
            return False
        return bool(answer.status == health_pb2.HealthCheckResponse.SERVING)

    def _answers_http(self) -> bool:
        try:
            return httpx.get(f"http://{self.address}/readyz", timeout=1).status_code == 200
        except httpx.TransportError:
            return False

    async def ready(self, seconds: float = 100) -> None:
        """Await health without holding the loop up."""
        await asyncio.to_thread(self.wait_ready, seconds)

    async def restart(self, **changes: str) -> None:
        """Kill it where it lives, start it again, await its health."""
        self.kill()
        self.start(**changes)
        await self.ready()

    async def death(self, seconds: float = 30) -> None:
        """Await the end of the process, brought about by somebody else."""
        await until(lambda: self.dead, seconds)
