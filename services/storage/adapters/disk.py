"""Calls that wait for the disk, off the event loop, with their errors in our words."""

from __future__ import annotations

import asyncio
import errno
import os
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING, ParamSpec, TypeVar

from services.common.errors import ServiceError, StorageFull, Unavailable
from services.storage.adapters.process_limits import FULL

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

P = ParamSpec("P")
R = TypeVar("R")

_UNLINKABLE = frozenset({errno.EXDEV, errno.EPERM, errno.EMLINK, errno.ENOTSUP})


class Disk:
    """A few threads of its own: a slow disk must not take the threads that others need.

    What goes through a whole file, for seconds perhaps, has other threads than the chunks of
    uploads and downloads: however many large files are copied or made durable, bytes go on coming
    and going.
    """

    def __init__(self, threads: int = 8, movers: int = 4) -> None:
        """Prepare the pools; threads start when they are needed."""
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="storage-disk")
        self._movers = ThreadPoolExecutor(movers, thread_name_prefix="storage-move")

    async def run(self, call: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
        """Return what ``call`` returns.

        A full disk raises ``StorageFull``, a broken one ``Unavailable``.
        """
        return await self.begin(call, *args, **kwargs)

    def begin(self, call: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> asyncio.Future[R]:
        """Let a thread begin at once, and not only when the caller waits next; as ``run`` else."""
        return _begun(self._pool, partial(call, *args, **kwargs))

    async def move(self, call: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
        """Return what ``call`` returns, which copies a whole file or waits for its bytes.

        Errors are those of ``run``.
        """
        return await _begun(self._movers, partial(call, *args, **kwargs))

    def close(self) -> None:
        """Let the running calls finish and stop the threads."""
        self._movers.shutdown(wait=True)
        self._pool.shutdown(wait=True)


def _begun(pool: ThreadPoolExecutor, call: Callable[[], R]) -> asyncio.Future[R]:
    def worded() -> R:
        try:
            return call()
        except (FileNotFoundError, FileExistsError):
            raise
        except OSError as error:
            raise translated(error) from error

    return asyncio.get_running_loop().run_in_executor(pool, worded)


def translated(error: OSError) -> ServiceError:
    """Return the service error that a failed file operation means."""
    if error.errno in FULL:
        return StorageFull("the disk of the storage service is full")
    return Unavailable(f"the disk of the storage service fails: {os.strerror(error.errno or 0)}")


def linked(source: Path, target: Path) -> bool:
    """Give the file a second name; false where none is possible, and it has to be copied."""
    try:
        os.link(source, target)
    except OSError as error:
        if error.errno not in _UNLINKABLE:
            raise
        return False
    return True


def sync_file(path: Path) -> None:
    """Make the bytes of a file survive a power cut."""
    with path.open("rb") as file:
        os.fsync(file.fileno())


def sync_folder(folder: Path) -> None:
    """Make new names in ``folder`` survive a power cut."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def make_folder(folder: Path) -> None:
    """Make the folder where it is not there, with a name that survives a power cut."""
    if not folder.is_dir():
        make_folder(folder.parent)
        folder.mkdir(exist_ok=True)
        sync_folder(folder.parent)
