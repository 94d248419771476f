"""What a suite that has nothing to do costs, and how soon a dead replica's jobs have another."""

import asyncio
import os
import sys
import tempfile
import time
import uuid
from pathlib import Path

from benchmarks.measure import cpu_seconds, resident_mib
from benchmarks.table import Row
from tests.servers import Nats, Postgres
from tests.servers.process import Server
from tests.stack import Stack
from tests.stack.waiting import until

SETTLES = 10
LASTS = 60
JOBS = 9
RUNS = 3


def idle() -> list[Row]:
    """CPU of `reelmesh serve` and its NATS over a minute without a call."""
    with tempfile.TemporaryDirectory() as folder:
        ports = Path(folder, "ports.json")
        server = Server("suite")
        command = [sys.executable, "-c", "from services.suite.cli import main; main()", "serve"]
        command += ["--data-dir", str(Path(folder, "data")), "--ports-file", str(ports)]
        try:
            server.start([*command, "--port-base", "0"], env={"PYTHONPATH": os.getcwd()})
            server.wait_until(ports.exists, seconds=90)
            start = cpu_seconds([server.pid])
            time.sleep(SETTLES)
            spent = cpu_seconds([server.pid])
            time.sleep(LASTS)
            busy = (cpu_seconds([server.pid]) - spent) / LASTS
            memory = resident_mib(server.pid)
        finally:
            server.close()
    return [
        Row("an idle suite, all services and NATS: CPU", f"{busy:.1%} of a core", "< 5 %"),
        Row("  CPU of its start", f"{start:.1f} s", ""),
        Row("  resident memory", f"{memory:.0f} MiB", ""),
    ]


def takeover() -> list[Row]:
    """Seconds from `kill -9` of one of three replicas until nothing is left in its name."""
    seconds = [_taken_over() for _ in range(RUNS)]
    each = ", ".join(f"{value:.1f}" for value in seconds)
    what = f"jobs of a killed replica are taken over, worst of {RUNS}"
    return [Row(what, f"{max(seconds):.1f} s (each: {each})", "< 10 s")]


def _taken_over() -> float:
    postgres, nats = Postgres(), Nats()
    names = [f"orchestrator-{number}" for number in range(3)]
    roles = {
        name: {"ORCHESTRATOR_EXECUTOR": name, "ORCHESTRATOR_JOBS_AT_ONCE": "4"} for name in names
    }
    try:
        with Stack(nats, postgres.create_database(), orchestrators=roles) as stack:
            return asyncio.run(_kill_one(stack, names))
    finally:
        nats.close()
        postgres.close()


async def _kill_one(stack: Stack, names: list[str]) -> float:
    async with stack.client(orchestrator=names[0]) as client:
        for _ in range(JOBS):
            unique = f"A long walk {uuid.uuid4().hex}"
            await client.generate(unique, seconds=10, request_id=unique)
    await until(lambda: any(map(stack.evidence.held_by, names[1:])), 60)
    victim = next(name for name in names[1:] if stack.evidence.held_by(name))
    stack[victim].kill()
    killed = time.perf_counter()
    await until(lambda: not stack.evidence.held_by(victim), 60)
    return time.perf_counter() - killed
