"""`reelmesh character` and `reelmesh edit` against a scripted service: pages, seeds, advice."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from reelmesh.orchestrator.v1 import character_service_pb2 as pb
from reelmesh.orchestrator.v1.character_service_pb2_grpc import (
    CharacterServiceServicer,
    add_CharacterServiceServicer_to_server,
)
from reelmesh.orchestrator.v1.film_service_pb2 import CharacterSheet
from services.common.errors import NotFound
from services.common.server import serve
from services.common.settings import ServiceSettings
from services.suite.cli import app
from tests.stack import SIGNING_KEY

PEOPLE = [f"Person {n:03}" for n in range(205)]


class Scripted(CharacterServiceServicer):
    """Characters in pages, edits with and without a seed, and nothing else that is found."""

    async def ListCharacters(self, request: Any, context: Any) -> pb.ListCharactersResponse:
        start = int(request.page_token or 0)
        end = start + request.page_size
        return pb.ListCharactersResponse(
            characters=[
                pb.Character(name=f"characters/{name[-3:]}", sheet=CharacterSheet(name=name))
                for name in PEOPLE[start:end]
            ],
            next_page_token=str(end) if end < len(PEOPLE) else "",
        )

    async def GetCharacter(self, request: Any, context: Any) -> pb.GetCharacterResponse:
        raise NotFound("character", request.name)

    async def GetImageEdit(self, request: Any, context: Any) -> pb.GetImageEditResponse:
        seeds: dict[str, dict[str, Any]] = {"imageEdits/none": {}, "imageEdits/zero": {"seed": 0}}
        if request.name not in seeds:
            raise NotFound("image edit", request.name)
        state = pb.ImageEdit.STATE_SUCCEEDED
        edit = pb.ImageEdit(name=request.name, state=state, **seeds[request.name])
        return pb.GetImageEditResponse(edit=edit)

    async def ListImageEdits(self, request: Any, context: Any) -> pb.ListImageEditsResponse:
        names = [f"imageEdits/{n}" for n in range(3)]
        return pb.ListImageEditsResponse(
            edits=[
                pb.ImageEdit(name=name, state=pb.ImageEdit.STATE_RUNNING)
                for name in names[: request.page_size]
            ],
            next_page_token="more" if request.page_size < len(names) else "",
        )


@pytest.fixture
async def reelmesh(tmp_path: Path) -> AsyncIterator[Callable[..., Awaitable[Any]]]:
    """The command line, spoken to a scripted service."""
    settings = ServiceSettings(
        address="127.0.0.1:0", signing_key=SIGNING_KEY, data_dir=tmp_path, auth=False
    )
    scripted: Any = Scripted  # serves what the commands here call
    registration = (add_CharacterServiceServicer_to_server, scripted())
    async with serve(settings, [registration]) as listening:

        async def call(*arguments: str) -> Any:
            asked = [*arguments, "--address", listening.address]
            return await asyncio.to_thread(CliRunner().invoke, app, asked, env={"COLUMNS": "200"})

        yield call


async def test_every_character_is_listed_however_many_pages_there_are(reelmesh):
    told = (await reelmesh("character", "list")).output
    assert [name for name in PEOPLE if name not in told] == []


async def test_a_seed_is_told_where_there_is_one(reelmesh):
    assert "seed" not in (await reelmesh("edit", "show", "imageEdits/none")).output
    assert "seed 0" in (await reelmesh("edit", "show", "imageEdits/zero")).output


async def test_edits_are_listed_and_it_is_said_where_there_are_more(reelmesh):
    everything = (await reelmesh("edit", "list")).output
    assert ("imageEdits/2" in everything, "older ones" in everything) == (True, False)
    some = (await reelmesh("edit", "list", "--limit", "2")).output
    assert ("imageEdits/2" in some, "older ones" in some) == (False, True)


@pytest.mark.parametrize(
    ("asked", "advice"),
    [
        (("character", "show", "characters/0"), "reelmesh character list"),
        (("edit", "show", "imageEdits/0"), "reelmesh edit list"),
    ],
)
async def test_what_is_not_there_is_answered_with_what_lists_what_is(reelmesh, asked, advice):
    done = await reelmesh(*asked)
    assert (done.exit_code, advice in done.output) == (4, True), done.output
