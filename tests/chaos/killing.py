"""Generators that are really killed: a process for each order, then one that survives them all.

All share one database. Each takes one order and dies of SIGKILL at its point, or from outside in
the middle of its call. When all of them are dead, one process takes over what they left. Vendors
call back through a real gateway, at a replica that drives nothing. What must be true afterwards is
`hosted.Audit`'s to say.
"""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from pydantic import SecretStr

from reelmesh.generator.v1 import generation_pb2
from reelmesh.generator.v1 import generator_service_pb2 as pb
from services.common.database import Database
from services.common.errors import ServiceError
from services.common.migrate import migrate
from services.gateway.__main__ import running as gateway_running
from services.gateway.settings import Settings as GatewaySettings
from services.generator.__main__ import MIGRATIONS
from services.generator.domain.generation import TERMINAL, Generation, State
from services.generator.domain.steps import Step
from services.generator.domain.tasks import Operation
from services.generator.ledger import SqlLedger
from services.generator.ledger.rows import GENERATIONS
from services.storage.__main__ import running as storage_running
from services.storage.settings import Settings as StorageSettings
from services.suite.simulator.exports import variables
from services.suite.simulator.world import World
from tests.chaos.foundlings import Foundling, Nursery, nursery
from tests.chaos.hosted import ENDLESS, MODELS, Cell, charges_of
from tests.fakes.simulator import simulator_thread
from tests.fakes.waiting import until
from tests.servers.process import free_ports

SECRET = "a signing key for the tests alone"
# The vendor has taken the order and charged for it; the answer may or may not have come.
MID_CALL = "mid_call"
POINTS = (*(step.value for step in Step), MID_CALL)
AT_ONCE = 6  # processes that live side by side
NEVER = "3600"
# Trouble is the order of the day here: nothing may be rested for it.
_PATIENT = {
    "GENERATOR_POLL_SECONDS": "0.1",
    "GENERATOR_WEBHOOK_SWEEP_SECONDS": "0.5",
    "GENERATOR_ABSENCE_SECONDS": "0.5",
    "GENERATOR_SECOND_LOOKS_SECONDS": "[0.3, 1.0]",
    "GENERATOR_CIRCUIT_FAILURES": "1000000",
    "GENERATOR_PROBE_SECONDS": "0",
    "GENERATOR_STORING_PATIENCE_SECONDS": "5",
    "GENERATOR_MIGRATE_AT_START": "false",
}
_OVER = "('" + "', '".join(sorted(state.value for state in TERMINAL)) + "')"
_ENDS = f"""CREATE TRIGGER ends AFTER UPDATE OF state ON generations
WHEN new.state IN {_OVER} AND old.state NOT IN {_OVER}
BEGIN INSERT INTO ended VALUES (new.request_id); END"""


@dataclass
class Ground:
    """What outlives the processes: database, storage, vendors, gateway; and where they are born."""

    folder: Path
    world: World
    ledger: SqlLedger
    database: Database
    nursery: Nursery
    killed: Counter[str] = field(default_factory=Counter)
    troubles: list[str] = field(default_factory=list)

    async def kill_all(self, cells: Sequence[Cell]) -> None:
        """Let a generator take each order and die, a few side by side."""
        room = asyncio.Semaphore(AT_ONCE)

        async def one(cell: Cell) -> None:
            async with room:
                await self._fate(cell)

        await asyncio.gather(*(one(cell) for cell in cells))

    @asynccontextmanager
    async def survived(self) -> AsyncIterator[None]:
        """Let one process take over what the dead left."""
        folder = self.folder / "survivor"
        one = await self.nursery.start(folder, GENERATOR_REPLICA="survivor", **_TAKING_OVER)
        yield
        assert not one.died.done(), (folder / "generator.log").read_text()
        await one.kill()

    async def rest(self, names: Sequence[str]) -> dict[str, Generation]:
        """Return the rows by request id, once nothing more happens to any."""
        found: dict[str, Generation] = {}

        async def read() -> bool:
            for name in set(names) - found.keys():
                row = await self.row(name)
                if row is not None and _rests(*row) and not await self._called(row[0]):
                    found[name] = row[0]
            return len(found) == len(names)

        try:
            await until(read, 120)
        except TimeoutError:
            left = [await self.row(name) for name in set(names) - found.keys()]
            raise AssertionError(left) from None
        return found

    async def ends(self) -> Counter[str]:
        """How often each row was brought to an end, as the database itself has counted."""
        async with self.database.read() as connection:
            return Counter((await connection.execute(sa.text("SELECT * FROM ended"))).scalars())

    async def row(self, name: str) -> tuple[Generation, str] | None:
        """Return a generation by its request id, and who holds it."""
        entry = await self.ledger.find("default", name)
        if entry is None:
            return None
        query = sa.select(GENERATIONS.c.owner).where(GENERATIONS.c.id == entry.generation.id)
        async with self.database.read() as connection:
            return entry.generation, (await connection.execute(query)).scalar_one()

    async def _called(self, row: Generation) -> bool:
        """Whether the vendor has named the job of an unanswered call: it will be gone on with."""
        unknown = row.state is State.UNKNOWN_OUTCOME
        return unknown and await self.ledger.called_back(row.id) != ""

    async def _fate(self, cell: Cell) -> None:
        more = {} if cell.point == MID_CALL else {"GENERATOR_FAULT_POINT": str(cell.point)}
        if cell.fault in ENDLESS:
            more["GENERATOR_DEADLINE"] = "PT1.5S"
        folder, name = self.folder / str(cell), str(cell)
        one = await self.nursery.start(folder, GENERATOR_REPLICA=name, **_HOLDING, **more)
        await self._order(one, cell)
        await self._end(one, cell)
        self.killed[str(cell.point)] += await one.died == -9

    async def _order(self, one: Foundling, cell: Cell) -> None:
        request = pb.CreateGenerationRequest(
            request_id=str(cell), model=MODELS[cell.provider].id, task=_task(cell)
        )
        async with one.calling() as stub:
            while not one.died.done():  # it may die before it answers
                try:
                    await stub.CreateGeneration(request, timeout=10)
                except ServiceError as error:
                    self.troubles.append(f"{cell}: {error!r}")
                else:
                    return

    async def _end(self, one: Foundling, cell: Cell) -> None:
        """Wait for its end; what never comes to its point is killed when it rests."""

        async def over() -> bool:
            if one.died.done():
                return True
            if cell.point == MID_CALL and str(cell) in charges_of(self.world):
                return True
            found = await self.row(str(cell))
            return found is not None and _rests(*found)

        try:
            await until(over, 60)
        except TimeoutError:
            row, log = await self.row(str(cell)), (one.folder / "generator.log").read_text()
            raise AssertionError(cell, row, log, self.troubles) from None
        await one.kill()


