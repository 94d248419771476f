"""Has what comes within a moment written in one go: a commit costs more than a row."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, TypeVar

T = TypeVar("T")
_MOMENT_SECONDS = 0.2


class Together(Generic[T]):
    """Collects things to write; `write` tells of each whether it was written."""

    def __init__(
        self,
        write: Callable[[Sequence[T]], Awaitable[Sequence[bool]]],
        *,
        seconds: float = _MOMENT_SECONDS,
    ) -> None:
        self._write = write
        self._seconds = seconds
        self._waiting: list[tuple[T, asyncio.Future[bool]]] = []
        self._task: asyncio.Task[None] | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    async def add(self, item: T) -> bool:
        """Return whether it was written, once that is known; raises what `write` raises."""
        answer: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self._waiting.append((item, answer))
        if self._task is None:
            self._task = asyncio.create_task(self._flush())
            self._tasks.add(self._task)  # the loop holds on to none
            self._task.add_done_callback(self._tasks.discard)
        return await answer

    async def _flush(self) -> None:
        await asyncio.sleep(self._seconds)
        waiting, self._waiting, self._task = self._waiting, [], None
        answers = [answer for _, answer in waiting]
        try:
            written = await self._write([item for item, _ in waiting])
        except Exception as error:
            for answer in answers:
                if not answer.done():
                    answer.set_exception(error)
            return
        for answer, was in zip(answers, written, strict=True):
            if not answer.done():
                answer.set_result(was)
