"""The flow of a film over its real steps: whatever dies, and wherever, nothing is made twice."""

import asyncio
from contextlib import suppress
from dataclasses import replace

import pytest

from services.common.errors import AlreadyEnded, InvalidArgument, NoModel, Unavailable
from services.orchestrator.adapters.messages import load_texts
from services.orchestrator.domain.films.film import FilmState
from services.orchestrator.domain.films.graph import TaskType
from services.orchestrator.domain.films.shots import Line, Shot
from services.orchestrator.domain.films.strategy import VisualApproach
from services.orchestrator.domain.films.tasks import Piece, TaskState
from services.orchestrator.domain.money.scopes import Scope, ScopeKind
from tests.fakes.film_parts import ScriptedWorks, Shelf
from tests.fakes.journal import Crash, Journal
from tests.unit.orchestrator.films.films import EndingJobs, Studio, film, shots

CLIPS = ["films/f1/s1.animation/1.1", "films/f1/s2.animation/1.1", "films/f1/s3.animation/1.1"]


def command(studio):
    return studio.command()


def hashes(made):
    """The hash of every task's product."""
    return {task.id: [piece.sha256 for piece in task.pieces] for task in made.tasks}


def told(film, language="en"):
    """The film's warnings as people read them."""
    return load_texts().say(language, film.warnings)


async def test_every_task_is_made_once_and_the_cut_is_stored():
    studio = Studio.of(film())
    made = await studio.make()
    assert (made.state, made.progress_percent, made.version) == (FilmState.SUCCEEDED, 100, 1)
    assert sorted(studio.jobs.accepted) == CLIPS
    previews = [request for request in studio.works.begun if "/preview/" in request]
    assert len(previews) == 1
    assert sorted(studio.works.begun) == sorted(
        [
            *previews,
            *(f"f1/s{n}.audio/1.1/0" for n in (1, 2, 3)),
            "f1/captions/1.1/0",
            "f1/composition/1.1/0",
            "f1/music/1.1/0",
        ]
    )
    assert made.cuts[0].shots == {f"s{n}": f"sha-{CLIPS[n - 1]}" for n in (1, 2, 3)}
    assert (made.cuts[0].quality, made.warnings) == (1.0, ())


async def test_the_cut_has_every_clip_line_and_the_music_at_its_time():
    studio = Studio.of(film(transition="crossfade"))
    studio.works.spoken = 2.0
    await studio.make()
    work = studio.works.begun["f1/composition/1.1/0"].work
    assert [(c.transition, c.transition_seconds, c.duration) for c in work.clips] == [
        ("cut", 0.0, 2.0), ("crossfade", 0.5, 2.0), ("crossfade", 0.5, 2.0),
    ]  # fmt: skip
    spoken = [track.at for track in work.tracks if track.role == "dialogue"]
    assert spoken == pytest.approx([0.2, 2.45, 4.7])  # each lets the one before it end
    music = [track for track in work.tracks if track.role == "music"]
    assert [(track.loop, track.fade_out) for track in music] == [(True, 1.5)]
    captions = studio.works.begun["f1/captions/1.1/0"].work
    assert [line.start for line in captions.lines] == pytest.approx(spoken)
    assert captions.seconds == 7.0  # 3 x 2 s, less two overlaps, and 2 s for the last words


@pytest.mark.parametrize("seed", range(40))
async def test_a_film_that_dies_again_and_again_is_the_same_film_made_once(seed):
    whole = await Studio.of(film()).make()
    works = ScriptedWorks(cost=lambda order: 0 if "/preview/" in order else 1_000)
    studio, journal, deaths = Studio.of(film(), works=works), Journal(chance=0.12, seed=seed), 0
    while True:
        journal.count = 0  # a replay takes its slots again
        try:
            made = await studio.make(journal=journal)
            break
        except Crash:
            deaths += 1
    assert hashes(made) == hashes(whole)
    assert made.state is FilmState.SUCCEEDED
    assert sorted(studio.jobs.accepted) == CLIPS
    assert all("/1.1/" in r for r in studio.works.begun if "/preview/" not in r)
    assert len(made.cuts) == 1
    assert studio.booked() == (3 * 50_000 + 6 * 1_000,) * 2
    assert studio.history.runs.keys() == {"f1.1"}


