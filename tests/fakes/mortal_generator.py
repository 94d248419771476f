"""The generator's machine in this process, on a real database, a real storage service and the
vendor simulator over real HTTP, one life after another: what a life leaves is taken over.

A generation dies where its `Reaper` says; `kill` ends all of them at once. Nothing that dies gets
to write, release or cancel anything: what the next life finds is what lay in the database.
"""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import urlsplit

import sqlalchemy as sa

from services.common.channels import Channel
from services.common.database import Database
from services.common.fetching import fetching_client
from services.common.url_policy import UrlPolicy
from services.generator.adapters.picture_size import size_of
from services.generator.adapters.storage_client import StorageClient
from services.generator.catalogue.loader import load_catalogue
from services.generator.domain.addresses import CallbackAddresses
from services.generator.domain.circuit import Circuit
from services.generator.domain.generation import Generation, State
from services.generator.domain.models import Model
from services.generator.domain.orders import Order
from services.generator.domain.ports import Entry
from services.generator.domain.steps import Step
from services.generator.domain.tasks import Task
from services.generator.domain.vendor_keys import NO_KEYS
from services.generator.ledger import SqlHalts, SqlLedger
from services.generator.ledger.rows import GENERATIONS
from services.generator.providers import configured
from services.generator.providers.adapter import Adapter
from services.generator.providers.client import Client
from services.generator.providers.connections import TIMEOUT, vendor_http
from services.generator.providers.download import Downloader
from services.generator.providers.upload import Uploader
from services.generator.usecases.halting import Halting
from services.generator.usecases.hub import Hub
from services.generator.usecases.machine import Machine
from services.generator.usecases.means import Means
from services.generator.usecases.patience import Patience
from services.generator.usecases.row import Books
from services.generator.usecases.sending import Sending
from services.generator.usecases.storing import Storing
from services.generator.worker.access import VendorAccess
from services.generator.worker.backends import ModelBackends
from services.generator.worker.ear import Ear
from services.generator.worker.hosted import HostedBackend, Vendor
from services.generator.worker.pace import Pacer
from services.generator.worker.spool import Spool
from services.suite.simulator.exports import variables
from services.suite.simulator.world import World
from tests.fakes.waiting import until

CATALOGUE = load_catalogue()
QUICK = Patience(look_ups=(0.05,), absence=0.3, last_look=2.0, second_looks=(0.3, 1.0))


class Death(asyncio.CancelledError):
    """The process is gone: a cancellation that was asked for is what nothing in it catches."""


def utc_now() -> datetime:
    return datetime.now(UTC)


@dataclass
class Reaper:
    """Ends one drive the `nth` time that it comes to a step; None never does."""

    at: Step | None = None
    nth: int = 1
    died: asyncio.Event = field(default_factory=asyncio.Event)

    def reached(self, step: Step) -> None:
        if step is not self.at or self.died.is_set():
            return
        self.nth -= 1
        if self.nth == 0:
            self.died.set()
            drive = asyncio.current_task()
            assert drive is not None
            drive.cancel()
            raise Death


class Ends(SqlLedger):
    """The ledger, counting how often each row was brought to an end."""

    def __init__(self, database: Database, ends: Counter[str]) -> None:
        super().__init__(database)
        self.database = database
        self._ends = ends

    async def save(
        self, generation: Generation, *, owner: str = "", release: bool = False, soon: bool = False
    ) -> bool:
        before = await self.load(generation.id)
        saved = await super().save(generation, owner=owner, release=release, soon=soon)
        begun = before is not None and not before.generation.state.terminal
        self._ends[generation.id] += saved and begun and generation.state.terminal
        return saved

    async def owned(self, identifier: str) -> bool:
        """Whether somebody holds on to the row."""
        query = sa.select(GENERATIONS.c.owner).where(GENERATIONS.c.id == identifier)
        async with self._database.read() as connection:
            return bool((await connection.execute(query)).scalar_one())


