"""``reelmesh templates``: prompts with holes, and the looks and cultures that are installed."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table
from rich.text import Text

from reelmesh.prompt.v1 import prompt_service_pb2 as pb
from reelmesh.prompt.v1.prompt_pb2 import Template
from reelmesh.prompt.v1.prompt_service_pb2_grpc import PromptServiceStub
from services.common.ids import new_id
from services.suite.channel import channel_to
from services.suite.commands.session import EXIT_CODES, ApiKey, AsJson, out, print_json, run
from services.suite.commands.styling import template_name
from services.suite.settings import ClientSettings

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from reelmesh.prompt.v1.prompt_service_pb2_grpc import PromptServiceAsyncStub

_HERE = "127.0.0.1:50054"
_NAME_CHARACTERS = 40

app = typer.Typer(no_args_is_help=True, help="Prompts with holes, looks and cultures.")

Address = Annotated[
    str, typer.Option("--address", help="host:port of the prompt service [env: PROMPT_ADDRESS]")
]


@asynccontextmanager
async def _prompts(address: str, api_key: str) -> AsyncIterator[PromptServiceAsyncStub]:
    async with channel_to(_at(address), api_key) as channel:
        yield PromptServiceStub(channel)


def _at(address: str) -> str:
    return address or ClientSettings().prompt_address or _HERE


@app.command("create", epilog=EXIT_CODES)
def create(
    body: Annotated[
        str, typer.Argument(help='Text with holes, such as "a {animal} at {time_of_day}".')
    ],
    display_name: Annotated[
        str, typer.Option("--name", help="Name for people; unset takes the text's beginning.")
    ] = "",
    change: Annotated[
        str, typer.Option("--change", metavar="ID", help="Make the next version of this one.")
    ] = "",
    as_json: AsJson = False,
    address: Address = "",
    api_key: ApiKey = "",
) -> None:
    """Keep a template, or the next version of one; older versions stay as they are.

    Example: reelmesh templates create "a {animal} in {place}, golden light" --name Safari
    """
    known_as = display_name or body[:_NAME_CHARACTERS]
    template = Template(name=template_name(change), display_name=known_as, body=body)

    async def work() -> Template:
        asked = pb.CreateTemplateRequest(template=template, request_id=new_id())
        async with _prompts(address, api_key) as prompts:
            return (await prompts.CreateTemplate(asked)).template

    made = run(work, _at(address))
    print_json(made) if as_json else _show([made])


@app.command("list", epilog=EXIT_CODES)
def list_templates(
    limit: Annotated[int, typer.Option(min=1, max=200, help="How many.")] = 50,
    as_json: AsJson = False,
    address: Address = "",
    api_key: ApiKey = "",
) -> None:
    """List your templates, the newest version of each.

    Example: reelmesh templates list
    """

    async def work() -> list[Template]:
        async with _prompts(address, api_key) as prompts:
            answer = await prompts.ListTemplates(pb.ListTemplatesRequest(page_size=limit))
        return list(answer.templates)

    found = run(work, _at(address))
    print_json([*found]) if as_json else _show(found)


@app.command("presets", epilog=EXIT_CODES)
def presets(as_json: AsJson = False, address: Address = "", api_key: ApiKey = "") -> None:
    """List the looks for --preset and the cultures for --pack.

    Example: reelmesh templates presets
    """

    async def work() -> pb.ListPresetsResponse:
        async with _prompts(address, api_key) as prompts:
            return await prompts.ListPresets(pb.ListPresetsRequest())

    found = run(work, _at(address))
    if as_json:
        print_json(found)
        return
    table = Table("look", "kind", "adds to the words", box=None)
    for preset in found.presets:
        table.add_row(preset.id, preset.kind, preset.phrase)
    out.print(table)
    out.print(f"packs: {', '.join(found.packs)}")


def _show(templates: list[Template]) -> None:
    table = Table("template", "name", "text", box=None)
    for each in templates:
        identifier = each.name.removeprefix("templates/")
        table.add_row(f"{identifier}@{each.version}", Text(each.display_name), Text(each.body))
    out.print(table)
