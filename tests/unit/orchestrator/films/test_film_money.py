"""What a film says that it cost is what the books say, whatever fails, is billed, and dies."""

import asyncio
import random
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any, cast

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from reelmesh.orchestrator.v1 import film_service_pb2 as pb
from services.common.errors import Unavailable
from services.common.identity import Identity, acting_as
from services.orchestrator.adapters.messages import load_texts
from services.orchestrator.adapters.wire import to_money
from services.orchestrator.domain.films.billing import Bill, booked
from services.orchestrator.domain.films.film import FilmState
from services.orchestrator.domain.films.graph import TaskType
from services.orchestrator.domain.films.shots import Cue
from services.orchestrator.domain.films.strategy import VisualApproach
from services.orchestrator.domain.films.tasks import FilmTask, Piece, TaskState
from services.orchestrator.domain.money.ledger import Charge, charge_of
from services.orchestrator.domain.ports import AssetPort, GenerationView, GeneratorPort
from services.orchestrator.servicers.films import Films, FilmUseCases
from services.orchestrator.usecases.films.command import ReadFilms
from services.orchestrator.usecases.films.create import payer_of_film
from services.orchestrator.usecases.settle import SettleLate
from tests.fakes.film_parts import NOW, MemoryEdits, MemoryFilms, ScriptedWorks, Shelf
from tests.fakes.journal import Crash
from tests.unit.orchestrator.films.films import EndingJobs, Studio, film, shots
from tests.unit.orchestrator.films.test_reuse import PRICED, MortalFilms

COST, CLIP = 3_000, 50_000
NAMED = {"image": "vendor_picture", "audio": "vendor_speech"}
LAUGHING = (Cue(sound="laughing", speaker="Emma"),)


def noisy(count=1):
    """Shots of which each has an effect and a laugh."""
    return shots(count, sound="rain", cues=LAUGHING)


def billed(script=lambda _: "ok"):
    """Everything that is ordered costs the same, whatever comes of it."""
    return ScriptedWorks(script, cost=lambda _: COST)


@pytest.mark.parametrize("part", ["s1.image", "s1.audio", "s1.sound", "music", "captions"])
async def test_what_was_billed_for_nothing_is_among_what_the_film_cost(part):
    works = billed(lambda order: "fail" if f"/{part}/1.1/" in order else "ok")
    studio = Studio.of(film(of=noisy(), providers=NAMED), works=works, models=PRICED)
    made = await studio.make()
    assert made.state is FilmState.SUCCEEDED
    assert made.task(part).cost_micros >= COST
    assert studio.booked() == (CLIP + COST * len(works.begun),) * 2


async def test_a_clip_that_was_billed_for_nothing_is_counted_with_the_one_that_stands_in():
    jobs = EndingJobs(lambda job: "ok" if job.request.model == "storyboard" else "fail")
    studio = Studio.of(film(1), jobs=jobs)
    made = await studio.make()
    assert made.task("s1.animation").pieces[0].placeholder
    assert studio.booked() == (CLIP, CLIP)


async def test_a_clip_that_was_billed_for_nothing_is_counted_with_the_one_from_the_library():
    stock = Piece(asset="assets/stock", sha256="5e", duration_seconds=9.0)
    asked = film(1, approach=VisualApproach.HYBRID_AI_FIRST)
    studio = Studio.of(asked, jobs=EndingJobs(lambda _: "fail"), library=Shelf(picture=stock))
    made = await studio.make()
    assert made.task("s1.animation").pieces == (stock,)
    assert studio.booked() == (CLIP, CLIP)


async def test_an_effect_that_was_paid_for_is_heard_although_the_next_one_failed():
    works = billed(lambda order: "fail" if order.endswith("s1.sound/1.1/1") else "ok")
    studio = Studio.of(film(of=noisy(), music="off", captions="off"), works=works)
    made = await studio.make()
    sound = made.task("s1.sound")
    assert (sound.state, len(sound.pieces), sound.cost_micros) == (TaskState.DEGRADED, 1, 2 * COST)
    assert load_texts().say("en", made.warnings) == ("A part of s1.sound is missing: no",)
    cut = works.begun["f1/composition/1.1/0"].work
    assert [t.asset for t in cut.tracks if t.role == "effect"] == [sound.pieces[0].asset]


