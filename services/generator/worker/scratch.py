"""The folder in which engines write: what a generator that was killed left in it goes."""

import asyncio
import fcntl
import os
import shutil
from contextlib import AsyncExitStack, suppress
from pathlib import Path


async def kept_clean(scratch: Path, stack: AsyncExitStack) -> None:
    """Remove what is half made there, unless another generator works in the same folder.

    Who works in it holds a shared lock on it until `stack` ends, or it dies.
    """
    held = await asyncio.to_thread(_opened, scratch)
    stack.callback(os.close, held)
    await asyncio.to_thread(_swept, scratch, held)


def _opened(scratch: Path) -> int:
    scratch.mkdir(parents=True, exist_ok=True)
    return os.open(scratch, os.O_RDONLY)


def _swept(scratch: Path, held: int) -> None:
    with suppress(BlockingIOError):
        fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        for left in scratch.glob("*.work"):
            shutil.rmtree(left, ignore_errors=True)
    fcntl.flock(held, fcntl.LOCK_SH)
