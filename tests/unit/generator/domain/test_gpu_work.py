import json

import pytest

from services.common.errors import InvalidArgument
from services.generator.domain.facts import Cost, Failure, Quality, WordTime
from services.generator.domain.gpu_work import (
    Queue,
    Tier,
    Verdict,
    order_from_record,
    order_of,
    order_to_record,
    queue_of,
    served_by,
    tier_of,
    tier_of_card,
    verdict_from_record,
)
from services.generator.domain.media import Media
from services.generator.domain.orders import Hints, Labels, Order, Priority
from services.generator.domain.ports import Work
from services.generator.domain.records import to_record
from services.generator.domain.tasks import VideoTask
from services.generator.domain.vram import GIB, Device
from services.generator.domain.workers import Fleet, WorkerReport, WorkerState
from tests.fakes.generator_parts import START, Clock, entry, paid_model


@pytest.mark.parametrize(
    ("reported_gib", "tier"),
    [
        (139.8, Tier.CINEMA),  # H200
        (79.6, Tier.CINEMA),  # H100, A100-80
        (47.5, Tier.BALANCED),  # A6000
        (39.4, Tier.BALANCED),  # A100-40
        (23.6, Tier.FAST),  # 4090
        (15.7, Tier.FAST),
    ],
)
def test_a_card_belongs_to_the_class_that_it_is_sold_as(reported_gib: float, tier: Tier) -> None:
    card = Device(kind="cuda", total_bytes=int(reported_gib * GIB))
    assert tier_of_card(card) is tier


def test_the_processor_is_a_class_of_its_own() -> None:
    assert tier_of_card(Device(total_bytes=512 * GIB)) is Tier.CPU


@pytest.mark.parametrize(
    ("needed", "tier"),
    [
        (None, Tier.FAST),
        (12, Tier.FAST),
        (23.5, Tier.BALANCED),
        (37.2, Tier.BALANCED),
        (45.4, Tier.CINEMA),
        (65, Tier.CINEMA),
    ],
)
def test_a_model_waits_for_the_smallest_card_that_is_sure_to_hold_it(
    needed: float | None, tier: Tier
) -> None:
    assert tier_of(needed) is tier
    assert queue_of(paid_model(vram_gib=needed), Priority.BATCH) == Queue(
        "paid", tier, Priority.BATCH
    )


def test_a_card_serves_its_own_class_first_and_smaller_ones_after() -> None:
    assert served_by(Tier.CINEMA) == (Tier.CINEMA, Tier.BALANCED, Tier.FAST, Tier.CPU)
    assert served_by(Tier.FAST) == (Tier.FAST, Tier.CPU)


def test_an_order_comes_back_from_the_wire_as_it_was() -> None:
    task = VideoTask(
        prompt="a goat", seed=2**62, image=Media(data=b"\x89PNG"), options={"local": {"steps": 4}}
    )
    order = Order(
        request_id="r",
        request_hash="h",
        model="ltx_video",
        task=task,
        hints=Hints(mood="calm"),
        labels=Labels(job="videoJobs/1", iteration=2, characters=("goat",)),
        priority=Priority.BATCH,
    )
    row = entry("g1").generation
    work = Work(
        id="g1", tenant="acme", model=paid_model(), identity=row.identity, task=task, order=order
    )
    told = order_of(work)
    assert order_from_record(json.loads(json.dumps(order_to_record(told)))) == told
    assert told.work(paid_model()).task == task
    described = told.entry(START).generation
    assert (described.name, described.tenant) == ("generations/g1", "acme")


def test_a_verdict_comes_back_from_the_wire_as_it_was() -> None:
    verdict = Verdict(
        asset="assets/1",
        cost=Cost(micros=83_000, source="measured"),
        seed=2**62,
        warnings=("snapped",),
        words=(WordTime(text="a", start_seconds=0, end_seconds=1),),
        quality=Quality(score=0.5),
        method="cuda bfloat16",
    )
    assert verdict_from_record(json.loads(json.dumps(to_record(verdict)))) == verdict
    lost = Verdict(failure=Failure(reason="NO_DEVICE", message="no", metadata={"needed": "1"}))
    assert verdict_from_record(json.loads(json.dumps(to_record(lost)))) == lost


@pytest.mark.parametrize("both", [True, False])
def test_a_verdict_says_one_thing(both: bool) -> None:
    failure = Failure(reason="INTERNAL", message="x")
    with pytest.raises(InvalidArgument, match="either an asset or a failure"):
        Verdict(asset="assets/1", failure=failure) if both else Verdict()


def report(**kwargs: object) -> WorkerReport:
    values: dict[str, object] = {
        "name": "w1",
        "state": WorkerState.READY,
        "tier": Tier.BALANCED,
        "engines": ("paid",),
        **kwargs,
    }
    return WorkerReport(**values)  # type: ignore[arg-type]  # fields by name


@pytest.mark.parametrize(
    ("said", "needed", "serves"),
    [
        ({}, 37.2, True),
        ({"state": WorkerState.BUSY}, 37.2, True),
        ({}, 65, False),
        ({"tier": Tier.CINEMA}, 12, True),
        ({"engines": ("other",)}, 12, False),
        *[
            ({"state": state}, 12, False)
            for state in (
                WorkerState.STARTING,
                WorkerState.SETUP_FAILED,
                WorkerState.UNHEALTHY,
                WorkerState.DRAINING,
            )
        ],
    ],
)
def test_a_model_is_served_by_a_worker_that_has_it_has_the_room_and_is_well(
    said: dict[str, object], needed: float, serves: bool
) -> None:
    fleet = Fleet(Clock())
    fleet.hear(report(**said))
    assert fleet.serves(paid_model(vram_gib=needed)) is serves


def test_who_is_silent_is_gone_and_who_says_good_bye_is_gone_at_once() -> None:
    clock = Clock()
    fleet = Fleet(clock, believed=10)
    fleet.hear(report())
    fleet.hear(report(name="w2"))
    fleet.leave("w2")
    assert [worker.name for worker in fleet.workers] == ["w1"]
    clock.advance(seconds=10)
    fleet.hear(report(name="w3"))
    assert [worker.name for worker in fleet.workers] == ["w1", "w3"]
    clock.advance(seconds=1)
    assert [worker.name for worker in fleet.workers] == ["w3"]