# Whoever is to be killed takes nothing over, and never lets go of what it has.
_HOLDING = {"GENERATOR_HEARTBEAT_SECONDS": "0.3", "GENERATOR_LEASE_SECONDS": NEVER}
_TAKING_OVER = {"GENERATOR_HEARTBEAT_SECONDS": "0.2", "GENERATOR_LEASE_SECONDS": "0.4"}


def _rests(row: Generation, owner: str) -> bool:
    """Whether it has ended for good, or is of unknown outcome and nobody can find out."""
    if row.state is State.UNKNOWN_OUTCOME:
        return not owner or not row.identity.provider.startswith("kling")
    return row.state.terminal and not owner


def _task(cell: Cell) -> generation_pb2.Task:
    words = cell.words
    kinds: dict[Operation, Any] = {
        Operation.VIDEO: {"video": generation_pb2.VideoTask(prompt=words)},
        Operation.IMAGE: {"image": generation_pb2.ImageTask(prompt=words)},
        Operation.SPEECH: {"speech": generation_pb2.SpeechTask(text=words)},
        Operation.MUSIC: {"music": generation_pb2.MusicTask(prompt=words)},
        Operation.SOUND: {"sound": generation_pb2.SoundTask(prompt=words)},
    }
    return generation_pb2.Task(**kinds[MODELS[cell.provider].operation])


@asynccontextmanager
async def ground(folder: Path) -> AsyncIterator[Ground]:
    """Everything that outlives a generator, on SQLite and a folder."""
    url = f"sqlite:///{folder / 'generator.db'}"
    door = f"127.0.0.1:{free_ports(1)[0]}"
    async with AsyncExitStack() as stack:
        database = await stack.enter_async_context(Database(url, schema="generator"))
        await migrate(database, MIGRATIONS)
        async with database.begin() as connection:
            await connection.execute(sa.text("CREATE TABLE ended (request_id TEXT)"))
            await connection.execute(sa.text(_ENDS))
        world = stack.enter_context(simulator_thread(retry_after_seconds=0))
        storage = StorageSettings(
            address="127.0.0.1:0",
            data_dir=folder / "storage",
            database_url="",
            signing_key=SecretStr(SECRET),
        )
        settings = {
            **variables(world),
            **_PATIENT,
            "DATABASE_URL": url,
            "STORAGE_ADDRESS": await stack.enter_async_context(storage_running(storage)),
            "GENERATOR_ADDRESS": "127.0.0.1:0",
            "GENERATOR_WEBHOOK_BASE_URL": f"http://{door}",
            "REELMESH_SIGNING_KEY": SECRET,
            "REELMESH_ENVIRONMENT": "test",
        }
        found = await stack.enter_async_context(nursery(**settings))
        ear = await found.start(folder / "ear", GENERATOR_REPLICA="ear", **_HOLDING)
        async with ear.calling():
            heard_at = (ear.folder / "address").read_text()
        gateway = GatewaySettings(
            address=door,
            data_dir=folder,
            database_url="",
            generator_address=heard_at,
            signing_key=SecretStr(SECRET),
        )
        await stack.enter_async_context(gateway_running(gateway))
        yield Ground(folder, world, SqlLedger(database), database, found)
