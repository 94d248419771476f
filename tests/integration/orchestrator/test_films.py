"""Films over real sockets, on the real engine: made, followed, stopped, resumed, made anew."""

import json
from collections.abc import AsyncIterator
from datetime import UTC, timedelta
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from reelmesh.orchestrator.v1 import film_service_pb2 as pb
from reelmesh.orchestrator.v1.film_service_pb2_grpc import FilmServiceStub
from services.common import clock
from services.common.errors import (
    AlreadyEnded,
    GenerationFailed,
    InvalidArgument,
    NotFound,
    RequestConflict,
)
from services.common.ids import new_id
from tests.fakes.generator_service import Fail, Hang, Succeed
from tests.integration.orchestrator.conftest import House, house_on
from tests.integration.orchestrator.films import ROOMS, State, asked, end, of, shots, wanted
from tests.stack import Client
from tests.stack.waiting import until

pytestmark = [pytest.mark.timeout(60), pytest.mark.asyncio(loop_scope="module")]
EXAMPLE = (Path(__file__).parents[3] / "examples/five_shots.json").read_text()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def shared(tmp_path_factory: pytest.TempPathFactory, nats_url: str) -> AsyncIterator[House]:
    """One house for all tests of this file; its generator makes everything that a film needs."""
    async with house_on(tmp_path_factory.mktemp("films"), nats_url) as house:
        house.generator.models += ROOMS
        yield house


@pytest.fixture
def studio(shared: House) -> House:
    """The house as if nothing had happened in it yet."""
    shared.generator.script = lambda _: Succeed()
    shared.generator.requests.clear()
    shared.generator.asked.clear()
    return shared


@pytest_asyncio.fixture(loop_scope="module")
async def acme(studio: House) -> AsyncIterator[Client]:
    """An application of a tenant of the test's own."""
    async with studio.client(f"acme-{new_id()}") as found:
        yield found


@pytest.fixture
def films(acme: Client) -> Any:
    """The film service as the tenant sees it."""
    return FilmServiceStub(acme.channel)


async def test_a_film_is_made_followed_and_told(studio: House, films: Any) -> None:
    accepted = (await films.CreateFilm(wanted(EXAMPLE, creative_id="attic"))).film
    assert (accepted.state, accepted.title) == (State.STATE_QUEUED, "The attic")
    film, seen = await end(films, accepted.name)
    assert film.state == State.STATE_SUCCEEDED
    assert film.asset
    assert film.asset == film.cuts[0].asset == film.preview
    assert [task.state for task in film.tasks] == ["succeeded"] * len(film.tasks)
    kinds = [task.type for task in film.tasks]
    assert {kind: kinds.count(kind) for kind in set(kinds)} == {
        "script": 1, "animation": 5, "audio": 5, "sound": 1, "music": 1, "captions": 1,
        "composition": 1,
    }  # fmt: skip
    sequences = [change.sequence for change in seen]
    assert sequences == sorted(set(sequences))
    percents = [change.film.progress_percent for change in seen]
    assert percents == sorted(percents)
    assert all(percent < 100 for percent in percents[:-1])
    previews = [change.film.preview for change in seen]
    assert any(previews[:-1]), "something to look at before the end"
    got = (await films.GetFilm(pb.GetFilmRequest(name=film.name))).film
    assert got.cuts == film.cuts


async def test_the_generator_is_asked_for_every_part_once(studio: House, films: Any) -> None:
    film, _ = await end(films, (await films.CreateFilm(wanted())).film.name)
    by_kind = {r.task.WhichOneof("work"): r for r in studio.generator.requests.values()}
    assert set(studio.generator.asked.values()) == {1}
    assert set(by_kind) == {"video", "speech", "music", "captions", "compose"}
    compose = by_kind["compose"].task.compose
    assert len(compose.clips) == 2
    assert compose.clips[1].transition == compose.TRANSITION_CROSSFADE
    assert [track.role for track in compose.tracks] == [
        compose.ROLE_DIALOGUE, compose.ROLE_DIALOGUE, compose.ROLE_MUSIC,
    ]  # fmt: skip
    assert compose.HasField("captions")
    video = by_kind["video"]
    assert video.labels.job.startswith("videoJobs/")
    assert film.tasks[-1].asset == film.asset


async def test_the_same_request_is_the_same_film(films: Any) -> None:
    first = (await films.CreateFilm(wanted(request_id="r1"))).film
    assert (await films.CreateFilm(wanted(request_id="r1"))).film.name == first.name
    with pytest.raises(RequestConflict):
        await films.CreateFilm(wanted(shots(3), request_id="r1"))


async def test_cancelling_stops_what_runs_and_resuming_makes_the_rest(
    studio: House, films: Any
) -> None:
    studio.generator.script = of({"/1/1": Hang()})
    name = (await films.CreateFilm(wanted())).film.name
    await until(lambda: asked(studio, "/1/1"), 40)
    await films.CancelFilm(pb.CancelFilmRequest(name=name))
    film, _ = await end(films, name)
    assert film.state == State.STATE_CANCELLED
    with pytest.raises(AlreadyEnded):
        await films.CancelFilm(pb.CancelFilmRequest(name=name))
    before = {task.id: task.sha256 for task in film.tasks if task.state == "succeeded"}
    studio.generator.script = lambda _: Succeed()
    await films.ResumeFilm(pb.ResumeFilmRequest(name=name, request_id="go"))
    film, _ = await end(films, name)
    assert film.state == State.STATE_SUCCEEDED
    assert {i: h for i, h in ((t.id, t.sha256) for t in film.tasks) if i in before} == before