async def test_a_film_that_fails_says_what_it_cost():
    works = billed(lambda order: "fail" if "s1.audio" in order else "ok")
    studio = Studio.of(film(1, providers=NAMED), works=works)
    made = await studio.make()
    assert made.state is FilmState.FAILED
    assert made.task("s1.audio").cost_micros == 2 * COST
    cost, charged = studio.booked()
    assert cost == charged >= 2 * COST


@dataclass
class LateVendor:
    """A generator whose failures have cost something by now."""

    cost: int = COST

    async def cancel(self, tenant, request_id):
        return GenerationView(
            name="generations/g",
            state="failed",
            sequence=9,
            model="",
            provider="vendor",
            cost_micros=self.cost,
        )


class NoLinks:
    """Storage that is away."""

    async def links(self, tenant, asset, *, still=True):
        raise Unavailable


def settling(studio):
    return SettleLate(
        jobs=studio.jobs,
        films=studio.films,
        edits=MemoryEdits(),
        ledger=studio.ledger,
        generator=cast(GeneratorPort, LateVendor()),
        now=lambda: NOW,
    )


async def test_late_money_is_counted_in_the_film_once():
    works = ScriptedWorks(lambda order: "fail" if "s1.image" in order else "ok")
    studio = Studio.of(film(1, providers={"image": "vendor_picture"}), works=works)
    made = await studio.make()
    assert studio.booked() == (CLIP, CLIP)
    clip = next(iter(studio.jobs.jobs.values()))
    other = replace(clip.attempts[0], id=f"{clip.attempts[0].id}/other", cost_micros=0)
    await studio.ledger.hold(charge_of(clip, other), COST)
    for _ in range(2):
        await settling(studio)()
    assert studio.booked() == (CLIP + 2 * COST,) * 2
    told = studio.films.films["f1"]
    assert [told.task(f"s1.{kind}").cost_micros for kind in ("image", "animation")] == [
        COST, CLIP + COST,
    ]  # fmt: skip
    assert (told.state, told.progress_percent) == (made.state, 100)


class QuickJobs(EndingJobs):
    """Jobs that say what they have cost before the books do, as late money may find them."""

    async def accept(self, job):
        self.accepted.append(job.request_id)
        self.jobs[job.id] = self._ended(job)
        for tried in self.jobs[job.id].attempts:
            await self.ledger.hold(charge_of(self.jobs[job.id], tried), tried.cost_micros)
        return self.jobs[job.id], False


async def test_an_attempt_is_never_in_the_bill_of_its_job_and_in_one_of_its_own():
    studio = Studio.of(film(1), jobs=QuickJobs())
    await studio.make()
    assert studio.booked() == (CLIP, 0)
    late = settling(studio)
    late.generator = cast(GeneratorPort, LateVendor(cost=CLIP))
    await late()
    assert studio.booked() == (CLIP, CLIP)
    [job] = studio.jobs.jobs
    assert studio.films.films["f1"].task("s1.animation").billed == (job,)


class LostFilms(MemoryFilms):
    """A database that goes away in the middle: the next change of a film is lost."""

    lost = False

    async def change(self, film_id, mutate):
        if self.lost:
            self.lost = False
            raise Unavailable
        return await super().change(film_id, mutate)


async def test_late_money_is_counted_in_the_film_although_a_database_went_away_between():
    studio = Studio.of(film(1, providers={"image": "vendor_picture"}))
    await studio.make()
    films = LostFilms(*studio.films.films.values())
    late = Charge(
        payer=payer_of_film(films.films["f1"], NOW),
        attempt="f1/s1.image/1.9/0",
        model="m",
        provider="vendor",
    )
    await studio.ledger.hold(late, COST)
    before, films.lost = studio.booked(), True
    for _ in range(2):
        await replace(settling(studio), films=films)()
    task = films.films["f1"].task("s1.image")
    assert late.attempt in task.billed
    assert studio.ledger.accounts["acme", late.attempt].settled == COST
    assert films.films["f1"].cost_micros == before[1] + COST
    assert not films.lost


