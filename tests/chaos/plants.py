"""A generator to be killed in this process, with real storage and simulated vendors."""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

import pytest

from services.common.database import Database
from services.common.migrate import migrate
from services.generator.__main__ import MIGRATIONS
from services.storage.__main__ import running as storage_running
from services.storage.settings import Settings as StorageSettings
from services.suite.simulator.server import simulating
from tests.fakes.mortal_generator import Plant
from tests.fakes.simulator import quick


@asynccontextmanager
async def planted(folder: Path, database_url: str = "") -> AsyncIterator[Plant]:
    """Everything that outlives a life; `database_url` "" is SQLite in the folder."""
    url = database_url or f"sqlite:///{folder / 'generator.db'}"
    storage = StorageSettings(address="127.0.0.1:0", data_dir=folder / "storage")
    async with Database(url, schema="generator") as database:
        await migrate(database, MIGRATIONS)
    with brisk():
        async with (
            storage_running(storage) as address,
            simulating(quick(retry_after_seconds=0)) as world,
        ):
            yield Plant(url, folder, address, world)


@contextmanager
def brisk() -> Iterator[None]:
    """Short waits where the machine waits for somebody else."""
    with pytest.MonkeyPatch.context() as patch:
        for module in ("sending", "storing"):
            patch.setattr(f"services.generator.usecases.{module}._FIRST_WAIT_SECONDS", 0.01)
        patch.setattr("services.generator.usecases.machine._PAUSES_SECONDS", (0.05,))
        yield