async def test_never_more_at_once_than_the_width_says():
    running = most = 0

    class Slow(ScriptedWorks):
        async def create(self, order):
            nonlocal running, most
            running += 1
            most = max(most, running)
            await asyncio.sleep(0)
            running -= 1
            return await super().create(order)

    await Studio.of(film(12, width=2), works=Slow()).make()
    assert most == 2


async def test_a_clip_that_fails_is_a_placeholder_and_the_film_says_so():
    def script(job):
        return "fail" if "picture 2" in job.request.prompt and job.request.model == "auto" else "ok"

    studio = Studio.of(film(), jobs=EndingJobs(script))
    made = await studio.make()
    assert made.state is FilmState.SUCCEEDED
    cut = studio.works.begun["f1/composition/1.1/0"].work
    assert [clip.gain_db for clip in cut.clips] == [0.0, -12.0, 0.0], "it has a chord of its own"
    task = made.task("s2.animation")
    assert (task.state, task.attempt, task.pieces[0].placeholder) == (TaskState.DEGRADED, 2, True)
    assert told(made) == ("s2.animation is a placeholder: its clip could not be made.",)
    assert made.task("s1.animation").state is TaskState.SUCCEEDED


async def test_a_clip_without_even_a_placeholder_is_left_out_of_the_cut():
    jobs = EndingJobs(lambda job: "fail" if "picture 2" in job.request.prompt else "ok")
    studio = Studio.of(film(), jobs=jobs)
    made = await studio.make()
    assert made.state is FilmState.SUCCEEDED
    assert set(made.cuts[0].shots) == {"s1", "s3"}
    assert "s2.animation is missing" in told(made)[0]
    assert told(made)[1] == "The film was cut without s2, which have no clip."
    assert told(made, "sw")[1] == "Filamu imeunganishwa bila s2, ambazo hazina video."
    # Captions are timed anew, because the words have moved.
    assert "f1/composition/1.1/-1" in studio.works.begun


@pytest.mark.parametrize("part", ["music", "captions"])
async def test_what_is_not_critical_may_be_missing(part):
    works = ScriptedWorks(lambda order: "fail" if f"/{part}/" in order else "ok")
    made = await Studio.of(film(), works=works).make()
    assert made.state is FilmState.SUCCEEDED
    assert made.task(part).state is TaskState.DEGRADED
    assert told(made) == (f"{part} is missing: no",)
    assert told(made, "sw") == (f"{part} haipo: modeli haikuweza kuitengeneza",)


async def test_speech_that_fails_is_spoken_here_the_second_time():
    works = ScriptedWorks(lambda order: "fail" if "/1.1/" in order and "audio" in order else "ok")
    studio = Studio.of(film(1, providers={"audio": "vendor_speech"}), works=works)
    made = await studio.make()
    assert made.state is FilmState.SUCCEEDED
    assert studio.works.begun["f1/s1.audio/1.1/0"].model == "vendor_speech"
    assert studio.works.begun["f1/s1.audio/1.2/0"].model == "here_speech"
    assert made.task("s1.audio").state is TaskState.DEGRADED


async def test_speech_that_fails_twice_fails_the_film_and_names_why():
    works = ScriptedWorks(lambda order: "fail" if "s1.audio" in order else "ok")
    studio = Studio.of(film(), works=works)
    made = await studio.make()
    assert (made.state, made.error.reason) == (FilmState.FAILED, "GENERATION_FAILED")
    assert made.task("s1.audio").attempt == 2
    assert made.task("composition").state is TaskState.WAITING
    assert made.progress_percent < 100


async def test_a_cut_that_fails_is_made_with_less_and_only_the_cut():
    works = ScriptedWorks(lambda order: "fail" if "composition/1.1" in order else "ok")
    studio = Studio.of(film(), works=works)
    made = await studio.make()
    assert made.state is FilmState.SUCCEEDED
    reduced = studio.works.begun["f1/composition/1.2/0"].work
    assert {clip.transition for clip in reduced.clips} == {"cut"}
    assert reduced.caption_mode == "attach"
    again, whole = made.task("composition"), film().task("composition")
    assert (whole.needs, again.needs) == (whole.resource_cost, whole.resource_cost / 2)
    assert again.again().needs == whole.needs, "another run begins in full"
    assert sorted(studio.jobs.accepted) == CLIPS
    assert "with plain cuts" in told(made)[0]


