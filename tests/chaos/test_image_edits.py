"""Edits while the orchestrator is killed right behind their acceptance: each is made once."""

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest

from reelmesh.orchestrator.v1 import character_service_pb2 as pb
from reelmesh.orchestrator.v1.character_service_pb2_grpc import CharacterServiceStub
from reelmesh.orchestrator.v1.film_service_pb2 import CharacterSheet
from reelmesh.storage.v1 import storage_service_pb2
from reelmesh.storage.v1.storage_service_pb2_grpc import StorageServiceStub
from services.common.channels import Channel
from services.common.errors import Unavailable
from services.common.identity import Identity, IdentitySigner
from tests.servers import Nats
from tests.stack import SIGNING_KEY, Stack

pytestmark = [pytest.mark.timeout(180), pytest.mark.stress]
ENDED = {pb.ImageEdit.STATE_SUCCEEDED, pb.ImageEdit.STATE_FAILED}
DEATHS = 4


@pytest.fixture
def stack() -> Iterator[Stack]:
    nats = Nats()
    found = Stack(nats)
    try:
        found.start()
        yield found
    finally:
        found.close()
        nats.close()


async def told(call: Any, request: Any) -> Any:
    """The answer, once somebody is there to give it."""
    while True:
        try:
            return await call(request)
        except Unavailable:
            await asyncio.sleep(0.1)


async def ended(people: Any, name: str) -> pb.ImageEdit:
    """The edit when it has ended, whoever has to start again until then."""
    while True:
        answer = await told(people.GetImageEdit, pb.GetImageEditRequest(name=name))
        edit: pb.ImageEdit = answer.edit
        if edit.state in ENDED:
            return edit
        await asyncio.sleep(0.1)


async def reborn(stack: Stack) -> None:
    """Kill the orchestrator and start it again."""
    stack["orchestrator"].kill()
    stack["orchestrator"].start()
    await stack["orchestrator"].ready()


async def test_each_edit_is_made_once_and_each_commit_is_one_version(stack: Stack) -> None:
    signer, acme = IdentitySigner(SIGNING_KEY), Identity("acme")
    address = stack["orchestrator"].address
    async with Channel(address, signer, identity=acme) as channel:
        people = CharacterServiceStub(channel)
        sheet = CharacterSheet(name="Emma", description="a girl on a hill")
        emma = (await people.SetCharacter(pb.SetCharacterRequest(sheet=sheet))).character.name
        made = []
        for number in range(DEATHS):
            wish = pb.EditImageRequest(
                character=emma, prompt=f"at {number}", request_id=f"p{number}"
            )
            preview = (await people.EditImage(wish)).edit
            await reborn(stack)
            assert (await told(people.EditImage, wish)).edit.name == preview.name
            made.append(await ended(people, preview.name))
            commit = pb.CommitImageEditRequest(name=preview.name, request_id=f"c{number}")
            full = (await people.CommitImageEdit(commit)).edit
            await reborn(stack)
            assert (await told(people.CommitImageEdit, commit)).edit.name == full.name
            made.append(await ended(people, full.name))
        found = (await people.GetCharacter(pb.GetCharacterRequest(name=emma))).character
    assert {edit.state for edit in made} == {pb.ImageEdit.STATE_SUCCEEDED}, made
    assert [each.edit for each in found.versions] == ["", *(edit.name for edit in made[1::2])]
    assert [edit.seed for edit in made[::2]] == [edit.seed for edit in made[1::2]]
    async with Channel(stack["storage"].address, signer, identity=acme) as channel:
        request = storage_service_pb2.ListAssetsRequest(page_size=200)
        kept = (await StorageServiceStub(channel).ListAssets(request)).assets
    assert sorted(asset.name for asset in kept) == sorted(edit.asset for edit in made)
