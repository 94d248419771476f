import asyncio
from dataclasses import replace

import pytest

from services.common.errors import (
    BudgetExceeded,
    FailedPrecondition,
    InvalidArgument,
    NoCredentials,
    NotFound,
    RequestConflict,
    Unavailable,
    UnknownOutcome,
)
from services.generator.domain.catalogue import Catalogue, Surroundings
from services.generator.domain.facts import Cost, Failure, Progress
from services.generator.domain.generation import Generation, State
from services.generator.domain.models import Price, PriceKind
from services.generator.domain.ports import Entry
from services.generator.domain.tasks import VideoTask
from services.generator.usecases.admission import Admission
from services.generator.usecases.drive import Drive
from services.generator.usecases.generations import Generations, Limits
from tests.fakes.generator_parts import START, OneBackend, no_keys, order, paid_model

OWNER = "local/1"


class Desk:
    """The use cases on the plant's parts; `world` can be changed between calls."""

    def __init__(self, plant, *, hub=None) -> None:
        self.world = Surroundings(now=START, configured=frozenset({"VENDOR_KEY"}))
        self.started: list[Entry] = []
        self.told: list[Generation] = []
        self.model = paid_model(credentials=(("VENDOR_KEY",),))
        self._ids = iter(f"g{number}" for number in range(1, 99))
        admission = Admission(Catalogue([self.model]), lambda own: self.world)
        self.use = Generations(
            ledger=plant.ledger,
            admission=admission,
            backends=OneBackend(plant.backend),
            hub=hub or plant.hub,
            owner=OWNER,
            start=self.started.append,
            cancelled=self.told.append,
            now=plant.clock,
            new_id=lambda: next(self._ids),
            limits=Limits(watch_poll_seconds=0.02),
            own_keys=no_keys,
        )


@pytest.fixture
def desk(plant) -> Desk:
    return Desk(plant)


async def test_the_intent_is_written_before_anything_starts(desk, plant) -> None:
    made = await desk.use.create("acme", order())
    assert plant.ledger.history == [made]
    assert [entry.generation for entry in desk.started] == [made]
    assert (made.identity.credential, made.submissions) == ("VENDOR_KEY", 0)


async def test_a_repeated_request_starts_nothing(desk) -> None:
    first = await desk.use.create("acme", order())
    assert await desk.use.create("acme", order()) == first
    assert len(desk.started) == 1


async def test_what_was_accepted_stays_accepted_when_the_key_is_gone(desk) -> None:
    first = await desk.use.create("acme", order())
    desk.world = replace(desk.world, configured=frozenset())
    assert await desk.use.create("acme", order()) == first
    with pytest.raises(NoCredentials) as caught:
        await desk.use.create("acme", order("r2"))
    assert caught.value.metadata["missing"] == "VENDOR_KEY"


async def test_another_body_is_a_conflict_and_a_bad_one_is_told_as_bad(desk) -> None:
    await desk.use.create("acme", order())
    with pytest.raises(RequestConflict):
        await desk.use.create("acme", order(digest="other"))
    with pytest.raises(InvalidArgument):
        await desk.use.create("acme", order("r" * 201))


async def test_a_resting_vendor_is_unavailable(desk, plant) -> None:
    desk.world = replace(desk.world, open_circuits=frozenset({"vendor"}))
    with pytest.raises(Unavailable):
        await desk.use.create("acme", order())
    assert plant.ledger.history == []


async def test_a_limit_on_an_unknown_price_cannot_be_promised(plant) -> None:
    desk = Desk(plant)
    unknown = replace(desk.model, price=Price(PriceKind.UNKNOWN))
    desk.use._admission.catalogue = Catalogue([unknown])
    with pytest.raises(FailedPrecondition, match="unknown"):
        await desk.use.create("acme", order(max_price_micros=1))


async def test_a_limit_below_the_price_is_refused(desk) -> None:
    with pytest.raises(BudgetExceeded, match=r"0\.250000"):
        await desk.use.create("acme", order(max_price_micros=249_999))
    await desk.use.create("acme", order(max_price_micros=250_000))


