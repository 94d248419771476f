"""The service as a process of its own, which may be told to die (kill -9) at a named step.

Run as a script: ``service_process.py SETTINGS_JSON STEP``; prints the bound address.
"""

import asyncio
import inspect
import json
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import uvloop

from services.common.allocator import use_memory_again
from services.storage.settings import Settings

ROOT = Path(__file__).resolve().parents[3]
STEPS = {
    "before the record": ("sql_assets", "SqlAssets", "claim", "before"),
    "after the record": ("sql_assets", "SqlAssets", "claim", "after"),
    "while receiving": ("staging", "FolderStage", "write", "after"),
    "once received": ("staging", "FolderStage", "finish", "after"),
    "once inspected": ("media_looker", "MediaInspector", "inspect", "after"),
    "while drawing": ("derive_maker", "DeriveMaker", "make", "before"),
    "before publishing": ("BLOBS", "BLOBS", "publish", "before"),
    "between its facts and the object": ("folder_blobs", "FolderBlobs", "_link", "before"),
    "before the first part": ("s3_upload", "Sending", "_begin", "after"),
    "while sending parts": ("s3_upload", "Sending", "_part", "after"),
    "before completing the parts": ("s3_upload", "Sending", "_send", "after"),
    "once published": ("BLOBS", "BLOBS", "publish", "after"),
    "before the commit": ("sql_assets", "SqlAssets", "commit", "before"),
    "once committed": ("sql_assets", "SqlAssets", "commit", "after"),
    "before it is abandoned": ("sql_assets", "SqlAssets", "abandon", "before"),
    "once abandoned": ("sql_assets", "SqlAssets", "abandon", "after"),
    "before a record is deleted": ("sql_assets", "SqlAssets", "mark_deleted", "before"),
    "before the bytes are deleted": ("BLOBS", "BLOBS", "delete", "before"),
    "once the bytes are deleted": ("BLOBS", "BLOBS", "delete", "after"),
    "once marked as purged": ("sql_assets", "SqlAssets", "mark_purged", "after"),
    "before it is spooled": ("folder_spool", "FolderSpool", "keep", "before"),
    "once it lies in the spool": ("folder_spool", "FolderSpool", "keep", "after"),
    "once it is known as spooled": ("sql_assets", "SqlAssets", "spooled", "after"),
    "once it has moved": ("sql_assets", "SqlAssets", "move", "after"),
    "once it is cloned": ("BLOBS", "BLOBS", "clone", "after"),
    "once it is given up": ("sql_assets", "SqlAssets", "give_up", "after"),
    "before it is forgotten": ("sql_assets", "SqlAssets", "forget", "before"),
}


class Process:
    """A running child with its address."""

    def __init__(self, address: str, process: asyncio.subprocess.Process) -> None:
        self.address = address
        self._process = process

    @property
    def pid(self) -> int:
        return self._process.pid

    def peak_memory(self) -> int:
        """Largest resident size since the last reset, in bytes."""
        status = Path(f"/proc/{self.pid}/status").read_text()
        line = next(line for line in status.splitlines() if line.startswith("VmHWM"))
        return int(line.split()[1]) * 1024

    def reset_peak(self) -> None:
        """Let ``peak_memory`` begin anew."""
        Path(f"/proc/{self.pid}/clear_refs").write_text("5")

    async def died(self) -> int:
        """Wait for its end and return the signal that killed it."""
        return -await self._process.wait()


@asynccontextmanager
async def process(
    settings: Settings, step: str = "", *, hidden: Sequence[str] = ()
) -> AsyncIterator[Process]:
    """Run the service in a child while the block runs; ``hidden`` modules cannot be imported."""
    facts = {name: getattr(settings, name) for name in settings.model_fields_set}
    told = json.dumps(
        {
            **facts,
            "signing_key": settings.signing_key.get_secret_value(),
            "s3_secret_access_key": settings.s3_secret_access_key.get_secret_value(),
        },
        default=_plain,
    )
    child = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        f"import runpy, sys; sys.modules.update(dict.fromkeys({list(hidden)!r})); "
        f"runpy.run_path({__file__!r}, run_name='__main__')",
        told,
        step,
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},  # noqa: TID251 - a child inherits our environment
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
    )
    assert child.stdout is not None
    try:
        async for line in child.stdout:
            if line.startswith(b"address "):
                yield Process(line.split()[1].decode(), child)
                break
        else:
            message = "the service did not start"
            raise RuntimeError(message)
    finally:
        if child.returncode is None:
            child.kill()
        await child.wait()
        child._transport.close()  # type: ignore[attr-defined]  # asyncio leaves no other way


def _plain(value: object) -> object:
    return sorted(value) if isinstance(value, frozenset) else str(value)


def arm(step: str, settings: Settings) -> None:
    """Patch one method of one adapter to end this process with SIGKILL."""
    import importlib

    module, name, method, moment = STEPS[step]
    if module == "BLOBS":
        module, name = (
            ("s3_blobs", "S3Blobs") if settings.on_s3 else ("folder_blobs", "FolderBlobs")
        )
    owner = getattr(importlib.import_module(f"services.storage.adapters.{module}"), name)
    original: Callable[..., Any] = getattr(owner, method)

    async def deadly(*args: Any, **kwargs: Any) -> Any:
        if moment == "after":
            await original(*args, **kwargs)
        os.kill(os.getpid(), signal.SIGKILL)

    def at_once(*_: Any) -> None:
        os.kill(os.getpid(), signal.SIGKILL)

    setattr(owner, method, deadly if inspect.iscoroutinefunction(original) else at_once)


async def listen(settings: Settings, say: Callable[[str], object]) -> None:
    """Serve for ever; ``say`` is told the address."""
    from services.common.telemetry import configure_logging
    from services.storage.__main__ import running

    configure_logging(settings)  # to standard error: nobody reads standard output after the address
    async with running(settings) as address:
        say(address)
        await asyncio.Event().wait()


if __name__ == "__main__":
    told = Settings(**json.loads(sys.argv[1]))
    if sys.argv[2]:
        arm(sys.argv[2], told)
    use_memory_again()
    uvloop.run(listen(told, lambda address: print("address", address, flush=True)))
