"""Talks to the process that draws derived files; starts it when first needed."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Any

from services.common.errors import DataLoss, StorageFull
from services.storage.adapters.line_client import UnansweredError, ask, begin, end, place
from services.storage.domain.media_ports import DerivedFile, UndrawnError
from services.storage.domain.streaming import PLAYLIST_TYPE

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from services.common.children import Child

_MODULE = "services.storage.adapters.derive_process"
# By what the child says of a failure: damaged media, or no room for what is made of it.
_ERRORS = {"media": DataLoss, "full": StorageFull}
_TYPES = {".jpg": "image/jpeg", ".mp4": "video/mp4", ".m3u8": PLAYLIST_TYPE}


class DeriveMaker:
    """One child process, one file at a time; a child that hangs or dies is replaced.

    One that has said nothing for ``timeout`` seconds hangs.
    """

    def __init__(self, *, timeout: float = 120.0) -> None:
        self._timeout = timeout
        self._child: Child | None = None
        self._turn = asyncio.Lock()

    async def make(
        self, source: Path, folder: Path, *, frames: int, roles: Sequence[str]
    ) -> Sequence[DerivedFile]:
        """Make the files inside ``folder``; see the port."""
        told = {"source": place(source), "folder": place(folder)}
        async with self._turn:
            answer = await self._ask({**told, "frames": frames, "roles": [*roles]})
        if "error" in answer:
            msg = f"no derived files: {answer['error']}: {answer['message']}"
            raise _ERRORS.get(answer["kind"], UndrawnError)(msg)
        return [
            DerivedFile(role, _TYPES[Path(path).suffix], Path(path))
            for role, path in answer["files"].items()
        ]

    async def close(self) -> None:
        """End the child: it leaves when its input ends, and is killed when it does not."""
        child, self._child = self._child, None
        if child is not None:
            await end(child)

    async def _ask(self, question: Mapping[str, Any]) -> Any:
        child = await self._running()
        try:
            return await ask(child, question, self._timeout)
        except UnansweredError as error:
            msg = f"the process that draws failed: {error}"
            raise UndrawnError(msg) from error

    async def _running(self) -> Child:
        if self._child is None or not self._child.alive:
            self._child = await begin(_MODULE)
        return self._child
