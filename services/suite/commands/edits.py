"""Edits of pictures: ``reelmesh edit preview|commit|show|list``."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Column, Table
from rich.text import Text

from reelmesh.orchestrator.v1 import character_service_pb2 as pb
from reelmesh.orchestrator.v1.character_service_pb2_grpc import CharacterServiceStub
from services.common.ids import new_id
from services.suite.channel import channel_to
from services.suite.commands.display import money
from services.suite.commands.session import (
    EXIT_CODES,
    EXIT_ENDED_WITHOUT_VIDEO,
    Address,
    ApiKey,
    AsJson,
    out,
    print_json,
    run,
)
from services.suite.film_client import dollars

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from reelmesh.orchestrator.v1.character_service_pb2_grpc import CharacterServiceAsyncStub

LOOK_SECONDS = 0.3
PAGE = 200
ENDED = frozenset({pb.ImageEdit.STATE_SUCCEEDED, pb.ImageEdit.STATE_FAILED})
edits = typer.Typer(no_args_is_help=True, help="Edit a picture by words: a preview, then in full.")
Edit = Annotated[str, typer.Argument(help='The edit, "imageEdits/…".')]
Limit = Annotated[str, typer.Option(help="Most that it may cost, in dollars.")]
Wait = Annotated[bool, typer.Option(help="Wait until it is made.")]


@asynccontextmanager
async def character_service(address: str, api_key: str) -> AsyncIterator[CharacterServiceAsyncStub]:
    """The service of characters and edits, for the length of a block."""
    async with channel_to(address, api_key) as channel:
        yield CharacterServiceStub(channel)


@edits.command("preview", epilog=EXIT_CODES)
def preview(
    source: Annotated[str, typer.Argument(help='What is edited: "assets/…" or "characters/…".')],
    prompt: Annotated[str, typer.Argument(help="What is to be made of it.")],
    model: Annotated[str, typer.Option(help="A model, by id; else the cheapest able one.")] = "",
    seed: Annotated[int | None, typer.Option(min=0, help="Seed.")] = None,
    aspect_ratio: Annotated[str, typer.Option(help='Such as "1:1".')] = "",
    budget_limit: Limit = "",
    wait: Wait = True,
    as_json: AsJson = False,
    address: Address = "",
    api_key: ApiKey = "",
) -> None:
    """Make a small picture of what the words make of an asset or a character.

    Example: reelmesh edit preview characters/532b0d1c… "in a blue coat" --budget-limit 0.01
    """
    request = pb.EditImageRequest(
        prompt=prompt,
        model=model,
        seed=seed,
        aspect_ratio=aspect_ratio,
        budget_limit=dollars(budget_limit) if budget_limit else None,
        request_id=new_id(),
    )
    if source.startswith("characters/"):
        request.character = source
    elif source.startswith("assets/"):
        request.asset = source
    else:
        message = f'{source!r} is neither "assets/…" nor "characters/…"; `reelmesh character list`'
        raise typer.BadParameter(message, param_hint="source")

    async def work() -> pb.ImageEdit:
        async with character_service(address, api_key) as service:
            found = (await service.EditImage(request)).edit
            return await _followed(service, found) if wait else found

    _show_edit(run(work, address), as_json=as_json)


@edits.command("commit", epilog=EXIT_CODES)
def commit(
    name: Edit,
    resolution: Annotated[str, typer.Option(help="Size; else the largest.")] = "",
    description: Annotated[str, typer.Option(help="The character in words from now on.")] = "",
    budget_limit: Limit = "",
    wait: Wait = True,
    as_json: AsJson = False,
    address: Address = "",
    api_key: ApiKey = "",
) -> None:
    """Make a preview in full, with its seed; a character's sheet then has the new picture.

    Example: reelmesh edit commit imageEdits/01k… --description "ten, in a blue coat"
    """
    request = pb.CommitImageEditRequest(
        name=name,
        resolution=resolution,
        description=description,
        budget_limit=dollars(budget_limit) if budget_limit else None,
        request_id=new_id(),
    )

    async def work() -> pb.ImageEdit:
        async with character_service(address, api_key) as service:
            found = (await service.CommitImageEdit(request)).edit
            return await _followed(service, found) if wait else found

    _show_edit(run(work, address), as_json=as_json)


@edits.command("show", epilog=EXIT_CODES)
def show_edit(
    name: Edit, as_json: AsJson = False, address: Address = "", api_key: ApiKey = ""
) -> None:
    """Show an edit: what it was made from, by which model, and where it can be seen.

    Example: reelmesh edit show imageEdits/01k…
    """

    async def work() -> pb.ImageEdit:
        async with character_service(address, api_key) as service:
            return (await service.GetImageEdit(pb.GetImageEditRequest(name=name))).edit

    _show_edit(run(work, address), as_json=as_json)


@edits.command("list", epilog=EXIT_CODES)
def list_edits(
    limit: Annotated[int, typer.Option(min=1, max=PAGE, help="At most so many.")] = 50,
    as_json: AsJson = False,
    address: Address = "",
    api_key: ApiKey = "",
) -> None:
    """List the newest edits, and say where there are older ones.

    Example: reelmesh edit list --limit 10
    """

    async def work() -> pb.ListImageEditsResponse:
        async with character_service(address, api_key) as service:
            return await service.ListImageEdits(pb.ListImageEditsRequest(page_size=limit))

    found = run(work, address)
    if as_json:
        print_json(found)
        return
    # What is typed again is never cut.
    name = Column("edit", no_wrap=True, overflow="fold")
    table = Table(name, "state", "of", "size", "cost", "asked", box=None, pad_edge=False)
    for each in found.edits:
        source = each.preview or each.character or each.parent
        row = (each.name, _state(each), source, each.resolution, money(each.cost), each.prompt)
        table.add_row(*map(Text, row))
    out.print(table)
    if found.next_page_token:
        out.print(f"There are older ones; --limit shows up to {PAGE}.")


async def _followed(service: CharacterServiceAsyncStub, edit: pb.ImageEdit) -> pb.ImageEdit:
    while edit.state not in ENDED:
        await asyncio.sleep(LOOK_SECONDS)
        edit = (await service.GetImageEdit(pb.GetImageEditRequest(name=edit.name))).edit
    return edit


def _state(edit: pb.ImageEdit) -> str:
    return pb.ImageEdit.State.Name(edit.state).removeprefix("STATE_").lower()


def _show_edit(edit: pb.ImageEdit, *, as_json: bool) -> None:
    if as_json:
        print_json(edit)
    else:
        seed = f", seed {edit.seed}" if edit.HasField("seed") else ""
        stand_in = ", a sketch" if edit.placeholder else ""
        out.print(Text(f"{edit.name}  {_state(edit)}{stand_in}  {money(edit.cost)}"))
        out.print(Text(f"  by      {edit.model} {edit.resolution}{seed}"))
        out.print(Text(f"  from    {edit.parent or 'words alone'}"))
        if edit.asset:
            out.print(Text(f"  asset   {edit.asset}"))
            out.print(Text(f"  see     {edit.content_url}"), soft_wrap=True)
        if edit.version:
            out.print(Text(f"  is now version {edit.version} of {edit.character}"))
        if edit.HasField("error"):
            out.print(Text(f"  error   {edit.error.message}", style="red"))
    if edit.state == pb.ImageEdit.STATE_FAILED:
        raise typer.Exit(EXIT_ENDED_WITHOUT_VIDEO)