async def test_another_tenant_finds_nothing(desk) -> None:
    made = await desk.use.create("acme", order())
    for call in (
        desk.use.get("globex", made.id),
        desk.use.cancel("globex", made.id),
        anext(desk.use.watch("globex", made.id)),
    ):
        with pytest.raises(NotFound):
            await call
    assert (await desk.use.cancel_request("globex", "r1")).generation is None
    assert (await desk.use.get("acme", made.id)).state is State.PENDING


async def test_a_cancel_is_written_told_and_final(desk, plant) -> None:
    made = await desk.use.create("acme", order())
    running = made.submitting(START)
    await plant.ledger.save(running)
    done = await desk.use.cancel("acme", made.id)
    assert done.generation.state is State.CANCELLED
    assert done.still_billed == "vendor bills it"
    assert done.generation.warnings == ("vendor bills it",)
    assert desk.told == [done.generation]
    again = await desk.use.cancel("acme", made.id)
    assert (again.generation, again.still_billed) == (done.generation, "")


async def test_a_cancel_before_sending_costs_nothing(desk) -> None:
    made = await desk.use.create("acme", order())
    assert (await desk.use.cancel("acme", made.id)).still_billed == ""


async def test_a_watch_begins_with_the_present_and_ends_with_the_end(desk, plant) -> None:
    made = await desk.use.create("acme", order())
    seen = []

    async def watch() -> None:
        async for generation in desk.use.watch("acme", made.id):
            seen.append(generation)

    task = asyncio.create_task(watch())
    await asyncio.sleep(0.01)
    plant.hub.begin(made)
    present = made
    for after in (made.submitting(START), made.submitting(START).cancelled(at=START)):
        present = after
        await plant.ledger.save(after)
        plant.hub.publish(after)
        await asyncio.sleep(0.01)
    await task
    assert [generation.sequence for generation in seen] == [1, 2, 3]
    assert seen[-1] == present


async def test_a_watch_sees_what_another_replica_drives(desk, plant) -> None:
    made = await desk.use.create("acme", order())
    task = asyncio.create_task(anext(desk.use.watch("acme", made.id, after_sequence=1)))
    await asyncio.sleep(0.05)
    await plant.ledger.save(made.submitting(START))
    async with asyncio.timeout(30):
        assert (await task).state is State.SUBMITTING


async def test_a_slow_watcher_is_told_the_newest_alone(desk, plant) -> None:
    made = await desk.use.create("acme", order())
    watch = desk.use.watch("acme", made.id)
    assert (await anext(watch)).sequence == 1
    plant.hub.begin(made)
    present = made.accepted("j", "", at=START)
    for percent in range(1, 50):
        present = present.progressed(Progress(percent=percent))
        plant.hub.publish(present)
    assert (await anext(watch)) == present
    await watch.aclose()
    assert not plant.hub._watchers


async def test_watches_end_when_draining(desk, plant) -> None:
    made = await desk.use.create("acme", order())
    watch = desk.use.watch("acme", made.id)
    await anext(watch)
    plant.hub.drain()
    with pytest.raises(StopAsyncIteration):
        await anext(watch)


async def test_an_order_is_kept_as_the_model_takes_it(desk) -> None:
    await desk.use.create("acme", order(task=VideoTask(prompt="x", duration_seconds=5)))
    assert desk.started[0].order.task.prompt == "x"


async def test_an_unknown_outcome_that_nobody_drives_is_wound_up_when_it_is_cancelled(
    desk, plant
) -> None:
    """Past its deadline nobody looks any more; what it may have cost is still to be told."""
    made = await desk.use.create("acme", order())
    unknown = made.submitting(START).unknown(Failure.of(UnknownOutcome("lost")))
    plant.ledger.rows[made.id] = Entry(unknown, order())
    await plant.ledger.release(made.id, OWNER)
    await desk.use.cancel("acme", made.id)
    assert [entry.generation.state for entry in desk.started] == [State.PENDING, State.CANCELLED]
    plant.clock.advance(hours=2)
    await Drive(desk.started[-1], plant.means()).run()
    done = await desk.use.get("acme", made.id)
    assert done.cost == Cost(micros=250_000, source="catalogue")
    assert plant.ledger.owners[made.id] == ""
