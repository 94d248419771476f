"""Cells of the fault matrix: a vendor, what goes wrong at it, where the generator dies, and what
must be true afterwards whatever happened.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta

from services.common.database import Database
from services.common.errors import Aborted, AlreadyEnded
from services.generator.domain.bill import Charge as Billed
from services.generator.domain.bill import Period, Verdict
from services.generator.domain.generation import Generation, State
from services.generator.domain.limits import validate_request
from services.generator.domain.models import Lifecycle, Model, Need
from services.generator.domain.pricing import estimate_micros
from services.generator.domain.steps import Step
from services.generator.domain.tasks import (
    ImageTask,
    MusicTask,
    Operation,
    SoundTask,
    SpeechTask,
    Task,
    VideoTask,
)
from services.generator.ledger import SqlHalts, SqlLedger
from services.generator.providers import adapters
from services.generator.providers.adapter import Adapter
from services.generator.usecases.billing import Billing
from services.generator.usecases.reconciliation import Reconciliation
from services.suite.simulator.faults import WEBHOOK, Fault
from services.suite.simulator.jobs import Phase, view
from services.suite.simulator.settings import PROJECT
from services.suite.simulator.vendors import VENDORS
from services.suite.simulator.world import Charge, World
from tests.fakes.mortal_generator import CATALOGUE, Life, Reaper
from tests.fakes.waiting import until

# The simulator's name of the vendor behind a provider, where it is another one.
BEHIND = {
    "pika": "fal",
    "openai_images": "openai",
    "openai_speech": "openai",
    "huggingface": "huggingface_fal",
}
# What never ends by itself: the deadline ends it.
ENDLESS = {Fault.NEVER_FINISHES, Fault.STALLS_AT_99, Fault.JOB_LOST}
SPOILT = {
    Fault.WRONG_FILE,
    Fault.TRUNCATED_FILE,
    Fault.REDIRECT_PRIVATE,
    Fault.JOB_LOST,
    Fault.EMPTY_SUCCESS,
    Fault.HIDDEN_FAILURE,
}
_FAULTS = {kind.name: kind.faults for kind in VENDORS}


def _models() -> dict[str, Model]:
    """A model of every vendor that is asked in words: those with a known price first."""
    found: dict[str, Model] = {}
    hosted = [
        model
        for model in CATALOGUE
        if model.provider in adapters()
        and model.lifecycle is not Lifecycle.RETIRED
        and model.inputs.text is not Need.NONE
        and Need.REQUIRED not in {model.inputs.image, model.inputs.video}
        and (model.provider != "huggingface" or model.operation is Operation.VIDEO)
    ]
    for model in sorted(hosted, key=lambda one: price_of(one, task_of(one, "x")) is None):
        found.setdefault(model.provider, model)
    return found


def task_of(model: Model, words: str) -> Task:
    """The plainest task that the model takes."""
    kinds: dict[Operation, Task] = {
        Operation.VIDEO: VideoTask(prompt=words),
        Operation.IMAGE: ImageTask(prompt=words),
        Operation.SPEECH: SpeechTask(text=words),
        Operation.MUSIC: MusicTask(prompt=words),
        Operation.SOUND: SoundTask(prompt=words),
    }
    return validate_request(model, kinds[model.operation]).task


def price_of(model: Model, task: Task) -> int | None:
    """What the catalogue says."""
    return estimate_micros(model, task)


MODELS = _models()


@dataclass(frozen=True)
class Cell:
    """One generation's fate. `point` None lets it live; a word that is no step kills otherwise."""

    provider: str
    fault: Fault | None
    point: str | None
    number: int = 0

    def __str__(self) -> str:
        told = f"{self.provider}-{self.fault or 'fine'}-{self.point or 'alive'}"
        return f"{told}-{self.number}" if self.number else told

    @property
    def words(self) -> str:
        """A prompt that the simulator obeys, unlike any other cell's."""
        return f"A dhow, {self}" + (f" [[sim:{self.fault}]]" if self.fault else "")

    async def begin(self, life: Life, nth: int = 1) -> None:
        """Order it; it dies the `nth` time that it comes to its point."""
        model, point = MODELS[self.provider], None if self.point is None else Step(self.point)
        seconds = 1.5 if self.fault in ENDLESS else 600.0
        await life.begin(
            str(self), model, task_of(model, self.words), Reaper(point, nth), seconds=seconds
        )


