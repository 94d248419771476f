"""Graphs run without barriers, within their width, and stop where a task says no."""

import asyncio
import heapq
import itertools

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from services.orchestrator.domain.films.brief import FilmBrief
from services.orchestrator.domain.films.layout import Layout
from services.orchestrator.domain.films.resources import ResourceSnapshot
from services.orchestrator.flows.dag import GraphRun, Node
from services.orchestrator.usecases.films.pacing import FilmPace, Pacing, Pressure
from tests.fakes.film_parts import NOW, FixedMonitor, ScriptedWorks
from tests.unit.orchestrator.films.films import EndingJobs, Studio, film, shots


class Free:
    """A pace of so many at once."""

    def __init__(self, width=100):
        self.wide = width

    async def width(self):
        return self.wide

    async def may_start(self, cost):
        return True


def look(cpu):
    return ResourceSnapshot(cpu_percent=cpu, memory_percent=5.0, cores=16, taken=NOW)


STANDARD = [
    Node(id="script", priority=100),
    Node(id="audio", after=("script",), priority=90),
    Node(id="slow", after=("script",), priority=50),
    Node(id="captions", after=("audio",), priority=40),
    Node(id="composition", after=("audio", "slow", "captions"), priority=10),
]


async def test_a_slow_visual_holds_up_nothing_but_the_cut():
    """With barriers between batches captions would wait for the slow visual, and it for them."""
    begun = {node.id: asyncio.Event() for node in STANDARD}

    async def run(task):
        begun[task].set()
        if task == "slow":
            await begun["captions"].wait()
        return True

    await GraphRun(STANDARD, run, Free())()
    assert all(event.is_set() for event in begun.values())


async def test_the_most_urgent_begins_first():
    order = []

    async def run(task):
        order.append(task)
        return True

    await GraphRun(STANDARD, run, Free(1))()
    assert order == ["script", "audio", "slow", "captions", "composition"]


async def test_after_a_no_nothing_begins_and_what_runs_ends():
    ended, release = [], asyncio.Event()

    async def run(task):
        if task == "audio":
            release.set()
            return False
        if task == "slow":
            await release.wait()
            await asyncio.sleep(0)
        ended.append(task)
        return True

    await GraphRun(STANDARD, run, Free())()
    assert ended == ["script", "slow"]


async def test_what_is_raised_ends_the_run_and_all_that_runs():
    cancelled = []

    async def run(task):
        if task == "audio":
            raise ZeroDivisionError
        try:
            await asyncio.sleep(0 if task == "script" else 60)
        except asyncio.CancelledError:
            cancelled.append(task)
            raise
        return True

    with pytest.raises(ZeroDivisionError):
        await GraphRun(STANDARD, run, Free())()
    assert cancelled in ([], ["slow"])


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.data(), st.integers(1, 4))
async def test_random_graphs_run_whole_in_order_and_within_their_width(data, width):
    names = [f"t{number}" for number in range(data.draw(st.integers(1, 10)))]
    nodes = [
        Node(
            id=name,
            after=tuple(data.draw(st.lists(st.sampled_from(names[:at]), unique=True)))
            if at
            else (),
            priority=data.draw(st.integers(0, 2)),
        )
        for at, name in enumerate(names)
    ]
    turns = {name: data.draw(st.integers(0, 3)) for name in names}
    done: set[str] = set()
    running: set[str] = set()
    most = [0]

    async def run(task):
        node = next(n for n in nodes if n.id == task)
        assert done.issuperset(node.after)
        running.add(task)
        most[0] = max(most[0], len(running))
        for _ in range(turns[task]):
            await asyncio.sleep(0)
        running.discard(task)
        assert task not in done
        done.add(task)
        return True

    await GraphRun(nodes, run, Free(width))()
    assert done == set(names)
    assert most[0] <= width


async def test_a_load_spike_halves_the_workers_within_two_looks_and_calm_brings_them_back():
    looks = [look(5), look(95), look(95), *(look(5) for _ in range(8))]
    pace = FilmPace(FixedMonitor(*looks), 8, adaptive=True, pressure=Pressure())
    assert [await pace.width() for _ in range(11)] == [8, 4, 2, 3, 4, 5, 6, 7, 8, 8, 8]


class Workers:
    """Tasks that run until they are let go; tells which run."""

    def __init__(self):
        self.running = {}

    async def __call__(self, task):
        self.running[task] = asyncio.Event()
        await self.running[task].wait()
        del self.running[task]
        return True

    async def end_one(self):
        """Let the task that runs longest end, and everybody go on who can."""
        next(iter(self.running.values())).set()
        await self.settled()
        return len(self.running)

    async def settled(self):
        for _ in range(20):
            await asyncio.sleep(0)


async def test_under_a_spike_half_as_many_tasks_run_and_in_the_calm_one_more_with_each_look():
    machine, workers = FixedMonitor(look(5)), Workers()
    pace = FilmPace(machine, 8, adaptive=True, pressure=Pressure())
    nodes = [Node(id=f"t{number:02d}", cost=0.3) for number in range(40)]
    run = asyncio.ensure_future(GraphRun(nodes, workers, pace)())
    await workers.settled()
    assert len(workers.running) == 8
    machine.looks = [look(85)]
    assert [await workers.end_one() for _ in range(7)] == [7, 6, 5, 4, 4, 4, 4]
    calm = []
    for _ in range(6):
        machine.looks = [look(5)]
        calm.append(await workers.end_one())
    assert calm == [5, 6, 7, 8, 8, 8]
    while workers.running:
        await workers.end_one()
    await run


