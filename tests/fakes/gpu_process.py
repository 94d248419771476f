"""A GPU worker as a process of its own, to be killed and frozen.

Its engine notes in `makes.log` what it begins ("{worker} {generation}") and writes a clip once the
file `go` lies in the folder; everything else is the real worker.
"""

import asyncio
import hashlib
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

from services.generator.domain.gpu_work import Tier
from services.generator.domain.ports import Work
from services.generator.domain.storage_port import AssetStorage
from services.generator.engines.engine import Product
from services.generator.worker.gpu import __main__ as worker
from services.generator.worker.gpu.equipment import Memory
from services.generator.worker.gpu.settings import WorkerSettings
from tests.fakes.clips import make_clip
from tests.fakes.waiting import until

FAKE = ("-m", "tests.fakes.gpu_process")


class Bench:
    """Equipment that is controlled by files in a folder."""

    device = "a card of the tests"
    tier = Tier.CINEMA
    models = ("ltx_video",)
    loaded = ("ltx_video",)

    def __init__(self, name: str, folder: Path) -> None:
        self._name = name
        self._folder = folder

    @property
    def engine(self) -> "Bench":
        return self

    async def look(self) -> None:
        """Nothing changes here."""

    def memory(self) -> Memory:
        return Memory(used=1, total=80)

    async def warm_up(self) -> None:
        """There is nothing to warm."""

    def suffix(self, work: Work) -> str:
        return ".mp4"

    async def make(
        self, work: Work, destination: Path, *, on_progress: Callable[[float], None]
    ) -> Product:
        with (self._folder / "makes.log").open("a") as log:
            log.write(f"{self._name} {work.id}\n")
        on_progress(0.4)
        await until((self._folder / "go").exists, 600)
        make_clip(destination, frames=24)
        data = destination.read_bytes()
        digest = hashlib.sha256(data).hexdigest()
        return Product(
            content_type="video/mp4",
            sha256=digest,
            size_bytes=len(data),
            seed=7,
            gpu_seconds=3.6,
            method=self._name,
        )


@asynccontextmanager
async def opened(settings: WorkerSettings, _storage: AssetStorage | None) -> AsyncIterator[Bench]:
    yield Bench(settings.worker_name, settings.data_dir.parent)


class GpuProcess:
    """The worker's process, seen from a test."""

    def __init__(self, name: str, folder: Path, settings: Mapping[str, str]) -> None:
        self.name = name
        self.log = folder / f"{name}.log"
        self._settings = {
            "REELMESH_DATA_DIR": str(folder / name),
            "GPU_WORKER_NAME": name,
            "GPU_WORKER_ADDRESS": "127.0.0.1:0",
            "GPU_WORKER_ACK_WAIT_SECONDS": "1.5",
            "GPU_WORKER_REPORT_SECONDS": "0.2",
            "GPU_WORKER_GPU_MICROS_PER_HOUR": "1000000",
            **settings,
        }
        self._process: asyncio.subprocess.Process | None = None

    async def start(self, *command: str) -> None:
        environment = {**os.environ, **self._settings}  # noqa: TID251 - a child inherits it
        with self.log.open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                sys.executable, *(command or FAKE), env=environment, stdout=log, stderr=log
            )

    def send(self, number: signal.Signals) -> None:
        assert self._process is not None
        self._process.send_signal(number)

    async def ended(self) -> int:
        assert self._process is not None
        return await self._process.wait()

    async def close(self) -> None:
        if self._process is not None and self._process.returncode is None:
            self._process.kill()
            await self._process.wait()


if __name__ == "__main__":
    worker.main(opened)
