"""What one generation costs in the generator's own process, everything else kept apart.

* placeholder: clips served from the render cache, from CreateGeneration to the end of the watch;
* waiting: generations that wait for a vendor; memory and CPU of the process while they do.
"""

import asyncio
import os
import socket
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import psutil
from google.protobuf.duration_pb2 import Duration

from benchmarks.table import Row
from reelmesh.generator.v1 import generation_pb2
from reelmesh.generator.v1 import generator_service_pb2 as pb
from reelmesh.generator.v1.generator_service_pb2_grpc import GeneratorServiceStub
from services.common.channels import Channel
from services.common.errors import ServiceError

KEY = "key_benchmark"
CALLERS = 8


@asynccontextmanager
async def service(
    name: str, settings: Mapping[str, str]
) -> AsyncIterator[tuple[str, psutil.Process]]:
    """Run a service as a process of its own; yields its address and the process."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        address = f"127.0.0.1:{probe.getsockname()[1]}"
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        f"services.{name}",
        env={
            **os.environ,  # noqa: TID251 - a child inherits our environment
            "REELMESH_LOG_LEVEL": "warning",
            f"{name.upper()}_ADDRESS": address,
            **settings,
        },
    )
    try:
        await _ready(address)
        yield address, psutil.Process(process.pid)
    finally:
        process.terminate()
        await process.wait()


async def _ready(address: str) -> None:
    host, port = address.split(":")
    for _ in range(200):
        try:
            _, writer = await asyncio.open_connection(host, int(port))
        except OSError:
            await asyncio.sleep(0.05)
        else:
            writer.close()
            return
    message = f"nobody listens on {address}"
    raise TimeoutError(message)


def request(number: int, model: str) -> pb.CreateGenerationRequest:
    video = generation_pb2.VideoTask(
        prompt="a heron at dawn",
        duration=Duration(seconds=5),
        aspect_ratio="16:9",
        resolution="720p",
    )
    task = generation_pb2.Task(video=video)
    return pb.CreateGenerationRequest(request_id=f"bench-{number}", model=model, task=task)


async def one(stub: Any, number: int) -> generation_pb2.Generation:
    created = (await stub.CreateGeneration(request(number, "storyboard"))).generation
    watch = stub.WatchGeneration(pb.WatchGenerationRequest(name=created.name))
    seen: list[generation_pb2.Generation] = [response.generation async for response in watch]
    return seen[-1]


def cpu(process: psutil.Process) -> float:
    times = process.cpu_times()
    return times.user + times.system


async def placeholder(folder: Path, count: int) -> list[Row]:
    settings = {"REELMESH_DATA_DIR": str(folder)}
    async with (
        service("storage", settings) as (storage, _),
        service("generator", {**settings, "STORAGE_ADDRESS": storage}) as (address, process),
        Channel(address) as channel,
    ):
        stub = GeneratorServiceStub(channel)
        await one(stub, 0)
        waiting = iter(range(1, count + 1))
        begun, spent = time.perf_counter(), cpu(process)
        last: list[generation_pb2.Generation] = []

        async def caller() -> None:
            for number in waiting:
                last.append(await one(stub, number))

        await asyncio.gather(*(caller() for _ in range(CALLERS)))
        wall, spent = time.perf_counter() - begun, cpu(process) - spent
    states = generation_pb2.Generation.State
    good = sum(generation.state == states.STATE_SUCCEEDED for generation in last)
    writes = sum(generation.sequence for generation in last) / len(last)
    assert good == count, f"{good} of {count} succeeded"
    return [
        Row("generator CPU per cached placeholder", f"{spent / count * 1000:.1f} ms", "< 25 ms"),
        Row("  ledger transactions", f"{writes:.1f}", ""),
        Row(f"  generations, {CALLERS} callers", f"{count / wall:.1f} /s", ""),
    ]


class SlowVendor:
    """Takes every job in Runway's words and never finishes one; bare, to be cheap itself."""

    def __init__(self) -> None:
        self.jobs = 0
        self.looks = 0

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
                length = parse_qs(head.replace("\r\n", "&").replace(": ", "="))
                await reader.readexactly(int(length.get("content-length", ["0"])[0]))
                writer.write(self._answer(head))
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    def _answer(self, head: str) -> bytes:
        if head.startswith("post"):
            self.jobs += 1
            body = f'{{"id": "job-{self.jobs}"}}'
        else:
            self.looks += 1
            body = '{"id": "x", "status": "RUNNING", "progress": 0.1}'
        return (
            "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n"
            f"content-length: {len(body)}\r\n\r\n{body}"
        ).encode()


async def waiting(folder: Path, count: int) -> list[Row]:
    vendor = SlowVendor()
    server = await asyncio.start_server(vendor, "127.0.0.1", 0)
    host = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    settings = {
        "REELMESH_DATA_DIR": str(folder),
        "RUNWAY_API_KEY": KEY,
        "RUNWAY_BASE_URL": host,
        "STORAGE_ADDRESS": "127.0.0.1:1",
    }
    async with server, service("generator", settings) as (address, process):
        idle = process.memory_info().rss / 2**20
        async with Channel(address) as channel:
            stub = GeneratorServiceStub(channel)
            numbers = iter(range(count))

            async def caller() -> None:
                for number in numbers:
                    try:
                        await stub.CreateGeneration(request(number, "runway_gen4_5"), timeout=300)
                    except ServiceError as error:
                        print(f"refused: {error}")

            begun = time.perf_counter()
            await asyncio.gather(*(caller() for _ in range(CALLERS)))
            while vendor.jobs < count:  # noqa: ASYNC110 - a fake without events
                await asyncio.sleep(0.2)
        await asyncio.sleep(5)
        looks, spent, begun = vendor.looks, cpu(process), time.perf_counter()
        await asyncio.sleep(20)
        wall = time.perf_counter() - begun
        resident = process.memory_info().rss / 2**20
        busy, asked = (cpu(process) - spent) / wall, (vendor.looks - looks) / wall
    return [
        Row(f"{count} generations wait: resident memory", f"{resident:.0f} MiB", "< 200 MiB"),
        Row("  before", f"{idle:.0f} MiB", ""),
        Row("  CPU of the generator", f"{busy:.1%} of a core", "< 20 %"),
        Row("  looks at the vendor", f"{asked:.0f} /s", ""),
    ]


def rows() -> list[Row]:
    """The figures for the table of `make bench`."""
    with tempfile.TemporaryDirectory() as folder:
        drawn = asyncio.run(placeholder(Path(folder), 200))
    with tempfile.TemporaryDirectory() as folder:
        return [*drawn, *asyncio.run(waiting(Path(folder), 5000))]
