"""Templates, looks and cultures from the command line, to what a vendor is sent."""

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from typer.testing import CliRunner

from services.suite.cli import app
from services.suite.simulator.server import simulating
from services.suite.simulator.world import World
from tests.fakes.simulator import quick
from tests.fakes.vendored_suite import addressed_suite

pytestmark = [pytest.mark.timeout(120), pytest.mark.asyncio(loop_scope="module")]


@dataclass
class Desk:
    """A suite with one vendor, and a person at its command line."""

    world: World
    addresses: dict[str, str]

    async def reelmesh(self, service: str, *arguments: str) -> Any:
        """What a command prints for programs; a film and a job by their newest state."""
        line = [*arguments, "--json", "--address", self.addresses[service]]
        answer = await asyncio.to_thread(CliRunner().invoke, app, line)
        assert answer.exit_code == 0, answer.output + answer.stderr
        # The services of this process log between the lines that are for programs.
        printed = [told for told in answer.stdout.splitlines() if told.startswith(("{", "["))]
        return json.loads(printed[-1])


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def desk(tmp_path_factory: pytest.TempPathFactory, nats_url: str) -> AsyncIterator[Desk]:
    """One suite for all tests of this file."""
    folder = tmp_path_factory.mktemp("templates")
    async with (
        simulating(quick()) as world,
        addressed_suite(world, ["RUNWAY"], folder=folder, nats_url=nats_url) as at,
    ):
        yield Desk(world, {"orchestrator": at.orchestrator, **at.by_service})


async def test_a_video_is_made_of_a_template_a_look_and_a_culture(desk: Desk) -> None:
    body = "A {animal} near Mount Kenya [wide]"
    made = await desk.reelmesh("prompt", "templates", "create", body, "--name", "Safari")
    identifier = made["name"].removeprefix("templates/")
    listed = await desk.reelmesh("prompt", "templates", "list")
    assert (made["name"], body) in [(each["name"], each["body"]) for each in listed]
    looks = await desk.reelmesh("prompt", "templates", "presets")
    assert "kenya" in looks["packs"]
    assert "news" in {preset["id"] for preset in looks["presets"]}
    changed = ("templates", "create", "Another {animal}", "--change", identifier)
    assert (await desk.reelmesh("prompt", *changed))["version"] == 2

    styled = ("--set", "animal=zebra", "--preset", "news", "--pack", "kenya")
    last = await desk.reelmesh(
        "orchestrator", "generate", "--model", "runway_gen4_5", "--template", f"{identifier}@1",
        *styled, "--watch",
    )  # fmt: skip
    job = last["job"]
    assert job["state"] == "STATE_SUCCEEDED"  # the look's 30 frames a second gave way
    assert job["prompt"] == "A zebra near Mount Kenya [wide]"
    assert job["quantifiedPrompt"]["template"] == f"templates/{identifier}@1"
    [order] = [order for _, order in desk.world.orders if "zebra" in order.prompt]
    assert order.prompt.startswith("A zebra near Mount Kenya [wide]")
    assert "news report style" in order.prompt
    assert (
        "snow-dusted peaks of Mount Kenya" in order.prompt
    )  # what the culture says of the mountain


async def test_a_film_is_worded_by_a_template_a_look_and_a_culture(
    desk: Desk, tmp_path: Path
) -> None:
    shots = [{"shot_id": "s1", "prompt": "a green door", "duration": 5}]
    (tmp_path / "shots.json").write_text(json.dumps(shots), encoding="utf-8")
    made = await desk.reelmesh("prompt", "templates", "create", "House of {who}: {prompt}")
    film = await desk.reelmesh(
        "orchestrator", "film", str(tmp_path / "shots.json"), "--template", made["name"], "--set",
        "who=Asha", "--style-preset", "anime", "--pack", "kenya", "--ask",
    )  # fmt: skip
    assert film["template"] == f"{made['name']}@1"
    assert film["templateText"] == "House of Asha: {prompt}"
    assert film["stylePreset"] == "anime"


async def test_what_is_not_installed_is_refused_with_what_is(desk: Desk) -> None:
    for service, line, told in (
        ("orchestrator", ["generate", "a cat", "--pack", "narnia"], "kenya"),
        ("orchestrator", ["generate", "a cat", "--preset", "nouvelles"], "cinematic"),
        ("orchestrator", ["plan", "--template", "nobody"], "nobody"),
        ("prompt", ["templates", "create", "", "--name", "Nothing"], "body"),
    ):
        asked = [*line, "--address", desk.addresses[service]]
        answer = await asyncio.to_thread(CliRunner().invoke, app, asked)
        assert answer.exit_code == 4
        assert told in answer.stderr
