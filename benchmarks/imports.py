"""Import of one large file into S3: speed against plain boto3, and the memory of both.

Each in a process of its own, turn about. The service sees the packages that its own extra installs
and no others: what a developer has installed besides would be counted as its memory.
"""

import asyncio
import itertools
import os
import sys
import threading
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, distribution, packages_distributions
from pathlib import Path
from statistics import median
from typing import Any

import psutil
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from benchmarks.measure import cpu_seconds
from reelmesh.storage.v1 import asset_pb2
from reelmesh.storage.v1 import storage_service_pb2 as pb
from tests.fakes.file_server import FileServer
from tests.integration.storage.conftest import client_of
from tests.integration.storage.service_process import Process, process
from tests.servers import Bucket, SeaweedFS
from tests.unit.storage.clips import mp4

MIB = 1024 * 1024


class Memory:
    """The largest memory of a process while it was watched, in MiB.

    ``own`` leaves out the pages of programs and libraries, which all processes share and the kernel
    may drop; ``fair`` counts of those what falls to one of the processes that have them now (PSS).
    """

    def __init__(self, pid: int) -> None:
        self._process = psutil.Process(pid)
        self.resident = self.own = self.fair = 0.0
        self.look()
        self.share()

    def look(self) -> None:
        """Look once."""
        found = self._process.memory_info()
        self.resident = max(self.resident, found.rss / MIB)
        self.own = max(self.own, (found.rss - found.shared) / MIB)

    def share(self) -> None:
        """Ask who has which page: the kernel walks all of them, which takes a millisecond."""
        self.fair = max(self.fair, self._process.memory_full_info().pss / MIB)

    @contextmanager
    def watching(self) -> Any:
        """Look often while the block runs."""
        over = threading.Event()

        def watch() -> None:
            for count in itertools.count(1):
                if over.wait(0.01):
                    return
                self.look()
                if not count % 200:
                    self.share()

        thread = threading.Thread(target=watch)
        thread.start()
        try:
            yield self
        finally:
            over.set()
            thread.join()


def not_of(extra: str) -> list[str]:
    """Top-level modules installed here that ``reelmesh[extra]`` alone would not bring."""
    wanted, waiting = set(), [Requirement(f"reelmesh[{extra}]")]
    while waiting:
        asked = waiting.pop()
        for part in asked.extras or {""}:
            mark = canonicalize_name(asked.name), part
            if mark in wanted:
                continue
            wanted.add(mark)
            try:
                needs = map(Requirement, distribution(asked.name).requires or ())
            except PackageNotFoundError:
                continue
            waiting += [n for n in needs if not n.marker or n.marker.evaluate({"extra": part})]
    names = {name for name, _ in wanted}
    return [
        module
        for module, owners in packages_distributions().items()
        if not {canonicalize_name(owner) for owner in owners} & names and module.isidentifier()
    ]


@asynccontextmanager
async def plain(bucket: Bucket, url: str, folder: Path) -> AsyncIterator[Any]:
    """The script with boto3, as a process."""
    child = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "benchmarks.plain_import", bucket.endpoint_url, bucket.bucket,
        bucket.access_key, bucket.secret_key, url, str(folder),
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    try:
        yield child
    finally:
        child.kill()
        await child.wait()


async def once(child: asyncio.subprocess.Process) -> float:
    """Seconds of one import by the script."""
    assert child.stdin
    assert child.stdout
    child.stdin.write(b"\n")
    await child.stdin.drain()
    return float(await child.stdout.readline())


async def through_us(service: Process, url: str, request_id: str) -> float:
    """Seconds of one import by the service."""
    told = asset_pb2.Asset(content_type="application/octet-stream")
    async with client_of(service.address) as acme:
        began = asyncio.get_running_loop().time()
        request = pb.ImportAssetRequest(uri=url, asset=told, request_id=request_id)
        await acme.stub.ImportAsset(request, timeout=600)
        return asyncio.get_running_loop().time() - began


async def _both_lookers(service: Process, turn: int) -> list[psutil.Process]:
    """Let both processes that look into media be there, which end when idle for a minute."""
    found: list[psutil.Process] = []
    async with client_of(service.address) as acme:
        for number in itertools.count():
            clips = [(mp4(seed=seed), f"clip {turn} {number} {seed}") for seed in range(4)]
            await asyncio.gather(*(acme.upload(clip, name) for clip, name in clips))
            found = psutil.Process(service.pid).children()
            if len(found) == 2:
                break
    return found


