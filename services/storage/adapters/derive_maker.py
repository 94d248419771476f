"""Talks to the process that draws derived files; starts it when first needed."""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from services.common.children import Child, spawn
from services.common.errors import DataLoss, StorageFull, Unavailable
from services.storage.domain.media_ports import DerivedFile, UndrawnError
from services.storage.domain.streaming import PLAYLIST_TYPE

if TYPE_CHECKING:
    from collections.abc import Sequence

_MODULE = "services.storage.adapters.derive_process"
_ROOT = Path(__file__).resolve().parents[3]
_BARE = {"LC_ALL": "C.UTF-8"}
# By what the child says of a failure: damaged media, or no room for what is made of it.
_ERRORS = {"media": DataLoss, "full": StorageFull}
_TYPES = {".jpg": "image/jpeg", ".mp4": "video/mp4", ".m3u8": PLAYLIST_TYPE}


class DeriveMaker:
    """One child process, one file at a time; a child that hangs or dies is replaced.

    Media is untrusted: the child is not handed our environment, which holds every secret. It runs
    as the same user, though: one that is taken over could look for secrets of ours elsewhere.
    """

    def __init__(self, *, timeout: float = 120.0) -> None:
        self._timeout = timeout
        self._child: Child | None = None
        self._turn = asyncio.Lock()

    async def make(
        self, source: Path, folder: Path, *, frames: int, roles: Sequence[str]
    ) -> Sequence[DerivedFile]:
        """Make the files inside ``folder``; see the port."""
        told = {"source": str(source), "folder": str(folder), "frames": frames, "roles": [*roles]}
        async with self._turn:
            answer = await self._ask(json.dumps(told))
        if "error" in answer:
            msg = f"no derived files: {answer['error']}"
            raise _ERRORS.get(answer.get("kind", ""), UndrawnError)(msg)
        return [
            DerivedFile(role, _TYPES[Path(path).suffix], Path(path))
            for role, path in answer["files"].items()
        ]

    async def close(self) -> None:
        """End the child: it leaves when its input ends, and is killed when it does not."""
        child, self._child = self._child, None
        if child is None:
            return
        child.stdin.close()
        try:
            async with asyncio.timeout(2):
                await child.wait()
        except TimeoutError:
            child.kill()
            await child.wait()

    async def _ask(self, line: str) -> Any:
        child = await self._running()
        try:
            async with asyncio.timeout(self._timeout):
                child.stdin.write(line.encode() + b"\n")
                await child.stdin.drain()
                answer = await child.stdout.readline()
                return json.loads(answer)
        except (TimeoutError, OSError, RuntimeError, ValueError) as error:
            await self._discard(child)
            msg = f"the process that draws failed: {type(error).__name__}"
            raise UndrawnError(msg) from error
        except asyncio.CancelledError:
            # Its answer would be taken for that of the next question.
            await asyncio.shield(self._discard(child))
            raise

    async def _discard(self, child: Child) -> None:
        self._child = None
        child.kill()
        await child.wait()

    async def _running(self) -> Child:
        if self._child is None or not self._child.alive:
            try:
                self._child = await spawn([sys.executable, "-m", _MODULE], cwd=_ROOT, env=_BARE)
            except OSError as error:
                msg = f"the process that draws does not start: {error.strerror}"
                raise Unavailable(msg) from error
        return self._child