async def test_a_failed_film_is_resumed_where_it_failed():
    broken = [True]
    works = ScriptedWorks(lambda order: "fail" if "composition" in order and broken[0] else "ok")
    studio = Studio.of(film(), works=works)
    failed = await studio.make()
    assert failed.state is FilmState.FAILED
    broken[0] = False
    resumed = await command(studio).resume("acme", "films/f1", "r1", approve=False)
    assert (resumed.state, resumed.run, studio.films.ordered) == (FilmState.QUEUED, 2, ["f1.2"])
    made = await studio.make("f1.2")
    assert made.state is FilmState.SUCCEEDED
    assert sorted(studio.jobs.accepted) == CLIPS
    assert [task.attempt for task in made.tasks if task.type is TaskType.AUDIO] == [1, 1, 1]
    again = await command(studio).resume("acme", "films/f1", "r1", approve=False)
    assert again == made


async def test_one_shot_is_made_again_and_the_others_stay_as_they_are():
    studio = Studio.of(film())
    first = await studio.make()
    asked = await command(studio).regenerate(
        "acme", "films/f1", 2, feedback="at night", request_id="r1"
    )
    assert asked.state is FilmState.QUEUED
    second = await studio.make("f1.2")
    before, after = hashes(first), hashes(second)
    changed = {task for task in before if before[task] != after[task]}
    assert changed == {"s2.animation", "composition"}
    assert [cut.version for cut in second.cuts] == [1, 2]
    assert second.cuts[0] == first.cuts[0]
    job = next(j for j in studio.jobs.jobs.values() if "/2.2" in j.request_id)
    assert "at night" in job.request.prompt
    assert job.request.cache.mode == "off"
    same = await command(studio).regenerate(
        "acme", "films/f1", 2, feedback="at night", request_id="r1"
    )
    assert (same, len(studio.films.ordered)) == (second, 1)


async def test_what_cannot_be_resumed_or_remade_is_refused():
    studio = Studio.of(film())
    with pytest.raises(AlreadyEnded):
        await command(studio).regenerate("acme", "films/f1", 1, feedback="", request_id="")
    await studio.make()
    with pytest.raises(AlreadyEnded):
        await command(studio).resume("acme", "films/f1", "", approve=False)
    for number in (0, 4):
        with pytest.raises(InvalidArgument, match="allowed: 1 to 3"):
            await command(studio).regenerate("acme", "films/f1", number, feedback="", request_id="")


async def test_a_film_that_is_cancelled_before_it_began_makes_nothing():
    studio = Studio.of(film())
    await command(studio).cancel("acme", "films/f1")
    made = await studio.make()
    assert (made.state, studio.jobs.accepted, studio.works.begun) == (FilmState.CANCELLED, [], {})


async def test_cancelling_stops_what_runs_and_keeps_what_is_done():
    studio = Studio.of(film(2))

    class Cancelling(EndingJobs):
        async def accept(self, job):
            await command(studio).cancel("acme", "films/f1")
            return await super().accept(job)

    studio.jobs = Cancelling(lambda _: "cancelled")
    made = await studio.make()
    assert made.state is FilmState.CANCELLED
    assert made.cuts == ()
    resumed = await command(studio).resume("acme", "films/f1", "", approve=False)
    studio.jobs = EndingJobs()
    assert (await studio.make(f"f1.{resumed.run}")).state is FilmState.SUCCEEDED


async def test_an_older_run_touches_nothing():
    studio = Studio.of(film())
    await studio.make()
    await command(studio).regenerate("acme", "films/f1", 1, feedback="", request_id="")
    before = studio.films.films["f1"]
    assert await studio.make("f1.1") == before


async def test_money_of_a_film_is_held_settled_and_counted():
    works = ScriptedWorks(cost=lambda order: 1_500 if "audio" in order else 0)
    asked = film(2, of=(), providers={"audio": "vendor_speech"})
    studio = Studio.of(asked, works=works)
    made = await studio.make()
    assert made.cost_micros == 2 * 50_000 + 2 * 1_500
    assert made.task("s1.audio").cost_micros == 1_500
    assert all(order.max_price_micros is not None for order in works.begun.values())
    assert studio.ledger.accounts["acme", "f1/s1.audio/1.1/0"].settled == 1_500