@dataclass
class Plant:
    """What outlives a life: the database, storage, the vendors, what was counted."""

    database_url: str
    folder: Path
    storage_address: str
    world: World
    patience: Patience = QUICK
    ends: Counter[str] = field(default_factory=Counter)
    broken: list[tuple[Generation, BaseException]] = field(default_factory=list)
    lives: int = 0

    @asynccontextmanager
    async def living(self) -> AsyncIterator["Life"]:
        """One life: it takes over what was left when the block begins, and is killed at its end."""
        self.lives += 1
        async with AsyncExitStack() as stack:
            life = Life(self, await self._parts(stack), f"local/{self.lives}")
            yield life
            await life.kill()

    async def _parts(self, stack: AsyncExitStack) -> "Parts":
        database = Database(self.database_url, schema="generator")
        stack.push_async_callback(database.close)
        channel = await stack.enter_async_context(Channel(self.storage_address))
        http = await stack.enter_async_context(vendor_http())
        fetching = await stack.enter_async_context(fetching_client(timeout=TIMEOUT))
        environment = variables(self.world)
        policy = UrlPolicy(allowed_hosts=frozenset({urlsplit(self.world.media_url).netloc}))
        downloader = Downloader(fetching, policy, now=utc_now)
        pacer, spool = Pacer(2000.0), Spool(self.folder / "results")

        def hosted(provider: str, adapter: Adapter, circuit: str) -> HostedBackend:
            return HostedBackend(
                Vendor(
                    provider=provider,
                    adapter=adapter,
                    client=Client(adapter, http, now=utc_now),
                    downloader=downloader,
                    uploader=Uploader(fetching, policy),
                    pacer=pacer,
                    ear=Ear(http, now=utc_now),
                    addresses=CallbackAddresses("", ""),
                    now=utc_now,
                    circuit=Circuit(threshold=10**9),
                    spool=spool,
                    poll_seconds=0.05,
                )
            )

        backends = ModelBackends(
            {}, configured(environment), hosted=hosted, access=VendorAccess(environment)
        )
        return Parts(Ends(database, self.ends), backends, StorageClient(channel))


@dataclass(frozen=True)
class Parts:
    ledger: Ends
    backends: ModelBackends
    storage: StorageClient


class Life:
    """Drives generations until it is killed."""

    def __init__(self, plant: Plant, parts: Parts, owner: str) -> None:
        self.plant = plant
        self.ledger = parts.ledger
        self.owner = owner
        self._parts = parts
        self._hub = Hub()
        self._machines: dict[str, Machine] = {}

    async def begin(
        self, request_id: str, model: Model, task: Task, reaper: Reaper, seconds: float = 600
    ) -> Generation:
        """Write the intent and drive it; `seconds` is its deadline."""
        now = utc_now()
        generation = Generation(
            id=request_id,
            tenant="default",
            request_id=request_id,
            request_hash=request_id,
            model=model.id,
            identity=self._parts.backends.identity(model, task, NO_KEYS),
            create_time=now,
            deadline=now + timedelta(seconds=seconds),
        )
        order = Order(request_id=request_id, request_hash=request_id, model=model.id, task=task)
        entry, _ = await self.ledger.open(Entry(generation, order), self.owner)
        self.drive(entry, reaper)
        return generation

    async def take_over(self, reaper: Callable[[str], Reaper] = lambda _: Reaper()) -> int:
        """Drive every row that an earlier life left; returns how many."""
        await self.ledger.heartbeat(self.owner, now=utc_now())
        await self.ledger.succeed("local", self.owner)
        left = await self.ledger.claim(self.owner, dead_before=utc_now() - timedelta(hours=1))
        for entry in left:
            self.drive(entry, reaper(entry.generation.id))
        return len(left)

    def drive(self, entry: Entry, reaper: Reaper) -> None:
        machine = Machine(self._means(reaper), lambda g, e: self.plant.broken.append((g, e)))
        self._machines[entry.generation.id] = machine
        machine.start(entry)

    async def cancel(self, identifier: str) -> None:
        """Cancel as the service does: by the row, then by telling whoever drives it."""
        entry = await self.ledger.load(identifier)
        if entry is None or entry.generation.state.terminal:
            return
        after = entry.generation.cancelled(at=utc_now())
        if not await self.ledger.save(after):
            return
        if identifier in self._machines:
            self._machines[identifier].cancelled(after)
        if after.submissions and await self.ledger.adopt(identifier, self.owner):
            left = await self.ledger.load(identifier)
            assert left is not None
            self.drive(left, Reaper())

    @property
    def busy(self) -> int:
        """How many generations are being driven."""
        return sum(bool(machine.generations()) for machine in self._machines.values())

    async def over(self, seconds: float = 60) -> None:
        """Return when nothing is being driven that could end or die in this life."""
        waiting = {State.UNKNOWN_OUTCOME}
        await until(
            lambda: all(
                generation.state in waiting
                for machine in self._machines.values()
                for generation in machine.generations()
            ),
            seconds,
        )

    async def kill(self) -> None:
        """Let everything go at once, mid-call."""
        await asyncio.gather(*(machine.close(0) for machine in self._machines.values()))

    def _means(self, reaper: Reaper) -> Means:
        ledger, storage = self.ledger, self._parts.storage
        return Means(
            books=Books(ledger=ledger, hub=self._hub, now=utc_now, owner=self.owner),
            catalogue=CATALOGUE,
            backends=self._parts.backends,
            sending=Sending(storage, size_of),
            storing=Storing(storage, CATALOGUE.get, patience=5.0),
            faults=reaper,
            halting=Halting(SqlHalts(self.ledger.database)),
            patience=self.plant.patience,
        )
