"""From the caller's words to what a vendor is sent, through every service."""

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import pytest
import pytest_asyncio

from reelmesh.orchestrator.v1 import film_service_pb2 as films_pb
from reelmesh.orchestrator.v1 import video_service_pb2 as pb
from reelmesh.orchestrator.v1.film_service_pb2_grpc import FilmServiceStub
from reelmesh.orchestrator.v1.policy_service_pb2 import Policy, SetPolicyRequest
from reelmesh.orchestrator.v1.policy_service_pb2_grpc import PolicyServiceStub
from reelmesh.prompt.v1 import prompt_service_pb2 as prompt_pb
from reelmesh.prompt.v1.prompt_pb2 import Template, VideoParameters
from reelmesh.prompt.v1.prompt_service_pb2_grpc import PromptServiceStub
from services.common.channels import Channel
from services.common.errors import InvalidArgument, NotFound
from services.common.wording import units
from services.suite.simulator.server import simulating
from services.suite.simulator.world import World
from tests.fakes.simulator import quick
from tests.fakes.vendored_suite import addressed_suite
from tests.stack import Client

pytestmark = [pytest.mark.timeout(180), pytest.mark.asyncio(loop_scope="module")]
SWAHILI = "Simba anatembea savana usiku, bila watu"
LONG = "Emma walks slowly through the crowded market and looks at every stall. " * 30


@dataclass
class Studio:
    """A suite with two vendors, and what they were sent since the test began."""

    world: World
    client: Client
    prompts: Any
    films: Any
    policies: Any
    before: int = 0

    @property
    def sent(self) -> list[tuple[str, str]]:
        """Vendor and prompt of each order."""
        return [(vendor, order.prompt) for vendor, order in self.world.orders[self.before :]]

    async def made(self, asked: pb.GenerateVideoRequest) -> Any:
        """The job when its clip is stored."""
        job = await self.client.end((await self.client.stub.GenerateVideo(asked)).job.name, 90)
        assert job.state == job.STATE_SUCCEEDED, job
        return job


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def suite(tmp_path_factory: pytest.TempPathFactory, nats_url: str) -> AsyncIterator[Studio]:
    """One suite for all tests of this file."""
    folder = tmp_path_factory.mktemp("compiled")
    async with (
        simulating(quick()) as world,
        addressed_suite(world, ["HF", "RUNWAY"], folder=folder, nats_url=nats_url) as at,
        Client(at.orchestrator, None) as client,
    ):
        prompts = Channel(at.by_service["prompt"])
        yield Studio(
            world=world,
            client=client,
            prompts=PromptServiceStub(prompts),
            films=FilmServiceStub(client.channel),
            policies=PolicyServiceStub(client.channel),
        )
        await prompts.close()


@pytest.fixture
def studio(suite: Studio) -> Studio:
    """The suite, with what is sent from now on."""
    suite.before = len(suite.world.orders)
    return suite


def wish(prompt: str, model: str, **more: Any) -> pb.GenerateVideoRequest:
    return pb.GenerateVideoRequest(
        prompt=prompt, model=model, cache=pb.CacheOptions(mode=pb.CACHE_MODE_OFF), **more
    )


async def test_each_vendor_is_sent_what_it_takes_and_the_job_tells_what_was_done(
    studio: Studio,
) -> None:
    job = await studio.made(wish(SWAHILI, "huggingface_api", variations=2))
    assert job.prompt == SWAHILI
    assert job.language == "sw"  # nobody said it: that of the words
    assert (job.quantified_prompt.language, job.quantified_prompt.prompt_language) == ("sw", "")
    [(_, english)] = set(studio.sent)
    assert {attempt.sent.prompt for attempt in job.attempts} == {english}
    assert english.startswith("Lion walks savannah at night, without people")
    assert {attempt.sent.prompt_language for attempt in job.attempts} == {"en"}
    assert any("yametafsiriwa neno kwa neno" in told for told in job.warnings)
    plan = await studio.client.stub.PlanVideo(
        pb.PlanVideoRequest(request=wish(SWAHILI, "huggingface_api"))
    )
    assert plan.quantified_prompt.prompt == english  # the preview is what is sent
    assert set(plan.warnings) <= set(job.warnings)

    asked = wish(LONG, "runway_gen4_5", negative_prompt="cars", camera_motion="orbit")
    job = await studio.made(asked)
    vendor, sent = studio.sent[-1]
    assert vendor == "runway"
    assert sent == job.attempts[0].sent.prompt
    assert units(sent) <= 1_000
    assert sent.startswith("Emma walks slowly")
    assert sent.endswith("Camera: orbit. Avoid: cars.")
    told = " ".join(job.warnings)
    assert all(word in told for word in ("the end was cut", "negative prompt", "camera move"))


async def test_what_the_generator_leaves_out_is_told_in_the_jobs_language(studio: Studio) -> None:
    for language, words in (
        ("sw", "maelezo yamefupishwa: maandishi ni marefu"),
        ("en", "caption shortened: the prompt is longer"),
    ):
        job = await studio.made(wish(LONG, "storyboard", language=language, resolution="480p"))
        assert any(told.startswith(words) for told in job.warnings), job.warnings


async def test_words_that_may_not_be_changed_reach_the_vendor_byte_for_byte_or_not_at_all(
    studio: Studio,
) -> None:
    words = "Slow pan left over a lake,  two spaces and a  tab\tstay.\n"
    asked = wish(words, "runway_gen4_5", enhance=pb.ENHANCE_OFF, style="anime")
    job = await studio.made(asked)
    assert studio.sent == [("runway", words)]
    assert any("anime" in told for told in job.warnings)
    swahili = await studio.made(wish(SWAHILI, "huggingface_api", enhance=pb.ENHANCE_OFF))
    assert studio.sent[-1][1] == SWAHILI
    assert any('huenda isielewe "sw"' in told for told in swahili.warnings)
    with pytest.raises(InvalidArgument, match=r"prompt.*at most 1000 characters"):
        await studio.client.stub.GenerateVideo(wish(LONG, "runway_gen4_5", enhance=pb.ENHANCE_OFF))
    assert len(studio.sent) == 2


