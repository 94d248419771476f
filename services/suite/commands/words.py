"""What the suite understands of words: ``reelmesh prompt`` and ``reelmesh script``."""

from __future__ import annotations

import sys
import tempfile
from contextlib import asynccontextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Annotated, Literal

import typer
from google.protobuf.duration_pb2 import Duration

from reelmesh.prompt.v1 import prompt_pb2
from reelmesh.prompt.v1 import prompt_service_pb2 as pb
from reelmesh.prompt.v1.prompt_service_pb2_grpc import PromptServiceStub
from services.common.channels import Channel
from services.common.telemetry import configure_logging
from services.suite.channel import channel_to
from services.suite.commands.session import EXIT_CODES, ApiKey, AsJson, print_json, run
from services.suite.commands.styling import (
    Look,
    Pack,
    Template,
    Values,
    template_name,
    template_values,
)
from services.suite.commands.words_display import show_breakdown, show_prompt
from services.suite.settings import ClientSettings, load_env_file

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from reelmesh.prompt.v1.prompt_service_pb2_grpc import PromptServiceAsyncStub

_ENHANCE = {
    "auto": prompt_pb2.ENHANCE_AUTO,
    "on": prompt_pb2.ENHANCE_ON,
    "off": prompt_pb2.ENHANCE_OFF,
}
_MOST_BYTES = 8_000_000

Address = Annotated[
    str,
    typer.Option(
        help="host:port of a prompt service; without one it runs in this process. "
        "[env: PROMPT_ADDRESS]"
    ),
]
EnvFile = Annotated[Path, typer.Option(help="Variables to read, if it exists.")]
Language = Annotated[str, typer.Option(help='Of the messages, "en" or "sw"; empty detects it.')]
File = Annotated[str, typer.Argument(metavar="FILE", help="The script; - reads standard input.")]


@asynccontextmanager
async def _prompts(address: str, api_key: str) -> AsyncIterator[PromptServiceAsyncStub]:
    """A prompt service: the one at the address, or one that lives as long as the command."""
    address = address or ClientSettings().prompt_address
    if address:
        async with channel_to(address, api_key) as channel:
            yield PromptServiceStub(channel)
        return
    # Imported here: it reads every pack, which `reelmesh --help` need not wait for.
    from services.prompt import __main__ as prompt  # noqa: PLC0415 - see above
    from services.prompt.settings import Settings  # noqa: PLC0415 - see above

    configure_logging(SimpleNamespace(log_level="error", log_format="console"))
    with tempfile.TemporaryDirectory(prefix="reelmesh-") as folder:
        settings = Settings(
            address="127.0.0.1:0",
            metrics_address="",
            data_dir=Path(folder),
            database_url="",
            auth=False,
        )
        async with prompt.running(settings) as here, Channel(here) as channel:
            yield PromptServiceStub(channel)


def prompt(
    text: Annotated[str, typer.Argument(metavar="PROMPT", help="What is to be seen.")] = "",
    duration: Annotated[float | None, typer.Option(help="Seconds.")] = None,
    aspect_ratio: Annotated[str, typer.Option(help='Such as "16:9".')] = "",
    resolution: Annotated[str, typer.Option(help='Such as "720p".')] = "",
    style: Annotated[str, typer.Option(help='Such as "cinematic".')] = "",
    enhance: Annotated[
        Literal["auto", "on", "off"], typer.Option(help="How far your words may be changed.")
    ] = "auto",
    preset: Look = "",
    pack: Pack = None,
    template: Template = "",
    values: Values = None,
    feedback: Annotated[str, typer.Option(help='A change, such as "slower, no people".')] = "",
    language: Language = "",
    env_file: EnvFile = Path(".env"),
    as_json: AsJson = False,
    address: Address = "",
    api_key: ApiKey = "",
) -> None:
    """Say what is understood of a prompt, and what would be sent to a model. Nothing is made.

    Example: reelmesh prompt "A dhow at sunset, slow pan left" --feedback "warmer, no people"
    """
    load_env_file(env_file)
    request = pb.QuantifyPromptRequest(
        prompt=text,
        parameters=prompt_pb2.VideoParameters(
            duration=_length(duration),
            aspect_ratio=aspect_ratio,
            resolution=resolution,
            style=style,
        ),
        enhance=_ENHANCE[enhance],
        language=language,
        preset=preset,
        packs=pack or (),
        template=template_name(template),
        template_values=template_values(values),
    )

    async def work() -> tuple[prompt_pb2.QuantifiedPrompt, pb.RegeneratePromptResponse | None]:
        async with _prompts(address, api_key) as prompts:
            found = (await prompts.QuantifyPrompt(request)).quantified_prompt
            if not feedback:
                return found, None
            wish = pb.RegeneratePromptRequest(previous=found, feedback=feedback)
            return found, await prompts.RegeneratePrompt(wish)

    first, changed = run(work, address)
    if as_json:
        print_json(changed or first)
    else:
        show_prompt(first, changed)


def _length(seconds: float | None) -> Duration | None:
    if seconds is None:
        return None
    return Duration(seconds=int(seconds), nanos=round(seconds % 1 * 1e9))


def script(
    file: File,
    form: Annotated[
        Literal["", "fountain", "prose", "shots_json"],
        typer.Option("--format", help="How it is written; empty detects it.", show_default=False),
    ] = "",
    language: Annotated[str, typer.Option(help="Of the script; empty detects it.")] = "",
    brief: Annotated[
        bool, typer.Option("--brief", help="Scenes and characters, no shots.")
    ] = False,
    env_file: EnvFile = Path(".env"),
    as_json: AsJson = False,
    address: Address = "",
    api_key: ApiKey = "",
) -> None:
    """Break a script into scenes, shots and characters. Nothing is made.

    Reads Fountain and plain screenplays, plays, stories in prose, and shot lists in JSON.

    Example: reelmesh script attic.fountain --brief
    """
    load_env_file(env_file)
    request = pb.BreakDownScriptRequest(script=_text_of(file), format=form, language=language)

    async def work() -> prompt_pb2.ScriptBreakdown:
        async with _prompts(address, api_key) as prompts:
            return (await prompts.BreakDownScript(request)).breakdown

    found = run(work, address)
    if as_json:
        print_json(found)
    else:
        show_breakdown(found, brief=brief)


def _text_of(file: str) -> str:
    """The text of a file in UTF-8, with or without a byte order mark."""
    try:
        if file == "-":
            data = sys.stdin.buffer.read(_MOST_BYTES + 1)
        else:
            with Path(file).open("rb") as source:
                data = source.read(_MOST_BYTES + 1)
        if len(data) > _MOST_BYTES:
            message = f"{file} is larger than {_MOST_BYTES} bytes"
            raise typer.BadParameter(message, param_hint="FILE")
        return data.decode("utf-8-sig")
    except OSError as error:
        message = f"{file}: {error.strerror}"
        raise typer.BadParameter(message, param_hint="FILE") from error
    except UnicodeDecodeError as error:
        message = f"{file} is not UTF-8 text (at byte {error.start}); save it as plain text"
        raise typer.BadParameter(message, param_hint="FILE") from error


def register(app: typer.Typer) -> None:
    """Add the commands of this module to ``app``."""
    for command in (prompt, script):
        app.command(epilog=EXIT_CODES, rich_help_panel="Words")(command)