def cells(
    providers: Iterable[str],
    points: Sequence[str | None] = (None, *Step),
    *,
    webhooks: bool = False,
) -> list[Cell]:
    """Every fault that each vendor can show, none too, at every point; `webhooks` adds theirs."""
    left_out = frozenset[Fault]() if webhooks else WEBHOOK
    return [
        Cell(provider, fault, point)
        for provider in providers
        for fault in (None, *sorted(_FAULTS[BEHIND.get(provider, provider)] - left_out))
        for point in points
    ]


async def settled(life: Life, names: Sequence[str], seconds: float = 180) -> dict[str, Generation]:
    """The rows once each has ended for good, or is of unknown outcome and stays so."""
    found: dict[str, Generation] = {}

    async def read() -> bool:
        for name in names:
            if name in found:
                continue
            entry = await life.ledger.load(name)
            assert entry is not None
            here = entry.generation
            looked_up = here.identity.provider in {"kling", "kling_legacy"}
            owned = await life.ledger.owned(name)
            # Past its deadline nobody looks any more, whatever vendor it is.
            unknown = here.state is State.UNKNOWN_OUTCOME and not (looked_up and owned)
            if unknown or (here.state.terminal and not owned):
                found[name] = here
        return len(found) == len(names)

    try:
        await until(read, seconds)
    except TimeoutError:
        rows = [await life.ledger.load(name) for name in names if name not in found]
        raise AssertionError(
            [row and (row.generation.id, row.generation) for row in rows]
        ) from None
    return found


async def play_the_operator(ledger: SqlLedger, world: World, rows: Mapping[str, Generation]) -> int:
    """Settle each unknown outcome by what the vendor's dashboard shows; returns how many.

    A vendor's list is asked all the while, so that some are found before the operator comes.
    """
    bill, office = charges_of(world), Reconciliation(ledger, now=world.now)
    unknown = [name for name, row in rows.items() if row.state is State.UNKNOWN_OUTCOME]
    found = 0
    for name in unknown:
        try:
            if name in bill:
                await office.found(rows[name].id, vendor_job(rows[name], bill[name][0]))
            else:
                await office.never_arrived(rows[name].id)
        except (AlreadyEnded, Aborted):
            entry = await ledger.load(name)
            assert entry is not None
            assert entry.generation.state is not State.UNKNOWN_OUTCOME
            found += 1
    return len(unknown) - found


async def read_the_bill(ledger: SqlLedger, database: Database, world: World) -> frozenset[str]:
    """Hold everything against the whole bill, vendor by vendor, as an operator does once a day.

    Returns the generations of which even the bill cannot tell: calls without a job of their own at
    a vendor that charged for some of them.
    """
    undecided: set[str] = set()
    billing = Billing(ledger, SqlHalts(database), now=world.now)
    now = world.now()
    period = Period(start=now - timedelta(days=1), end=now + timedelta(days=1), whole=True)
    kinds = {kind.name: kind(world) for kind in VENDORS}
    for vendor in {BEHIND.get(provider, provider) for provider in MODELS}:
        providers = [one for one in MODELS if BEHIND.get(one, one) == vendor]
        charges = [
            Billed(
                job=charge.job.id,
                micros=0 if kinds[vendor].refunds(charge.job, now) else charge.amount_micros,
                time=charge.time,
                reference=charge.idempotency_key,
            )
            for charge in world.charges
            if charge.job.vendor == vendor
        ]
        found = await billing.reckon(providers, charges, period)
        assert not found.halted, found.halted
        if found.counts().get(Verdict.AMBIGUOUS):
            for provider in providers:
                sent = await ledger.sent(provider, period.start, period.end)
                undecided |= {one.id for one in sent if not one.provider_job_id}
    return frozenset(undecided)


def vendor_job(row: Generation, charge: Charge) -> str:
    """What an operator types: the id that the dashboard shows, Google's with its path."""
    if row.identity.provider != "vertex":
        return charge.job.id
    model = f"publishers/google/models/{row.identity.vendor_model}"
    return f"projects/{PROJECT}/locations/us-central1/{model}/operations/{charge.job.id}"


def charges_of(world: World) -> dict[str, list[Charge]]:
    """The bill by the cell that a charge is for, told from the prompt."""
    found: dict[str, list[Charge]] = {}
    for charge in world.charges:
        name = charge.job.order.prompt.removeprefix("A dhow, ").partition(" [[")[0]
        found.setdefault(name, []).append(charge)
    return found


