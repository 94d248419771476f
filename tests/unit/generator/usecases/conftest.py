from dataclasses import dataclass, field

import pytest

from services.generator.adapters.picture_size import size_of
from services.generator.domain.catalogue import Catalogue
from services.generator.domain.generation import Generation
from services.generator.domain.models import Model
from services.generator.domain.ports import Entry
from services.generator.usecases.drive import Drive
from services.generator.usecases.halting import Halting
from services.generator.usecases.hub import Hub
from services.generator.usecases.machine import Machine
from services.generator.usecases.means import Means
from services.generator.usecases.patience import Patience
from services.generator.usecases.row import Books
from services.generator.usecases.sending import Sending
from services.generator.usecases.storing import Storing
from tests.fakes.generator_parts import (
    Clock,
    MemoryHalts,
    MemoryLedger,
    MemoryStorage,
    OneBackend,
    ScriptedBackend,
    Steps,
    paid_model,
)

OWNER = "local/1"


@dataclass
class Plant:
    """One generator without a network: change a part before driving."""

    ledger: MemoryLedger = field(default_factory=MemoryLedger)
    storage: MemoryStorage = field(default_factory=MemoryStorage)
    backend: ScriptedBackend = field(default_factory=ScriptedBackend)
    clock: Clock = field(default_factory=Clock)
    hub: Hub = field(default_factory=Hub)
    halts: MemoryHalts = field(default_factory=MemoryHalts)
    steps: Steps = field(default_factory=Steps)
    model: Model = field(default_factory=paid_model)
    patience: float = 5.0
    maximum: int = 0
    waits: Patience = field(default_factory=lambda: Patience(queue=5.0, second_looks=()))
    broken: list[BaseException] = field(default_factory=list)

    def means(self) -> Means:
        catalogue = Catalogue([self.model])
        return Means(
            books=Books(ledger=self.ledger, hub=self.hub, now=self.clock, owner=OWNER),
            catalogue=catalogue,
            backends=OneBackend(self.backend, self.maximum),
            sending=Sending(self.storage, size_of),
            storing=Storing(self.storage, catalogue.get, patience=self.patience),
            faults=self.steps,
            halting=Halting(self.halts),
            patience=self.waits,
        )

    def machine(self) -> Machine:
        return Machine(self.means(), lambda _, error: self.broken.append(error))

    async def drive(self, entry: Entry) -> Generation:
        """Write the intent, drive it, return what the ledger says."""
        opened, _ = await self.ledger.open(entry, OWNER)
        await Drive(opened, self.means()).run()
        return await self.present(entry)

    async def resume(self, entry: Entry) -> Generation:
        """Drive a row as it stands, as whoever takes it over does."""
        self.ledger.rows[entry.generation.id] = entry
        self.ledger.owners[entry.generation.id] = OWNER
        await Drive(entry, self.means()).run()
        return await self.present(entry)

    async def present(self, entry: Entry) -> Generation:
        loaded = await self.ledger.load(entry.generation.id)
        assert loaded is not None
        return loaded.generation


@pytest.fixture
def plant() -> Plant:
    return Plant()
