"""How a command talks to the suite: options that all share, the channel, errors with advice."""

from __future__ import annotations

import asyncio
import json
import sys
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple, NoReturn, TypeVar

import grpc
import typer
from google.protobuf import json_format
from pydantic import ValidationError
from rich.console import Console

from reelmesh.orchestrator.v1.video_service_pb2_grpc import VideoServiceStub
from services.common import errors
from services.common.settings import MisconfiguredError, ServiceSettings
from services.common.status import DETAILS_KEY
from services.suite.channel import channel_to
from services.suite.settings import ClientSettings

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Coroutine
    from pathlib import Path

    from google.protobuf.message import Message

    from reelmesh.orchestrator.v1.video_service_pb2_grpc import VideoServiceAsyncStub

T = TypeVar("T")

EXIT_ENDED_WITHOUT_VIDEO = 1
EXIT_USAGE = 2
EXIT_UNREACHABLE = 3
EXIT_REFUSED = 4
EXIT_KEY = 5
EXIT_INCOMPLETE = 6
EXIT_CODES = (
    "Exit codes: 0 done, 1 no video or a defect, 2 wrong usage, 3 the suite cannot be reached, "
    "4 the request was refused, 5 the API key was, 6 an export lacks something."
)

out = Console(highlight=False)
err = Console(stderr=True, highlight=False)

Address = Annotated[
    str, typer.Option("--address", help="host:port of the orchestrator [env: REELMESH_ADDRESS]")
]
ApiKey = Annotated[str, typer.Option("--api-key", help="API key [env: REELMESH_API_KEY]")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for programs.")]


@asynccontextmanager
async def connected(address: str, api_key: str) -> AsyncIterator[VideoServiceAsyncStub]:
    """Open a channel to the orchestrator; empty arguments are read from the environment."""
    async with channel_to(address, api_key) as channel:
        yield VideoServiceStub(channel)


def run(
    work: Callable[[], Coroutine[Any, Any, T]],
    address: str = "",
    *,
    part: str = "orchestrator",
    runner: Callable[[Coroutine[Any, Any, T]], T] = asyncio.run,
) -> T:
    """Run one command; an error ends the process with advice and the documented exit code.

    ``part`` is what is asked at ``address``: the orchestrator or storage.
    """
    try:
        return runner(work())
    except errors.ServiceError as error:
        _stop(error, Asked(part, address or ClientSettings().address))
    except MisconfiguredError as error:
        err.print(str(error), markup=False, soft_wrap=True)
        raise typer.Exit(EXIT_USAGE) from None
    except ValidationError as error:
        for item in error.errors():
            where = ".".join(map(str, item["loc"]))
            err.print(f"[red]{where or 'settings'}[/]: {item['msg']}", soft_wrap=True)
        raise typer.Exit(EXIT_USAGE) from None
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        what = error.strerror or str(error) or type(error).__name__
        err.print(f"{where}{what}", markup=False, soft_wrap=True)
        raise typer.Exit(EXIT_USAGE) from None
    except KeyboardInterrupt:
        raise typer.Exit(130) from None


class Asked(NamedTuple):
    """What a command has asked, and where."""

    part: str
    address: str

    @property
    def named(self) -> str:
        """How a caller says where it is."""
        return f"name {_PARTS[self.part]}"


_PARTS = {
    "orchestrator": "the orchestrator with --address or REELMESH_ADDRESS",
    "storage": "storage with --address or STORAGE_ADDRESS",
}


def _stop(error: errors.ServiceError, asked: Asked) -> NoReturn:
    err.print(f"[red]{error.reason}[/]: ", end="")
    err.print(error.message, markup=False, soft_wrap=True)
    advice, code = _advice(error, asked)
    if advice:
        err.print(advice, markup=False, soft_wrap=True)
    raise typer.Exit(code)


# What lists the things of a kind that was not found, and what they are called.
_LISTS = {
    "asset": ("assets", "assets"),
    "character": ("character list", "characters"),
    "image edit": ("edit list", "edits"),
    "film": ("films list", "films"),
    "videoJob": ("jobs", "jobs"),
}


def _advice(error: errors.ServiceError, asked: Asked) -> tuple[str, int]:
    if isinstance(error, errors.Unavailable | errors.DeadlineExceeded):
        return _away(error, asked)
    if isinstance(error, errors.Unauthenticated | errors.PermissionDenied):
        return _key(error)
    if isinstance(error, errors.Internal):
        return "This is a defect: `reelmesh serve` has logged what was wrong.", 1
    return _refused(error, asked), EXIT_REFUSED


def _refused(error: errors.ServiceError, asked: Asked) -> str:
    if isinstance(error, errors.NoCredentials):
        return "`reelmesh doctor` lists what is configured and what is missing."
    if isinstance(error, errors.Unimplemented):
        return f"What answers at {asked.address} is another service: {asked.named}."
    if isinstance(error, errors.NotFound) and error.metadata.get("kind") in _LISTS:
        command, there = _LISTS[error.metadata["kind"]]
        return f"`reelmesh {command}` lists the {there} there are."
    return ""


def _key(error: errors.ServiceError) -> tuple[str, int]:
    """Return what a key must be like; a refusal that names no scope is about something else."""
    scope = error.metadata.get("scope", "")
    if isinstance(error, errors.PermissionDenied) and not scope:
        return "", EXIT_REFUSED
    options = f"--tenant NAME --scope {scope}" if scope else "--tenant NAME"
    return (
        f"Make a key with `reelmesh keys create {options}` and pass it with --api-key or "
        "REELMESH_API_KEY.",
        EXIT_KEY,
    )


def _away(error: errors.ServiceError, asked: Asked) -> tuple[str, int]:
    storage = error.metadata.get("storage", "")
    if _answered(error):
        return "Something that it needs is away for now: try it again later.", EXIT_REFUSED
    if storage:
        return f"No storage answers at {storage}: name it with STORAGE_ADDRESS.", EXIT_UNREACHABLE
    return (
        f"Nothing answers at {asked.address}. Start the suite with `reelmesh serve` in another "
        f"terminal, or {asked.named}.",
        EXIT_UNREACHABLE,
    )


def _answered(error: errors.ServiceError) -> bool:
    """Whether a service has said so itself, and not gRPC here because none was reached."""
    told = error.__cause__
    if not isinstance(told, grpc.aio.AioRpcError):
        return False
    return any(key == DETAILS_KEY for key, _ in told.trailing_metadata() or ())


def print_json(value: Message | list[Message] | dict[str, object]) -> None:
    """Print one JSON document on one line: proto3 JSON for messages."""
    if isinstance(value, list):
        data: object = [json_format.MessageToDict(item) for item in value]
    elif isinstance(value, dict):
        data = value
    else:
        data = json_format.MessageToDict(value)
    sys.stdout.write(json.dumps(data, ensure_ascii=False) + "\n")
    sys.stdout.flush()


def job_name(identifier: str) -> str:
    """Return ``videoJobs/{id}`` for an id or a name."""
    return identifier if identifier.startswith("videoJobs/") else f"videoJobs/{identifier}"


def database_settings(data_dir: Path | None) -> ServiceSettings:
    """Return where the databases are; nothing listens here, so nothing needs to be guarded."""
    given: dict[str, Any] = {"data_dir": data_dir} if data_dir else {}
    return ServiceSettings(auth=False, **given)