async def _fresh(vendor: FileServer, folder: Path) -> None:
    """Give the file other bytes: equal ones would be copied inside the store, not sent.

    And let the kernel have as much free memory at hand as before every other turn: what a virtual
    machine has given back to its host takes a second per GiB to get again, which would fall to
    one of the two.
    """
    vendor.data = os.urandom(MIB)
    await asyncio.to_thread(_hold_memory, folder / "warm", int(vendor.repeat * 2.5))


def _hold_memory(path: Path, size_mib: int) -> None:
    """Write so much through the page cache, and leave it."""
    block = bytes(MIB)
    with path.open("wb") as file:
        for _ in range(size_mib):
            file.write(block)
    os.sync()
    path.unlink()


@dataclass
class Side:
    """One of the two that import, with what it took."""

    pid: int
    once: Callable[[int], Awaitable[float]]
    seconds: list[float] = field(default_factory=list)
    cpu: float = 0.0

    async def turn(self, number: int) -> None:
        """Import once; CPU is counted for that long, of the whole tree of processes."""
        before = cpu_seconds([self.pid])
        self.seconds.append(await self.once(number))
        self.cpu += cpu_seconds([self.pid]) - before


async def import_rate(
    s3: SeaweedFS, folder: Path, size_mib: int, settings_for: Callable[..., Any], turns: int = 6
) -> dict[str, Any]:
    """Import a file of so many MiB both ways, turn about.

    Whoever comes second finds a server that still has the first one's file to put away, so each
    does half of the times.
    """
    bucket = s3.create_bucket()
    async with FileServer(data=os.urandom(MIB), repeat=size_mib).serving() as vendor:
        hosts = [f"127.0.0.1:{vendor.port}"]
        settings = settings_for(folder, bucket, import_allowed_hosts=hosts)
        async with process(settings):
            """The first start brings the schema up to date."""
        hidden = not_of("storage")
        async with (
            process(settings, hidden=hidden) as service,
            plain(bucket, vendor.url, folder) as script,
        ):
            await _both_lookers(service, -1)  # so that all is loaded
            before, lookers = Memory(service.pid), 0.0
            theirs = Side(script.pid, lambda _: once(script))
            ours = Side(service.pid, lambda turn: through_us(service, vendor.url, f"r{turn}"))
            memory, script_memory = Memory(service.pid), Memory(script.pid)
            with memory.watching(), script_memory.watching():
                for turn in range(turns):
                    others = await _both_lookers(service, turn)
                    own = sum(Memory(other.pid).own for other in others)
                    lookers = max(lookers, own)
                    for side in (ours, theirs) if turn % 2 else (theirs, ours):
                        await _fresh(vendor, folder)
                        await side.turn(turn)
    ratios = [
        script / service for script, service in zip(theirs.seconds, ours.seconds, strict=True)
    ]
    exact = {
        "ratio": median(ratios),
        "peak_mib": memory.resident,
        "peak_own_mib": memory.own,
        "peak_fair_mib": memory.fair,
        "added_mib": memory.resident - before.resident,
    }
    return {
        "size_mib": size_mib,
        "plain_boto3_mib_s": round(size_mib / median(theirs.seconds), 1),
        "import_mib_s": round(size_mib / median(ours.seconds), 1),
        "exact": exact,
        "ratio": round(exact["ratio"], 2),
        "ratios": [round(ratio, 2) for ratio in ratios],
        "cpu_ms_per_mib": round(ours.cpu * 1000 / size_mib / turns, 2),
        "plain_boto3_cpu_ms_per_mib": round(theirs.cpu * 1000 / size_mib / turns, 2),
        "lookers_own_mib": round(lookers),
        "idle_mib": round(before.resident),
        "idle_own_mib": round(before.own),
        "peak_mib": round(memory.resident),
        "peak_own_mib": round(memory.own),
        "peak_fair_mib": round(memory.fair),
        "added_mib": round(memory.resident - before.resident),
        "plain_boto3_peak_mib": round(script_memory.resident),
    }