async def test_one_shot_is_made_again_and_the_others_keep_their_hashes(films: Any) -> None:
    first, _ = await end(films, (await films.CreateFilm(wanted(shots(3)))).film.name)
    request = pb.RegenerateShotRequest(name=first.name, shot=2, feedback="at night")
    await films.RegenerateShot(request)
    second, _ = await end(films, first.name)
    assert [cut.version for cut in second.cuts] == [1, 2]
    old, new = (dict(cut.shots) for cut in second.cuts)
    assert (old["s1"], old["s3"]) == (new["s1"], new["s3"])
    assert old["s2"] != new["s2"]
    assert second.cuts[0].sha256 == first.cuts[0].sha256 != second.cuts[1].sha256


async def test_approval_is_waited_for_and_nothing_is_spent_before(
    studio: House, films: Any
) -> None:
    film = (await films.CreateFilm(wanted(require_approval=True))).film
    assert film.state == State.STATE_AWAITING_APPROVAL
    with pytest.raises(InvalidArgument, match="approve"):
        await films.ResumeFilm(pb.ResumeFilmRequest(name=film.name))
    assert not asked(studio, film.name.removeprefix("films/"))
    await films.ResumeFilm(pb.ResumeFilmRequest(name=film.name, approve=True))
    ended, _ = await end(films, film.name)
    assert ended.state == State.STATE_SUCCEEDED


async def test_nothing_is_begun_before_the_hour_that_was_asked_for(
    studio: House, films: Any
) -> None:
    start = clock.now() + timedelta(seconds=3)
    latest = start + timedelta(hours=1)
    request = wanted(shots(1), start_time=start, latest_start_time=latest)
    accepted = (await films.CreateFilm(request)).film
    assert accepted.latest_start_time.ToDatetime(tzinfo=UTC) == latest
    assert accepted.start_time.ToDatetime(tzinfo=UTC) == start
    film, seen = await end(films, accepted.name)
    assert film.state == State.STATE_SUCCEEDED
    assert start <= film.start_time.ToDatetime(tzinfo=UTC) <= latest
    waiting = [change for change in seen if change.film.state == State.STATE_QUEUED]
    assert len(waiting) == 1, "it was told once, and then nothing until its hour"
    with pytest.raises(InvalidArgument, match="start_time"):
        await films.CreateFilm(wanted(start_time=start + timedelta(days=31)))


async def test_a_failed_cut_fails_the_film_with_its_reason(studio: House, films: Any) -> None:
    studio.generator.script = of({"composition": Fail(GenerationFailed("no disk"))})
    film, _ = await end(films, (await films.CreateFilm(wanted())).film.name)
    assert film.state == State.STATE_FAILED
    assert "no disk" in film.error.message
    assert [t.state for t in film.tasks if t.type == "composition"] == ["failed"]


async def test_every_fault_of_a_file_is_named_before_anything_is_written(films: Any) -> None:
    bad = json.dumps({"shots": [{"shot_id": "a b"}, {"shot_id": "c", "prompt": "x", "mood": 3}]})
    for ask in (films.CreateFilm, lambda r: films.PlanFilm(pb.PlanFilmRequest(request=r))):
        with pytest.raises(InvalidArgument) as refused:
            await ask(wanted(bad))
        fields = {violation.field for violation in refused.value.violations}
        assert fields == {"shots[0].shot_id", "shots[0].prompt", "shots[1].mood"}
    assert (await films.ListFilms(pb.ListFilmsRequest())).films == []


async def test_pages_of_films_go_from_new_to_old(films: Any) -> None:
    made = [(await films.CreateFilm(wanted(shots(1)))).film.name for _ in range(3)]
    first = await films.ListFilms(pb.ListFilmsRequest(page_size=2))
    rest = await films.ListFilms(pb.ListFilmsRequest(page_size=2, page_token=first.next_page_token))
    assert [film.name for film in (*first.films, *rest.films)] == made[::-1]
    assert rest.next_page_token == ""


async def test_another_tenant_finds_nothing(studio: House, films: Any) -> None:
    name = (await films.CreateFilm(wanted())).film.name
    async with studio.client("other") as other:
        theirs: Any = FilmServiceStub(other.channel)
        calls = [
            theirs.GetFilm(pb.GetFilmRequest(name=name)),
            theirs.CancelFilm(pb.CancelFilmRequest(name=name)),
            theirs.ResumeFilm(pb.ResumeFilmRequest(name=name)),
            theirs.RegenerateShot(pb.RegenerateShotRequest(name=name, shot=1)),
        ]
        for call in calls:
            with pytest.raises(NotFound):
                await call
        assert (await theirs.ListFilms(pb.ListFilmsRequest())).films == []