async def made_template(studio: Studio, body: str, name: str = "") -> str:
    content = Template(
        name=name, display_name="House", body=body, defaults=VideoParameters(style="anime")
    )
    asked = prompt_pb.CreateTemplateRequest(template=content)
    return str((await studio.prompts.CreateTemplate(asked)).template.name)


async def test_jobs_and_films_keep_the_version_of_a_template_that_they_began_with(
    studio: Studio,
) -> None:
    name = await made_template(studio, "First house of {who}: {prompt}")
    templated: dict[str, Any] = {"template": name, "template_values": {"who": "Asha"}}
    asked = wish("a red door", "runway_gen4_5", request_id="templated", **templated)
    job = await studio.made(asked)
    shots = json.dumps([{"shot_id": "s1", "prompt": "a green door", "duration": 5}])
    source = films_pb.FilmSource(shots_json=shots)
    order = films_pb.CreateFilmRequest(
        source=source,
        require_approval=True,
        request_id="film",
        providers={"animation": "runway_gen4_5"},
        style_preset="news",
        music="off",
        **templated,
    )
    film = (await studio.films.CreateFilm(order)).film
    assert (film.template, film.template_text) == (f"{name}@1", "First house of Asha: {prompt}")
    assert film.style_preset == "news"
    await made_template(studio, "Second house of {who}: {prompt}", name)

    assert job.prompt == "First house of Asha: a red door"
    assert job.quantified_prompt.template == f"{name}@1"
    assert job.quantified_prompt.style == "anime"
    again = await studio.client.stub.GenerateVideo(asked)
    assert (again.job.name, again.replayed) == (job.name, True)
    assert (await studio.films.CreateFilm(order)).film.name == film.name
    await studio.films.ResumeFilm(films_pb.ResumeFilmRequest(name=film.name, approve=True))
    async with asyncio.timeout(90):
        while len(studio.sent) < 2:  # noqa: ASYNC110 - another service sends it
            await asyncio.sleep(0.1)
    assert studio.sent[1][1].startswith("First house of Asha: a green door.")
    assert "news" in studio.sent[1][1].lower()
    await studio.films.CancelFilm(films_pb.CancelFilmRequest(name=film.name))
    newest = await studio.made(wish("a blue door", "runway_gen4_5", **templated))
    assert newest.prompt == "Second house of Asha: a blue door"


async def test_what_no_template_or_preset_can_be_is_refused_by_name(studio: Studio) -> None:
    name = await made_template(studio, "A house of {who}")
    for fault, asked in (
        ("template_values.who", {"template": name}),
        ("template_values", {"template_values": {"who": "Asha"}}),
        ("preset.*news", {"preset": "nouvelles"}),
        ("packs.*kenya", {"packs": ["narnia"]}),
        ("prompt", {"template": name, "template_values": {"who": "x"}, "prompt": "a cat"}),
    ):
        prompt = str(asked.pop("prompt", "" if "template" in asked else "a cat"))
        with pytest.raises(InvalidArgument, match=fault):
            await studio.client.stub.GenerateVideo(wish(prompt, "runway_gen4_5", **asked))
    with pytest.raises(NotFound):
        await studio.client.stub.GenerateVideo(
            wish("", "runway_gen4_5", template="templates/nobody")
        )
    shots = json.dumps([{"shot_id": "s1", "prompt": "a door", "duration": 5}])
    source = films_pb.FilmSource(shots_json=shots)
    with pytest.raises(InvalidArgument, match=r"hole for the shots"):
        await studio.films.CreateFilm(
            films_pb.CreateFilmRequest(
                source=source,
                template=await made_template(studio, "A house without them"),
            )
        )
    narnia: dict[str, Any] = {"source": source, "packs": ["narnia"]}
    for call in (
        studio.films.CreateFilm(films_pb.CreateFilmRequest(**narnia)),
        studio.films.PlanFilm(
            films_pb.PlanFilmRequest(request=films_pb.CreateFilmRequest(**narnia))
        ),
        studio.policies.SetPolicy(SetPolicyRequest(policy=Policy(packs=["narnia"]))),
    ):
        with pytest.raises(InvalidArgument, match=r"packs.*'narnia' is not known.*kenya"):
            await call
    assert studio.sent == []


async def test_a_culture_enriches_only_where_the_tenant_or_the_words_ask(studio: Studio) -> None:
    plain = wish("Sunrise over Mount Kenya, wide", "runway_gen4_5")
    plan = studio.client.stub.PlanVideo

    async def planned(asked: pb.GenerateVideoRequest) -> str:
        return str((await plan(pb.PlanVideoRequest(request=asked))).quantified_prompt.prompt)

    untouched = await planned(plain)
    await studio.policies.SetPolicy(SetPolicyRequest(policy=Policy(packs=["kenya"])))
    try:
        enriched = await planned(plain)
        unrelated = await planned(wish("A cat on a chair", "runway_gen4_5"))
    finally:
        await studio.policies.SetPolicy(SetPolicyRequest(policy=Policy()))
    plain.packs.append("kenya")
    assert await planned(plain) == enriched != untouched
    assert enriched.startswith("Sunrise over Mount Kenya, wide")
    assert unrelated == await planned(wish("A cat on a chair", "runway_gen4_5"))