async def test_money_that_is_not_there_degrades_a_clip_and_fails_speech():
    studio = Studio.of(film(1, providers={"audio": "vendor_speech"}))
    studio.ledger.limits["acme", Scope(ScopeKind.FILM, "f1")] = 10
    made = await studio.make()
    assert made.state is FilmState.FAILED
    assert made.error.reason == "BUDGET_EXCEEDED"
    assert made.task("s1.audio").attempt == 1


async def test_a_named_model_that_is_not_there_fails_speech_without_asking_anyone():
    silent = tuple(m for m in Studio.of().models if m.task != "speech")
    made = await Studio.of(film(1), models=silent).make()
    assert (made.state, made.error.reason) == (FilmState.FAILED, NoModel.default_reason)


async def test_the_history_learns_from_every_run():
    studio = Studio.of(film())
    await studio.make()
    strategy, told = studio.history.runs["f1.1"]
    assert (strategy, told.succeeded, told.quality_score) == ("parallel", True, 1.0)


async def test_a_character_keeps_its_voice_over_two_films():
    def talk(number, *names):
        lines = tuple(Line(text=f"I am {name}.", speaker=name) for name in names)
        return Shot(shot_id=f"s{number}", prompt="Two people talk", lines=lines)

    studio = Studio.of(film(of=(talk(1, "Emma", "Otto"), talk(2, "Otto", "Emma"))))
    await studio.make()
    orders = studio.works.begun.values()
    said = {(o.work.text, o.work.voice) for o in orders if hasattr(o.work, "voice")}
    assert len(said) == 2  # each of the two always speaks with the one voice
    assert len({voice for _, voice in said}) == 2
    other = Studio.of(film(of=(talk(1, "Emma"),)), voices=studio.voices)
    await other.make()
    (again,) = {o.work.voice for o in other.works.begun.values() if hasattr(o.work, "voice")}
    assert ("I am Emma.", again) in said


async def test_what_a_restart_of_ours_interrupts_is_made_again_in_full():
    works = ScriptedWorks(
        lambda order: (
            "interrupted" if "composition/1.1" in order or "s1.audio/1.1" in order else "ok"
        )
    )
    studio = Studio.of(film(1), works=works)
    made = await studio.make()
    assert (made.state, made.warnings) == (FilmState.SUCCEEDED, ())
    assert made.task("composition").attempt == 2
    assert not made.task("composition").reduced


@pytest.mark.parametrize("cost", [3_000, None])
@pytest.mark.parametrize("part", ["s1.audio", "s1.image", "s1.sound", "music"])
async def test_what_may_have_been_paid_for_is_never_bought_under_another_id(part, cost):
    """An overdue job that its vendor bills, and a result that storage was away for."""
    works = ScriptedWorks(
        lambda order: "interrupted" if f"/{part}/1.1/" in order else "ok",
        cost=lambda order: cost if f"/{part}/1.1/" in order else 0,
    )
    named = {"audio": "vendor_speech", "image": "vendor_picture"}
    studio = Studio.of(film(of=shots(1, sound="rain"), providers=named), works=works)
    made = await studio.make()
    asked = {name: order.model for name, order in works.begun.items() if f"/{part}/" in name}
    again = {"f1/s1.audio/1.2/0": "here_speech"} if part == "s1.audio" else {}
    assert asked.keys() == {f"f1/{part}/1.1/0", *again}
    assert {asked[name] for name in again} <= {"here_speech"}, "that costs nothing"
    assert made.task(part).state is TaskState.DEGRADED
    assert studio.rests.taken == []


async def test_what_is_interrupted_for_ever_fails_in_the_end():
    works = ScriptedWorks(lambda order: "interrupted" if "audio" in order else "ok")
    studio = Studio.of(film(1), works=works)
    made = await studio.make()
    assert made.state is FilmState.FAILED
    assert made.task("s1.audio").attempt == 2 + 8
    assert studio.rests.taken == [1, 2, 3, 4, 5, 6, 7, 8, 9], "a part that is away is given time"


