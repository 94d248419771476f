"""Kinds of tasks besides the usual ones: found clips, larger clips, a still; and the preview."""

import asyncio
import itertools
from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy.exc import OperationalError

from services.common.errors import Internal
from services.orchestrator.adapters.messages import load_texts
from services.orchestrator.domain.films.asking import frame_size, shot_request
from services.orchestrator.domain.films.brief import FilmBrief
from services.orchestrator.domain.films.film import FilmState
from services.orchestrator.domain.films.graph import TaskType
from services.orchestrator.domain.films.layout import WEIGHTS, Layout
from services.orchestrator.domain.films.shots import Shot
from services.orchestrator.domain.films.strategy import VisualApproach
from services.orchestrator.domain.films.tasks import Piece, TaskState
from services.orchestrator.domain.models import Model
from services.orchestrator.domain.prices import Price
from services.orchestrator.flows.film import make_film
from tests.fakes.film_parts import MemoryFilms, ScriptedWorks, Shelf
from tests.fakes.journal import Journal
from tests.fakes.logs import logged
from tests.unit.orchestrator.films.films import MODELS, Studio, film, local, shots

LARGER = local("here_larger", "upscale")


def batches(brief, count=2, *, stock=False):
    layout = Layout(brief, shots(count), stock=stock)
    found = layout.graph.get_optimal_execution_batches()
    return [[node.task_id for node in batch] for batch in found]


def test_every_kind_of_task_has_its_place_in_a_graph_and_somebody_who_makes_it():
    asked = FilmBrief(upscale=True, thumbnail=True, providers={"image": "any"}, music="calm")
    planned = {
        task.type
        for stock in (False, True)
        for task in Layout(asked, shots(1, sound="rain"), stock=stock).tasks()
    }
    assert planned == set(TaskType) == set(WEIGHTS)
    makers = Studio.of().flow().running.makers
    assert planned - {TaskType.SCRIPT} == set(makers)


@pytest.mark.parametrize("kind", sorted(set(WEIGHTS) - {TaskType.SCRIPT}))
def test_films_are_not_made_at_all_where_a_kind_of_task_has_nobody_who_makes_it(kind):
    running = Studio.of().flow().running
    makers = {each: maker for each, maker in running.makers.items() if each is not kind}
    with pytest.raises(Internal, match=f"nothing makes {kind}$"):
        replace(running, makers=makers)


def test_what_is_asked_for_besides_lies_behind_what_it_is_made_of():
    assert batches(FilmBrief(music="off", upscale=True, thumbnail=True)) == [
        ["script"],
        ["s1.audio", "s2.audio", "s1.animation", "s2.animation"],
        ["s1.upscale", "s2.upscale", "captions"],
        ["composition"],
        ["thumbnail"],
    ]


def test_a_film_of_stock_retrieves_but_for_shots_with_a_model_of_their_own():
    named = Shot(shot_id="own", prompt="a cat", providers={"animation": "vendor_video"})
    layout = Layout(FilmBrief(music="off"), (*shots(1), named), stock=True)
    kinds = {task.id: task.type for task in layout.tasks()}
    assert kinds["s1.retrieval"] is TaskType.RETRIEVAL
    assert kinds["own.animation"] is TaskType.ANIMATION


async def test_a_found_clip_is_the_shots_clip_and_keeps_its_credit():
    found = Piece(asset="assets/stock", sha256="stock", duration_seconds=9.0, credit="by Amina")
    wanted = film(2, approach=VisualApproach.STOCK_ONLY)
    tasks = Layout(wanted.brief, wanted.shots, stock=True).tasks()
    studio = Studio.of(replace(wanted, tasks=tasks), library=Shelf(picture=found))
    made = await studio.make()
    assert made.state is FilmState.SUCCEEDED
    assert made.task("s1.retrieval").pieces == (found,)
    assert made.cuts[0].shots == {"s1": "stock", "s2": "stock"}
    assert studio.jobs.accepted == []


async def test_clips_are_asked_for_smaller_and_cut_at_the_films_own_size():
    studio = Studio.of(film(2, upscale=True, resolution="1080p"), models=(*MODELS, LARGER))
    made = await studio.make()
    job = next(iter(studio.jobs.jobs.values()))
    assert job.request.resolution == "540p"
    orders = [o for r, o in studio.works.begun.items() if ".upscale/" in r]
    assert {(order.model, order.work.factor) for order in orders} == {("here_larger", 2)}
    cut = studio.works.begun["f1/composition/1.1/0"].work
    assert cut.size == (1920, 1080)
    larger = [made.task(f"s{n}.upscale").pieces[0].asset for n in (1, 2)]
    assert [clip.asset for clip in cut.clips] == larger