async def test_money_of_a_film_that_is_not_there_is_settled_all_the_same():
    studio = Studio.of(film(1))
    await studio.make()
    gone = replace(payer_of_film(studio.films.films["f1"], NOW), job="gone", film="gone")
    late = Charge(payer=gone, attempt="gone/music/1.1/0", model="m", provider="vendor")
    await studio.ledger.hold(late, COST)
    await settling(studio)()
    assert studio.ledger.accounts["acme", late.attempt].settled == COST


async def test_what_is_told_of_a_film_is_what_the_ledger_says():
    """A bill that came long after the film corrects what it is said to have cost."""
    studio = Studio.of(film(1))
    made = await studio.make()
    nothing: Any = None
    use = FilmUseCases(
        plan=nothing,
        create=nothing,
        read=ReadFilms(films=studio.films, feed=nothing),
        command=nothing,
        assets=cast(AssetPort, NoLinks()),
        ledger=studio.ledger,
    )
    films = Films(use, asyncio.Event())
    with acting_as(Identity(tenant="acme")):
        for bill in (CLIP, 2 * CLIP, 0):
            await studio.ledger.correct("acme", "films/f1/s1.animation/1.1/1/1", bill)
            got = (await films.GetFilm(pb.GetFilmRequest(name="films/f1"), None)).film
            [listed] = (await films.ListFilms(pb.ListFilmsRequest(), None)).films
            assert got.cost == listed.cost == to_money(bill)
        payer = replace(payer_of_film(made, NOW), job="of-a-try-before")
        for try_ in range(2):  # clips of tries that the film no longer names
            served = Charge(payer=payer, attempt=f"old/1/{try_}", model="m", provider="vendor")
            await studio.ledger.save(served, COST)
        got = (await films.GetFilm(pb.GetFilmRequest(name="films/f1"), None)).film
        assert got.savings == to_money(2 * COST)


def test_a_bill_is_counted_once_and_one_of_nothing_not_at_all():
    task = FilmTask(id="music", type=TaskType.MUSIC)
    once = booked(task, Bill("f1/music/1.1/0", COST))
    assert booked(once, Bill("f1/music/1.1/0", COST)) is once
    assert booked(once, Bill("f1/music/1.2/0", 0)) is once
    both = booked(once, Bill.served("f1/music/1.1/0", COST))
    assert (both.cost_micros, both.saved_micros) == (COST, COST)


def after(order, other):
    """Whether an order is of a later try of the same part as another."""
    (*_, task, tried, part), (*_, its, before, same) = order.split("/"), other.split("/")
    return (task, part) == (its, same) and int(tried[2:]) > int(before[2:])


OUTCOMES = ["ok", "ok", "fail", "limited", "interrupted"]


@given(seed=st.integers(0, 10**6))
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
async def test_the_film_costs_what_the_books_say_whatever_fails_and_dies(seed):
    dice = random.Random(seed)
    told: dict[str, tuple[str, int]] = {}

    def of(order):
        return told.setdefault(order, (dice.choice(OUTCOMES), dice.choice([0, COST])))

    works = ScriptedWorks(lambda order: of(order)[0], cost=lambda order: of(order)[1])
    jobs = EndingJobs(lambda job: of(f"job {job.request_id}")[0].replace("interrupted", "fail"))
    studio = Studio.of(works=works, jobs=jobs, models=PRICED)
    asked = replace(film(of=noisy(2), providers=NAMED), state=FilmState.QUEUED)
    studio.films = MortalFilms(random.Random(seed), asked)
    while not studio.films.films["f1"].state.terminal:
        with suppress(Crash):
            await studio.make()
    cost, charged = studio.booked()
    assert cost == charged
    paid = sum(of(order)[1] for order in works.begun if "/preview/" not in order)
    clips = sum(CLIP for name in jobs.accepted if "/1.1" in name)
    assert charged == paid + clips, "a stand-in costs nothing, and nothing is paid twice"
    again = [order for order, (outcome, cost) in told.items() if outcome == "interrupted" and cost]
    for order in again:  # what may have been paid for is ordered once, or of what is made here
        later = [name for name in works.begun if after(name, order)]
        assert all(works.begun[name].model.startswith("here_") for name in later)
