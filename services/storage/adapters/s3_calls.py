"""One bucket and its blocking client, called from asyncio through threads of its own."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, TypeVar

from services.common import clock
from services.storage.adapters import disk
from services.storage.adapters.s3_errors import BOTO_ERRORS, translated

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

R = TypeVar("R")

_LONG = frozenset({"copy_object", "complete_multipart_upload"})


class S3Calls:
    """Runs requests on one bucket off the event loop and words their errors as ours."""

    def __init__(
        self,
        client: Any,
        bucket: str,
        *,
        patient: Any = None,
        threads: int = 8,
        now: Callable[[], datetime] = clock.now,
    ) -> None:
        """Use clients of botocore, made at run time (hence ``Any``) and thread-safe.

        ``patient`` is for what a server may be silent at for long: putting together many bytes.
        """
        self.client = client
        self._patient = patient or client
        self.bucket = bucket
        self._now = now
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="storage-s3")

    async def run(self, key: str, call: Callable[[], R]) -> R:
        """Return what ``call`` returns; raises the service error that a failure means.

        A local file that is gone stays a ``FileNotFoundError``, as everywhere with our disk.
        """
        loop = asyncio.get_running_loop()
        try:
            return await loop.run_in_executor(self._pool, call)
        except BOTO_ERRORS as error:
            raise translated(error, key, self._now()) from error
        except FileNotFoundError:
            raise
        except OSError as error:
            raise disk.translated(error) from error

    async def request(self, operation: str, key: str, **parameters: object) -> Any:
        """Return the answer to one operation on one object."""
        client = self._patient if operation in _LONG else self.client
        method = getattr(client, operation)
        return await self.run(key, lambda: method(Bucket=self.bucket, Key=key, **parameters))

    def close(self) -> None:
        """Let the running requests finish and stop the threads."""
        self._pool.shutdown(wait=True)