async def test_one_look_is_taken_into_account_once():
    same = look(95)
    pace = FilmPace(FixedMonitor(same), 8, adaptive=True, pressure=Pressure())
    assert [await pace.width() for _ in range(3)] == [4, 4, 4]


async def test_a_vendor_that_says_slower_is_heard_by_its_own_film_alone():
    pacing = Pacing(FixedMonitor(look(5)))
    mine, other = (pacing.pace(run, 8, adaptive=True) for run in ("f1.1", "f2.1"))
    assert [await mine.width(), await other.width()] == [8, 8]
    pacing.rate_limited("f1.1")
    assert [await mine.width(), await other.width()] == [4, 8]


async def test_a_width_that_is_not_adaptive_stays():
    pace = FilmPace(FixedMonitor(look(99)), 3, adaptive=False, pressure=Pressure())
    assert [await pace.width(), await pace.width()] == [3, 3]
    assert await pace.may_start(1.0)


async def test_heavy_tasks_wait_for_room_only_beside_others():
    pace = FilmPace(FixedMonitor(look(70)), 3, adaptive=True, pressure=Pressure())
    assert not await pace.may_start(0.9)
    nodes = [Node(id="a", cost=0.9), Node(id="b", cost=0.9)]
    running, most = 0, 0

    async def run(task):
        nonlocal running, most
        running += 1
        most = max(most, running)
        await asyncio.sleep(0)
        running -= 1
        return True

    await GraphRun(nodes, run, pace)()
    assert most == 1


class Watch:
    """A clock that stands still while anybody works and jumps to the next end of a wait."""

    def __init__(self):
        self.now, self.waits, self.count = 0.0, [], itertools.count()

    async def sleep(self, seconds):
        done = asyncio.get_running_loop().create_future()
        heapq.heappush(self.waits, (self.now + seconds, next(self.count), done))
        await done

    async def run(self, work):
        """Seconds on this clock until the work is done."""
        task = asyncio.ensure_future(work)
        while not task.done():
            for _ in range(20):  # let everybody who can go on go on
                await asyncio.sleep(0)
            if self.waits and not task.done():
                self.now, _, done = heapq.heappop(self.waits)
                done.set_result(None)
        return self.now


# Seconds, as document 001 has them: the middle of what it tells.
TAKES = {"image": 12.5, "animation": 75.0, "audio": 3.5, "captions": 1.0, "composition": 10.0}


async def seconds_of(tasks, width):
    """How long a film's tasks take when so many run at once."""
    watch, takes = Watch(), {task.id: TAKES[task.type] for task in tasks}

    async def make(task_id):
        await watch.sleep(takes[task_id])
        return True

    nodes = [Node(id=t.id, after=t.dependencies, priority=t.priority) for t in tasks]
    return await watch.run(GraphRun(nodes, make, Free(width))())


async def test_three_at_once_make_five_shots_more_than_twice_as_fast():
    brief = FilmBrief(providers={"image": "any"}, music="off")
    tasks = [t for t in Layout(brief, shots(5)).tasks() if t.type != "script"]
    alone, three = await seconds_of(tasks, 1), await seconds_of(tasks, 3)
    assert alone == sum(TAKES[task.type] for task in tasks)
    assert alone / three >= 2.2


async def test_clips_that_take_more_than_twice_as_long_as_usual_halve_the_width_at_once():
    pacing = Pacing(FixedMonitor(look(5)))
    pace = pacing.pace("f1.1", 8, adaptive=True)
    assert await pace.width() == 8
    for seconds in (10, 11, 9, 20):
        pacing.took("f1.1", seconds)
    assert await pace.width() == 8, "twice as long is not yet slow"
    pacing.took("f1.1", 30)
    pacing.took("other.1", 500)
    assert await pace.width() == 4
    assert await pace.width() == 4, "it is felt once"


def test_where_nothing_takes_time_nothing_is_slow():
    pressure = Pressure()
    for seconds in (0, 0, 0, 5):
        pressure.took(seconds)
    assert not pressure.urgent


async def test_a_film_feels_how_long_models_take_and_not_what_stands_in_for_a_clip():
    outcomes = ["ok", "fail"]
    jobs = EndingJobs(lambda job: "ok" if job.request.model == "storyboard" else outcomes.pop(0))
    flow = Studio.of(film(2), jobs=jobs).flow()
    await flow.begin("f1.1")
    pace = flow.pace("f1.1", 3, adaptive=True)
    for shot in ("s1", "s2"):
        assert await flow.task("f1.1", f"{shot}.animation")
    assert len(pace.pressure.clips) == 1


async def test_a_film_hears_a_vendor_of_its_clips_that_says_slower():
    def limited(job):
        return "ok" if job.request.model == "storyboard" else "limited"

    flow = Studio.of(film(1), jobs=EndingJobs(limited)).flow()
    await flow.begin("f1.1")
    pace = flow.pace("f1.1", 3, adaptive=True)
    await flow.task("f1.1", "s1.animation")
    assert pace.pressure.rate_limited


@pytest.mark.parametrize(("task", "kind"), [("s1.image", "image"), ("s1.audio", "audio")])
async def test_a_film_hears_a_vendor_of_its_stills_and_voices_that_says_slower(task, kind):
    works = ScriptedWorks(lambda order: "limited" if order == f"f1/{task}/1.1/0" else "ok")
    flow = Studio.of(
        film(1, providers={kind: {"image": "vendor_picture", "audio": "vendor_speech"}[kind]}),
        works=works,
    ).flow()
    await flow.begin("f1.1")
    pace = flow.pace("f1.1", 3, adaptive=True)
    assert await flow.task("f1.1", task)
    assert pace.pressure.rate_limited