_COUNTS = (
    "generations",
    "charges",
    "double_charges",
    "lost_clips",
    "lost_in_answers",
    "unknown",
    "unequal",
    "undecided",
    "clips",
)


@dataclass
class Audit:
    """What the bill, the ledger and the ends of many generations say together."""

    world: World
    ends: Counter[str]
    faults: list[str]
    generations: int = 0
    charges: int = 0
    double_charges: int = 0
    lost_clips: int = 0
    lost_in_answers: int = 0
    unknown: int = 0
    unequal: int = 0
    undecided: int = 0
    clips: int = 0
    untold: frozenset[str] = frozenset()

    @classmethod
    def of(
        cls,
        world: World,
        rows: dict[str, Generation],
        ends: Counter[str],
        untold: frozenset[str] = frozenset(),
    ) -> "Audit":
        """Hold every row against the bill; of the `untold` the bill itself cannot tell."""
        audit = cls(world, ends, [], untold=untold)
        bill = charges_of(world)
        for name, row in rows.items():
            audit.look(name, row, bill.get(name, []))
        return audit

    def __add__(self, other: "Audit") -> "Audit":
        """Return both together."""
        counts = {name: getattr(self, name) + getattr(other, name) for name in _COUNTS}
        return replace(self, faults=self.faults + other.faults, **counts)

    def look(self, name: str, row: Generation, charges: Sequence[Charge]) -> None:
        """Count one generation, and say what is wrong with it."""
        self.generations += 1
        self.charges += len(charges)
        self.clips += bool(row.asset)
        if len(charges) > 1:
            self.double_charges += 1
            self.faults.append(f"{name}: charged {len(charges)} times")
        if row.state is State.UNKNOWN_OUTCOME:
            self.unknown += 1
            return
        if self.ends[name] != 1:
            self.faults.append(f"{name}: ended {self.ends[name]} times")
        if any(self.delivers(charge) for charge in charges) and not row.asset:
            self._lost(name, row)
        self._money(name, row, charges)

    def _lost(self, name: str, row: Generation) -> None:
        """Blame us, unless nobody could have it.

        The lost answer of a vendor without jobs held the result itself; and who cancels while the
        outcome is unknown gives up a clip that the vendor cannot be asked for.
        """
        at_once = adapters()[row.identity.provider].poll is Adapter.poll
        told = row.failure is not None and "answer" in row.failure.message
        if (at_once and told) or (row.state is State.CANCELLED and not row.job):
            self.lost_in_answers += 1
            return
        self.lost_clips += 1
        self.faults.append(f"{name}: {row.state}, the clip is lost: {row.failure}")

    def _money(self, name: str, row: Generation, charges: Sequence[Charge]) -> None:
        owed, kept = self.owed(charges), row.cost.micros if row.cost else 0
        if row.cost is None and owed and self._unpriced(row):
            return
        if kept > owed and row.id in self.untold:
            self.undecided += 1  # the cautious figure stays
        elif owed != kept:
            self.unequal += 1
            self.faults.append(f"{name}: {row.state}, ledger {kept}, bill {owed}: {row.failure}")

    def _unpriced(self, row: Generation) -> bool:
        model = CATALOGUE.get(row.model)
        return price_of(model, task_of(model, "x")) is None

    def owed(self, charges: Sequence[Charge]) -> int:
        """What the vendor takes in the end."""
        now = self.world.now()
        kinds = {kind.name: kind(self.world) for kind in VENDORS}
        return sum(
            charge.amount_micros
            for charge in charges
            if not kinds[charge.job.vendor].refunds(charge.job, now)
        )

    def delivers(self, charge: Charge) -> bool:
        """Whether the vendor has a whole clip for what it charged."""
        job = charge.job
        whole = not any(job.has(fault) for fault in SPOILT)
        return whole and view(job, self.world.now()).phase is Phase.SUCCEEDED

    def __str__(self) -> str:
        return (
            f"{self.generations} generations, {self.charges} charges, {self.clips} clips: "
            f"{self.double_charges} double charges, {self.lost_clips} lost clips, "
            f"{self.unequal} ledger rows unlike the bill, {self.undecided} taken for billed where "
            f"the bill names no job, {self.unknown} unknown outcomes settled "
            f"by an operator, {self.lost_in_answers} results in answers that never came"
        )
