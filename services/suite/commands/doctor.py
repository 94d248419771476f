"""``reelmesh doctor``: what is configured, what is missing, and what a request would do."""

from __future__ import annotations

import os
import platform
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated

import imageio_ffmpeg
import typer
from rich.text import Text

from reelmesh.orchestrator.v1.video_job_pb2 import VideoModel
from reelmesh.orchestrator.v1.video_service_pb2 import ListVideoModelsRequest
from services.common.errors import ServiceError
from services.common.nats_server import find_binary
from services.prompt.settings import Settings as PromptSettings
from services.storage.settings import Settings as StorageSettings
from services.suite import data_dir as folder
from services.suite.commands.session import (
    EXIT_CODES,
    Address,
    ApiKey,
    AsJson,
    connected,
    database_settings,
    out,
    print_json,
    run,
)
from services.suite.settings import SuiteSettings, load_env_file, vendor_keys

_MARKS = {"ok": ("ok", "green"), "note": ("--", "yellow"), "bad": ("!!", "red")}


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at; ``level`` is ok, note (works without) or bad."""

    level: str
    topic: str
    text: str


def doctor(
    data_dir: Annotated[
        Path | None, typer.Option(help="Folder of the suite [env: REELMESH_DATA_DIR]")
    ] = None,
    env_file: Annotated[Path, typer.Option(help="Variables to read, if it exists.")] = Path(".env"),
    as_json: AsJson = False,
    address: Address = "",
    api_key: ApiKey = "",
) -> None:
    """Say what is configured, what is missing, and what a request would do. Changes nothing.

    Example: reelmesh doctor
    """
    load_env_file(env_file)

    async def work() -> list[Finding]:
        settings = SuiteSettings(data_dir=data_dir) if data_dir else SuiteSettings()
        return [
            Finding("ok", "python", f"{platform.python_version()} on {platform.machine()}"),
            _programs("nats-server", settings.nats_url),
            Finding("ok", "ffmpeg", imageio_ffmpeg.get_ffmpeg_exe()),
            _folder(settings.data_dir),
            await _database(),
            await _objects(),
            _prompts(),
            _access(settings),
            *_vendors(settings),
            await _suite(address, api_key),
        ]

    found = run(work, address)
    if as_json:
        print_json({"findings": [asdict(finding) for finding in found]})
    else:
        for finding in found:
            mark, colour = _MARKS[finding.level]
            line = Text.assemble((f"{mark} ", colour), f"{finding.topic:12} {finding.text}")
            out.print(line, soft_wrap=True)
    if any(finding.level == "bad" for finding in found):
        raise typer.Exit(1)


def _programs(name: str, url: str) -> Finding:
    if url:
        return Finding("ok", "event bus", f"NATS at {url}")
    try:
        return Finding("ok", "event bus", f"started by the suite: {find_binary(name)}")
    except ServiceError as error:
        return Finding("bad", "event bus", error.message)


def _folder(path: Path) -> Finding:
    place = path.absolute()
    parent = next(each for each in (place, *place.parents) if each.exists())
    if not os.access(parent, os.W_OK):
        return Finding("bad", "data", f"{place} cannot be written: choose --data-dir")
    if not path.exists():
        return Finding("ok", "data", f"{place} (made at the first start)")
    running = folder.holder(path)
    return Finding("ok", "data", f"{place}{f', in use by process {running}' if running else ''}")


async def _database() -> Finding:
    settings = database_settings(None)
    if not settings.database_url:
        return Finding("ok", "database", "SQLite, one file per service in the data folder")
    from services.common.database import Database  # noqa: PLC0415 - only here, and slow to import

    try:
        async with Database(settings.database_url, schema="access", pool_size=1) as database:
            await database.ping()
    except (OSError, ValueError, ServiceError) as error:
        return Finding("bad", "database", f"DATABASE_URL does not work: {type(error).__name__}")
    return Finding("ok", "database", "PostgreSQL at DATABASE_URL answers")


async def _objects() -> Finding:
    settings = StorageSettings(auth=False)
    if not settings.on_s3:
        return Finding("ok", "objects", "a folder, served by the gateway; S3 with S3_BUCKET_NAME")
    from services.storage.__main__ import check_objects  # noqa: PLC0415 - only here, and slow to import

    bucket = f"S3 bucket {settings.bucket}"
    try:
        await check_objects(settings)
    except ServiceError as error:
        return Finding("bad", "objects", f"{bucket}: {error.message}")
    return Finding("ok", "objects", f"{bucket} answers")


def _prompts() -> Finding:
    model = PromptSettings(auth=False).llm_model
    if model:
        return Finding("ok", "prompts", f"understood by {model}, by rules when it fails")
    return Finding("note", "prompts", "understood by rules; PROMPT_LLM_MODEL names a model")


def _access(settings: SuiteSettings) -> Finding:
    if settings.auth:
        return Finding("ok", "access", "API keys; `reelmesh keys create` makes one")
    return Finding("ok", "access", f"open to this machine alone ({settings.host})")


def _vendors(settings: SuiteSettings) -> list[Finding]:
    keys = vendor_keys()
    present = [name for name, is_set in keys.items() if is_set]
    missing = [name for name, is_set in keys.items() if not is_set]
    stand_in = (
        "a request without a model is drawn by the storyboard placeholder, marked as such, for $0"
        if settings.allow_placeholder
        else "a request is refused: the placeholder is off (ORCHESTRATOR_ALLOW_PLACEHOLDER)"
    )
    found = [Finding("ok", "vendors", f"keys set: {', '.join(present)}")] if present else []
    if missing:
        found.append(Finding("note", "vendors", f"keys not set: {', '.join(missing)}"))
    if not present:
        found.append(Finding("note", "would do", stand_in))
    return found


async def _suite(address: str, api_key: str) -> Finding:
    try:
        async with connected(address, api_key) as videos:
            models = (await videos.ListVideoModels(ListVideoModelsRequest(), timeout=3)).models
    except ServiceError as error:
        return Finding("note", "suite", f"not reached ({error.reason}); `reelmesh serve` starts it")
    ready = sum(model.availability == VideoModel.AVAILABILITY_READY for model in models)
    return Finding("ok", "suite", f"answers; {ready} of {len(models)} models are ready")


def register(app: typer.Typer) -> None:
    """Add the command to ``app``."""
    app.command(epilog=EXIT_CODES, rich_help_panel="Operation")(doctor)
