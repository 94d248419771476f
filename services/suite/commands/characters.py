"""Characters: ``reelmesh character set|list|show``."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.table import Column, Table
from rich.text import Text

from reelmesh.orchestrator.v1 import character_service_pb2 as pb
from reelmesh.orchestrator.v1.film_service_pb2 import CharacterSheet
from services.suite.commands.edits import PAGE, character_service, edits
from services.suite.commands.session import (
    EXIT_CODES,
    Address,
    ApiKey,
    AsJson,
    out,
    print_json,
    run,
)

characters = typer.Typer(no_args_is_help=True, help="Who is seen in films, and how they look.")


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
        async with character_service(address, api_key) as service:
            return (await service.SetCharacter(pb.SetCharacterRequest(sheet=sheet))).character

    _show_character(run(work, address), as_json=as_json)


@characters.command("list", epilog=EXIT_CODES)
def list_characters(as_json: AsJson = False, address: Address = "", api_key: ApiKey = "") -> None:
    """List all the characters that there are, by name.

    Example: reelmesh character list
    """

    async def work() -> pb.ListCharactersResponse:
        found = pb.ListCharactersResponse()
        async with character_service(address, api_key) as service:
            request = pb.ListCharactersRequest(page_size=PAGE)
            while True:
                page = await service.ListCharacters(request)
                found.characters.extend(page.characters)
                request.page_token = page.next_page_token
                if not request.page_token:
                    return found

    found = run(work, address)
    if as_json:
        print_json(found)
        return
    # What is typed again is never cut.
    name = Column("character", no_wrap=True, overflow="fold")
    table = Table(name, "who", "version", "picture", "looks", box=None, pad_edge=False)
    for each in found.characters:
        sheet = each.sheet
        row = (each.name, sheet.name, str(each.version), sheet.reference, sheet.description)
        table.add_row(*map(Text, row))
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
        async with character_service(address, api_key) as service:
            return (await service.GetCharacter(pb.GetCharacterRequest(name=name))).character

    _show_character(run(work, address), as_json=as_json)


def _show_character(found: pb.Character, *, as_json: bool) -> None:
    if as_json:
        print_json(found)
        return
    out.print(Text(f"{found.sheet.name}  {found.name}, version {found.version}"))
    for each in found.versions:
        came = f", by {each.edit}" if each.edit else ""
        out.print(Text(f"  {each.version}  {each.sheet.reference} {each.sheet.description}{came}"))


def register(app: typer.Typer) -> None:
    """Add the commands to ``app``."""
    app.add_typer(characters, name="character", rich_help_panel="Jobs")
    app.add_typer(edits, name="edit", rich_help_panel="Jobs")
