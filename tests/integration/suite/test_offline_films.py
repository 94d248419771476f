"""A film that may not leave this deployment asks no endpoint that is set up for words."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest
import pytest_asyncio
from google.protobuf import duration_pb2

from reelmesh.orchestrator.v1 import film_service_pb2 as pb
from reelmesh.orchestrator.v1 import video_service_pb2
from reelmesh.orchestrator.v1.film_service_pb2_grpc import FilmServiceStub
from services.suite.film_client import changes
from services.suite.simulator.server import simulating
from tests.fakes.simulator import quick
from tests.fakes.vendored_suite import vendored_suite
from tests.stack import Client

pytestmark = [pytest.mark.timeout(120), pytest.mark.asyncio(loop_scope="module")]
STORY = """Amina closed her stall in the old market. "You are late," she told the boy."""
SWAHILI = "Simba anatembea savana usiku, bila watu"
SMALL: dict[str, Any] = {"resolution": "480p", "fps": 8, "music": "off", "captions": "off"}


@dataclass
class Outside:
    """Every endpoint at once: it hangs up on whoever calls, and remembers the first line."""

    heard: list[str] = field(default_factory=list)
    url: str = ""

    async def hear(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        line = (await reader.readline()).decode(errors="replace")
        self.heard.append(line.split(" ")[1] if " " in line else line)
        writer.close()

    def told(self) -> set[str]:
        """What was asked for since this was last looked at."""
        found, self.heard = set(self.heard), []
        return {path.rpartition("/v1/")[2] for path in found}


@asynccontextmanager
async def listening() -> AsyncIterator[Outside]:
    outside = Outside()
    server = await asyncio.start_server(outside.hear, "127.0.0.1", 0)
    async with server:
        outside.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1"
        yield outside


@dataclass
class Studio:
    """A suite in which everything that could be asked outside is set up."""

    client: Client
    outside: Outside

    @property
    def films(self) -> Any:
        return FilmServiceStub(self.client.channel)

    async def whole(self, name: str) -> pb.Film:
        async for film in changes(self.films, name):
            last = film
        return last

    async def job(self, prompt: str, **fields: Any) -> Any:
        return await self.client.end((await self.client.generate(prompt, **fields)).name)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def studio(tmp_path_factory: pytest.TempPathFactory, nats_url: str) -> AsyncIterator[Studio]:
    """One suite for all tests of this file."""
    folder = tmp_path_factory.mktemp("offline")
    async with listening() as outside, simulating(quick()) as world:
        settings = {
            "PROMPT_LLM_MODEL": "small",
            "PROMPT_LLM_BASE_URL": outside.url,
            "PROMPT_LLM_MAX_RETRIES": "0",
            "ORCHESTRATOR_MODERATION_URL": outside.url,
            "ORCHESTRATOR_EMBEDDINGS": "endpoint",
            "ORCHESTRATOR_EMBEDDINGS_URL": outside.url,
            "ORCHESTRATOR_CACHE_PLACEHOLDERS": "true",
            "STORAGE_EMBEDDINGS": "endpoint",
            "STORAGE_EMBEDDINGS_URL": outside.url,
            "STORAGE_FLUSH_EVERY": "PT0.1S",
        }
        suite = vendored_suite(world, (), folder=folder, nats_url=nats_url, **settings)
        async with suite as client:
            yield Studio(client, outside)


async def test_an_offline_film_of_a_story_asks_nothing_outside_to_its_last_remake(
    studio: Studio,
) -> None:
    source = pb.FilmSource(script=STORY)
    order = pb.CreateFilmRequest(source=source, preset="offline", **SMALL)
    await studio.films.PlanFilm(pb.PlanFilmRequest(request=order))
    film = await studio.whole((await studio.films.CreateFilm(order)).film.name)
    assert film.state == pb.Film.STATE_SUCCEEDED, film.error.message
    remake = pb.RegenerateShotRequest(name=film.name, shot=1, feedback="with more gravitas")
    await studio.films.RegenerateShot(remake)
    again = await studio.whole(film.name)
    assert (again.state, len(again.cuts)) == (pb.Film.STATE_SUCCEEDED, 2)
    assert studio.outside.told() == set()
    [told] = [warning for warning in film.warnings if "moderation" in warning]
    assert "the words stay in this deployment" in told


async def test_a_job_that_stays_here_is_understood_by_rules_alone(studio: Studio) -> None:
    routing = video_service_pb2.Routing(local_only=True)
    words: dict[str, Any] = {"routing": routing, "duration": duration_pb2.Duration(seconds=1)}
    plan = video_service_pb2.GenerateVideoRequest(prompt=SWAHILI, **words)
    await studio.client.stub.PlanVideo(video_service_pb2.PlanVideoRequest(request=plan))
    first = await studio.job(SWAHILI, routing=routing)
    assert first.state == first.STATE_SUCCEEDED, first
    assert first.quantified_prompt.source == "rules"
    assert studio.outside.told() == set()


async def test_the_same_words_are_asked_about_where_they_may_leave(studio: Studio) -> None:
    """Else the tests above could not fail."""
    order = pb.CreateFilmRequest(source=pb.FilmSource(script=STORY), **SMALL)
    film = (await studio.films.CreateFilm(order)).film
    assert {"chat/completions", "moderations"} <= studio.outside.told()
    await studio.whole(film.name)
    await studio.job("A heron over Lake Naivasha", cache=video_service_pb2.CacheOptions(
        mode=video_service_pb2.CACHE_MODE_SEMANTIC_FIRST
    ))  # fmt: skip
    assert {"chat/completions", "moderations", "embeddings"} <= studio.outside.told()
