from datetime import timedelta

import pytest

from services.common.errors import PermissionDenied, Unavailable, UnknownOutcome
from services.generator.domain.addresses import CallbackAddresses
from services.generator.domain.callbacks import Callback
from services.generator.domain.facts import Failure
from services.generator.domain.generation import State
from services.generator.domain.ports import Entry
from services.generator.usecases.reception import CALLED, Reception
from tests.fakes.generator_parts import START, OneBackend, entry
from tests.fakes.waiting import until

ADDRESSES = CallbackAddresses("https://video.example", "a secret of the whole suite")
TOKEN = ADDRESSES.of("vendor", "g1").rpartition("/")[2]


def reception(plant, woken: list[str]) -> Reception:
    return Reception(
        ledger=plant.ledger,
        backends=OneBackend(plant.backend),
        addresses=ADDRESSES,
        wake=woken.extend,
        now=plant.clock,
    )


async def running(plant, job: str = "job-1") -> Entry:
    opened: Entry = (await plant.ledger.open(entry(), "local/1"))[0]
    sent = opened.generation.submitting(START)
    await plant.ledger.save(sent)
    if job:
        await plant.ledger.save(sent.accepted(job, job, at=START))
    return opened


async def test_a_callback_wakes_its_generation_once(plant) -> None:
    woken: list[str] = []
    await running(plant)
    plant.backend.heard = Callback(message="m1", job="job-1")
    for _ in range(3):
        assert await reception(plant, woken).receive("vendor", TOKEN, {}, b"") == ""
    assert woken == ["g1"]
    plant.backend.heard = Callback(message="m2", job="job-1")
    await reception(plant, woken).receive("vendor", TOKEN, {}, b"")
    assert woken == ["g1", "g1"]


async def test_a_challenge_is_answered_and_changes_nothing(plant) -> None:
    woken: list[str] = []
    await running(plant)
    plant.backend.heard = Callback(message="m1", challenge="word")
    assert await reception(plant, woken).receive("vendor", TOKEN, {}, b"") == "word"
    assert (woken, plant.ledger.callbacks) == ([], {})


@pytest.mark.parametrize("token", ["", "g1", "g1.made-up", "g2" + TOKEN[2:]])
async def test_a_token_that_is_not_ours_is_refused_before_anything_is_read(plant, token) -> None:
    plant.backend.heard = Callback(message="m1")
    await running(plant)
    with pytest.raises(PermissionDenied):
        await reception(plant, []).receive("vendor", token, {}, b"")


async def test_a_callback_about_another_job_or_a_forged_one_is_refused(plant) -> None:
    await running(plant)
    plant.backend.heard = Callback(message="m1", job="job-2")
    for _ in range(2):
        with pytest.raises(PermissionDenied):
            await reception(plant, []).receive("vendor", TOKEN, {}, b"")
        plant.backend.heard = None
    assert plant.ledger.callbacks == {}


async def test_a_callback_for_what_does_not_exist_is_refused(plant) -> None:
    with pytest.raises(PermissionDenied):
        await reception(plant, []).receive("vendor", TOKEN, {}, b"")


async def test_what_has_ended_is_left_alone(plant) -> None:
    woken: list[str] = []
    opened = await running(plant)
    present = await plant.present(opened)
    await plant.ledger.save(present.failed(Failure.of(Unavailable("no")), at=START))
    plant.backend.heard = Callback(message="m1", job="job-1")
    assert await reception(plant, woken).receive("vendor", TOKEN, {}, b"") == ""
    assert (woken, plant.ledger.callbacks) == ([], {})


async def test_a_lost_answer_is_found_by_the_job_that_the_vendor_names(plant) -> None:
    opened, _ = await plant.ledger.open(entry(), "local/1")
    plant.backend.answers = [UnknownOutcome("lost")]
    machine = plant.machine()
    machine.start(opened)
    try:
        await until(lambda: plant.ledger.history[-1].state is State.UNKNOWN_OUTCOME)
        plant.backend.heard = Callback(message="m1", job="job-9")
        here = Reception(
            ledger=plant.ledger,
            backends=OneBackend(plant.backend),
            addresses=ADDRESSES,
            wake=machine.wake,
            now=plant.clock,
        )
        await here.receive("vendor", TOKEN, {}, b"")
        await until(lambda: plant.ledger.history[-1].state is State.SUCCEEDED)
    finally:
        await machine.close(0)
    assert plant.ledger.history[-1].provider_job_id == "job-9"
    assert len(plant.backend.submitted) == 1


async def test_a_callback_after_the_deadline_hands_the_row_to_whoever_comes(plant) -> None:
    opened = await running(plant, job="")
    present = await plant.present(opened)
    await plant.ledger.save(present.unknown(Failure.of(UnknownOutcome("lost"))), release=True)
    plant.clock.advance(hours=5)
    plant.backend.heard = Callback(message="m1", job="job-9")
    await reception(plant, []).receive("vendor", TOKEN, {}, b"")
    assert plant.ledger.owners["g1"] == CALLED
    [taken] = await plant.ledger.claim("me/1", dead_before=plant.clock() - timedelta(seconds=6))
    done = await plant.resume(taken)
    assert (done.state, done.provider_job_id) == (State.SUCCEEDED, "job-9")
    assert plant.backend.submitted == []
