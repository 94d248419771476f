"""Characters and edits of pictures: ``reelmesh character set|list|show``, ``reelmesh edit …``."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Column, Table
from rich.text import Text

from reelmesh.orchestrator.v1 import character_service_pb2 as pb
from reelmesh.orchestrator.v1.character_service_pb2_grpc import CharacterServiceStub
from reelmesh.orchestrator.v1.film_service_pb2 import CharacterSheet
from services.common.channels import Channel
from services.common.ids import new_id
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
from services.suite.settings import ClientSettings

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from reelmesh.orchestrator.v1.character_service_pb2_grpc import CharacterServiceAsyncStub

LOOK_SECONDS = 0.3
ENDED = frozenset({pb.ImageEdit.STATE_SUCCEEDED, pb.ImageEdit.STATE_FAILED})
characters = typer.Typer(no_args_is_help=True, help="Who is seen in films, and how they look.")
edits = typer.Typer(no_args_is_help=True, help="Edit a picture by words: a preview, then in full.")
Edit = Annotated[str, typer.Argument(help='The edit, "imageEdits/…".')]
Limit = Annotated[str, typer.Option(help="Most that it may cost, in dollars.")]
Wait = Annotated[bool, typer.Option(help="Wait until it is made.")]


@asynccontextmanager
async def _service(address: str, api_key: str) -> AsyncIterator[CharacterServiceAsyncStub]:
    found = ClientSettings()
    key = api_key or found.api_key.get_secret_value()
    async with Channel(address or found.address, api_key=key) as channel:
        yield CharacterServiceStub(channel)


@characters.command("set", epilog=EXIT_CODES)
def set_character(
    name: Annotated[str, typer.Argument(help="As the shots name it.")],
    description: Annotated[str, typer.Option(help="What it looks like in words.")] = "",
    reference: Annotated[str, typer.Option(help='Its picture, "assets/…" or a URL.')] = "",
    as_json: AsJson = False,
    address: Address = "",
    api_key: ApiKey = "",
) -> None:
    """Keep a character's sheet for films to come, as its next version.

    Example: reelmesh character set Emma --description "ten, in a red coat" --reference assets/0a1b
    """
    sheet = CharacterSheet(name=name, description=description, reference=reference)

    async def work() -> pb.Character:
        async with _service(address, api_key) as service:
            return (await service.SetCharacter(pb.SetCharacterRequest(sheet=sheet))).character

    _show_character(run(work, address), as_json=as_json)


@characters.command("list", epilog=EXIT_CODES)
def list_characters(as_json: AsJson = False, address: Address = "", api_key: ApiKey = "") -> None:
    """List the characters that there are.

    Example: reelmesh character list
    """

    async def work() -> pb.ListCharactersResponse:
        async with _service(address, api_key) as service:
            return await service.ListCharacters(pb.ListCharactersRequest(page_size=200))

    found = run(work, address)
    if as_json:
        print_json(found)
        return
    # What is typed again is never cut.
    name = Column("character", no_wrap=True, overflow="fold")
    table = Table(name, "who", "version", "picture", "looks", box=None, pad_edge=False)
    for each in found.characters:
        sheet = each.sheet
        table.add_row(each.name, sheet.name, str(each.version), sheet.reference, sheet.description)
    out.print(table)


@characters.command("show", epilog=EXIT_CODES)
def show_character(
    name: Annotated[str, typer.Argument(help='The character, "characters/…".')],
    as_json: AsJson = False,
    address: Address = "",
    api_key: ApiKey = "",
) -> None:
    """Show every version of a character's sheet.

    Example: reelmesh character show characters/532b0d1c…
    """

    async def work() -> pb.Character:
        async with _service(address, api_key) as service:
            return (await service.GetCharacter(pb.GetCharacterRequest(name=name))).character

    _show_character(run(work, address), as_json=as_json)


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
        async with _service(address, api_key) as service:
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
        async with _service(address, api_key) as service:
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
        async with _service(address, api_key) as service:
            return (await service.GetImageEdit(pb.GetImageEditRequest(name=name))).edit

    _show_edit(run(work, address), as_json=as_json)


async def _followed(service: CharacterServiceAsyncStub, edit: pb.ImageEdit) -> pb.ImageEdit:
    while edit.state not in ENDED:
        await asyncio.sleep(LOOK_SECONDS)
        edit = (await service.GetImageEdit(pb.GetImageEditRequest(name=edit.name))).edit
    return edit


def _show_character(found: pb.Character, *, as_json: bool) -> None:
    if as_json:
        print_json(found)
        return
    out.print(Text(f"{found.sheet.name}  {found.name}, version {found.version}"))
    for each in found.versions:
        came = f", by {each.edit}" if each.edit else ""
        out.print(Text(f"  {each.version}  {each.sheet.reference} {each.sheet.description}{came}"))


def _show_edit(edit: pb.ImageEdit, *, as_json: bool) -> None:
    if as_json:
        print_json(edit)
    else:
        state = pb.ImageEdit.State.Name(edit.state).removeprefix("STATE_").lower()
        stand_in = ", a sketch" if edit.placeholder else ""
        out.print(Text(f"{edit.name}  {state}{stand_in}  {money(edit.cost)}"))
        out.print(Text(f"  by      {edit.model} {edit.resolution}, seed {edit.seed}"))
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


def register(app: typer.Typer) -> None:
    """Add the commands to ``app``."""
    app.add_typer(characters, name="character", rich_help_panel="Jobs")
    app.add_typer(edits, name="edit", rich_help_panel="Jobs")
