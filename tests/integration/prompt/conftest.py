"""A real prompt service on a free port, and a client of it."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any

import grpc
import pytest

from reelmesh.prompt.v1.prompt_service_pb2_grpc import PromptServiceStub
from services.prompt.__main__ import running
from services.prompt.settings import Settings

Connect = Callable[..., AbstractAsyncContextManager[Any]]


@pytest.fixture
def connect(tmp_path: Path) -> Connect:
    """Starts a service with these settings and connects to it."""

    @asynccontextmanager
    async def connecting(**settings: Any) -> AsyncIterator[Any]:
        settings = {"address": "127.0.0.1:0", "data_dir": tmp_path, **settings}
        async with (
            running(Settings(**settings)) as address,
            grpc.aio.insecure_channel(address) as channel,
        ):
            yield PromptServiceStub(channel)

    return connecting