async def test_a_part_that_is_away_leaves_the_step_to_the_engine():
    class Away:
        async def models(self, _tenant):
            raise Unavailable("the catalogue is away")

    studio = Studio.of(film(1))
    flow = studio.flow()
    await flow.begin("f1.1")
    maker = flow.running.makers[TaskType.MUSIC]
    maker = replace(maker, models=Away())
    running = replace(flow.running, makers={**flow.running.makers, TaskType.MUSIC: maker})
    with pytest.raises(Unavailable):
        await running.task("f1.1", "music")
    assert studio.films.films["f1"].task("music").state is TaskState.RUNNING
    assert await flow.task("f1.1", "music")  # back again, the same try goes on
    assert studio.films.films["f1"].task("music").attempt == 1


STOCK = Piece(
    asset="assets/stock1",
    sha256="5e",
    duration_seconds=9.0,
    model="stock",
    credit="A. Maker, CC-BY",
)


@pytest.mark.parametrize(("approach", "found", "jobs"), [
    ("ai_only", 0, 3),
    ("hybrid_ai_first", 0, 3),
    ("hybrid_stock_first", 1, 2),
])  # fmt: skip
async def test_each_approach_takes_its_sources_in_its_order(approach, found, jobs):
    asked = film(approach=VisualApproach(approach))
    studio = Studio.of(asked, library=Shelf(**{"picture 2": STOCK}))
    made = await studio.make()
    assert made.state is FilmState.SUCCEEDED
    pieces = [made.task(f"s{n}.animation").pieces[0] for n in (1, 2, 3)]
    assert [piece for piece in pieces if piece == STOCK] == [STOCK] * found
    assert len(studio.jobs.accepted) == jobs


async def test_ai_first_falls_back_to_the_library():
    asked = film(approach=VisualApproach.HYBRID_AI_FIRST)
    jobs = EndingJobs(lambda job: "fail" if "picture 2" in job.request.prompt else "ok")
    made = await Studio.of(asked, jobs=jobs, library=Shelf(**{"picture 2": STOCK})).make()
    assert made.task("s2.animation").pieces == (STOCK,)
    assert made.warnings == ()


class MortalJobs(EndingJobs):
    """Jobs of which the second shot's fails, and whose client dies whenever it reads one anew."""

    def __init__(self):
        super().__init__(lambda job: "fail" if "picture 2" in job.request.prompt else "ok")
        self.seen = set()

    async def read(self, job_id):
        found = await super().read(job_id)
        if job_id not in self.seen:
            self.seen.add(job_id)
            raise Crash
        return found


async def test_ai_first_falls_back_to_the_library_whatever_dies_meanwhile():
    asked = film(approach=VisualApproach.HYBRID_AI_FIRST)
    jobs, journal = MortalJobs(), Journal()
    studio = Studio.of(asked, jobs=jobs, library=Shelf(**{"picture 2": STOCK}))
    while not studio.films.films["f1"].state.terminal:
        journal.count = 0
        with suppress(Crash):
            await studio.make(journal=journal)
    made = studio.films.films["f1"]
    assert (made.state, made.warnings) == (FilmState.SUCCEEDED, ())
    assert made.task("s2.animation").pieces == (STOCK,)
    assert (sorted(jobs.accepted), len(jobs.seen)) == (CLIPS, 3)


async def test_stock_only_asks_no_model_but_the_placeholder():
    asked = film(approach=VisualApproach.STOCK_ONLY)
    studio = Studio.of(asked, library=Shelf(**{"picture 2": STOCK}))
    made = await studio.make()
    assert made.state is FilmState.SUCCEEDED
    models = {job.request.model for job in studio.jobs.jobs.values()}
    assert models == {"storyboard"}
    assert made.task("s2.animation").pieces[0].credit == "A. Maker, CC-BY"


async def test_a_library_that_is_away_is_done_without():
    class Closed(Shelf):
        async def find(self, tenant, words, seconds, *, without=()):
            raise Unavailable("storage is away")

    asked = film(approach=VisualApproach.HYBRID_STOCK_FIRST)
    made = await Studio.of(asked, library=Closed()).make()
    assert (made.state, made.warnings) == (FilmState.SUCCEEDED, ())