async def test_without_a_model_that_enlarges_the_film_is_made_with_a_warning():
    studio = Studio.of(film(1, upscale=True))
    made = await studio.make()
    assert made.state is FilmState.SUCCEEDED
    task = made.task("s1.upscale")
    assert task.state is TaskState.DEGRADED
    assert load_texts().say("en", made.warnings) == (
        "s1.upscale is missing: no model for upscale is ready here",
    )
    cut = studio.works.begun["f1/composition/1.1/0"].work
    assert (cut.clips[0].asset, cut.size) == (
        made.task("s1.animation").pieces[0].asset,
        (1280, 720),
    )


@pytest.mark.parametrize(
    ("resolution", "ratio", "size"),
    [
        ("720p", "16:9", (1280, 720)),
        ("1080p", "9:16", (1080, 1920)),
        ("480p", "1:1", (480, 480)),
        ("720p", "21:9", (1680, 720)),
        ("480p", "16:9", (854, 480)),
    ],
)
def test_a_resolution_is_that_of_the_shorter_side(resolution, ratio, size):
    assert frame_size(FilmBrief(resolution=resolution, aspect_ratio=ratio)) == size


def test_a_film_that_is_not_enlarged_asks_for_its_own_size():
    assert shot_request(FilmBrief(resolution="1080p"), shots(1)[0]).resolution == "1080p"


async def test_the_still_of_the_cut_is_waited_for():
    library = Shelf()
    library.stills = [None, None, Piece(asset="assets/still", sha256="s")]
    made = await Studio.of(film(1, thumbnail=True), library=library).make()
    assert made.task("thumbnail").pieces[0].asset == "assets/still"
    assert made.state is FilmState.SUCCEEDED


def previews(studio):
    return {r: o.work for r, o in studio.works.begun.items() if "/preview/" in r}


async def test_the_preview_is_the_first_clip_and_grows_by_doubling_until_the_cut():
    studio, seen = Studio.of(film(9, width=1)), []
    inner = studio.films.change

    async def change(film_id, mutate):
        changed = await inner(film_id, mutate)
        seen.append(changed.preview)
        return changed

    studio.films.change = change
    made = await studio.make()
    clips = [len(work.clips) for work in previews(studio).values()]
    assert clips == [2, 4, 8]
    first = made.task("s1.animation").pieces[0].asset
    shown = [asset for asset, _ in itertools.groupby(seen) if asset]
    assert shown[0] == first
    assert shown[-1] == made.cuts[0].asset
    assert len(shown) == 5
    assert all(work.rough for work in previews(studio).values())


async def test_a_preview_that_fails_costs_nothing_but_itself():
    works = ScriptedWorks(lambda request: "hang" if "/preview/" in request else "ok")
    studio = Studio.of(film(4), works=works)
    made = await studio.make()
    assert (made.state, made.warnings, made.rough) == (FilmState.SUCCEEDED, (), None)


class AwayFilms(MemoryFilms):
    """Films in a database that is away."""

    async def read(self, film_id):
        raise OperationalError("SELECT", {}, ConnectionError())


async def test_a_database_that_is_away_ends_a_preview_and_nothing_else():
    preview = replace(Studio.of(film(4)).flow().running.preview, films=AwayFilms())
    with logged() as events:
        await preview("f1")
    assert [event["event"] for event in events] == ["preview_missing"]


class Endless(ScriptedWorks):
    """A generator whose rough cuts never end."""

    async def watch(self, tenant, name, after):
        if "/preview/" in name:
            await asyncio.Event().wait()
        async for view in super().watch(tenant, name, after):
            yield view


async def test_a_preview_that_takes_long_is_stopped():
    studio = Studio.of(film(4), works=Endless())
    running = studio.flow().running
    steps = replace(running, preview=replace(running.preview, patience=timedelta(0)))
    await make_film("f1.1", replace(studio.flow(), running=steps), Journal())
    assert studio.films.films["f1"].state is FilmState.SUCCEEDED
    assert studio.works.cancelled == set(previews(studio)) != set()


async def test_no_preview_is_ever_paid_for():
    dear = tuple(m for m in MODELS if m.task != "compose")
    vendor = Model(
        id="vendor_cut", provider="v", task="compose", price=Price(kind="per_clip", amount_micros=9)
    )
    studio = Studio.of(film(4), models=(*dear, vendor))
    await studio.make()
    assert not previews(studio)
