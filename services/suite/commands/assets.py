"""What a tenant has in storage: ``reelmesh export`` takes it along, ``recipe`` makes it again."""

from __future__ import annotations

import contextlib
import json
import os
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer
from google.protobuf import json_format

from reelmesh.orchestrator.v1.video_service_pb2 import (
    CACHE_MODE_OFF,
    ENHANCE_OFF,
    GenerateVideoRequest,
    Operation,
)
from reelmesh.storage.v1 import asset_pb2
from reelmesh.storage.v1 import storage_service_pb2 as pb
from reelmesh.storage.v1.storage_service_pb2_grpc import StorageServiceStub
from services.common.errors import DataLoss, Internal, InvalidArgument, NotFound
from services.suite.channel import channel_to
from services.suite.commands.session import (
    EXIT_CODES,
    EXIT_INCOMPLETE,
    ApiKey,
    err,
    print_json,
    run,
)
from services.suite.commands.transfer import file_name, taken
from services.suite.settings import ClientSettings

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Coroutine

    from reelmesh.storage.v1.storage_service_pb2_grpc import StorageServiceAsyncStub

T = TypeVar("T")

INDEX = "assets.jsonl"

Address = Annotated[
    str, typer.Option("--address", help="host:port of the storage service [env: STORAGE_ADDRESS]")
]


@asynccontextmanager
async def stored_at(address: str, api_key: str) -> AsyncIterator[StorageServiceAsyncStub]:
    """Open a channel to storage; empty arguments are read from the environment."""
    async with channel_to(address or ClientSettings().storage_address, api_key) as channel:
        yield StorageServiceStub(channel)


def run_stored(work: Callable[[], Coroutine[Any, Any, T]], address: str) -> T:
    """Run a command that asks storage, as `session.run` does."""
    return run(work, address or ClientSettings().storage_address, part="storage")


@dataclass(slots=True)
class _Folder:
    """An export on disk: a line per asset once its bytes are whole, files by their own names.

    The last line of an asset counts: one that is deleted later has a second, which is the proof,
    and no file any more. Of one whose bytes are damaged the line says so in ``missing``.
    """

    path: Path
    count: int = 0
    lacking: dict[str, str] = field(default_factory=dict)
    _states: dict[str, str] = field(default_factory=dict)

    def read(self) -> None:
        """Find out which assets are here already; a line that was cut off is cut off whole."""
        index = self.path / INDEX
        if not index.is_file():
            return
        with index.open("r+b") as lines:
            for line in lines:
                if not line.endswith(b"\n"):
                    lines.seek(-len(line), os.SEEK_END)
                    lines.truncate()
                    break
                told = json.loads(line)
                self._states[told["name"]] = told.get("missing") or told["state"]

    async def take(self, asset: asset_pb2.Asset, storage: StorageServiceAsyncStub) -> None:
        """Bring its bytes, unless they are here, and note it; or why they cannot be brought."""
        target = self.path / file_name(asset)
        state = asset_pb2.Asset.State.Name(asset.state)
        if self._states.get(asset.name) == state and _is_whole(target, asset):
            return
        if asset.state == asset_pb2.Asset.STATE_STORED:
            try:
                await taken(storage, asset, target)
            except (DataLoss, Internal) as error:
                self.lacking[asset.name] = error.message
                self._note(asset, error.message, missing=error.message)
                return
        else:
            # First the file, then the line: cut off in between, the next export does both.
            target.unlink(missing_ok=True)
        self._note(asset, state)
        self.count += 1

    def _note(self, asset: asset_pb2.Asset, state: str, **more: str) -> None:
        """Write what is known of the asset, unless that is its last line already."""
        if self._states.get(asset.name) == state:
            return
        with (self.path / INDEX).open("a", encoding="utf-8") as index:
            told = json_format.MessageToDict(asset) | more
            index.write(json.dumps(told, ensure_ascii=False) + "\n")


def _is_whole(file: Path, asset: asset_pb2.Asset) -> bool:
    """Whether the file of a STORED asset is there in its length; proofs have none."""
    if asset.state != asset_pb2.Asset.STATE_STORED:
        return True
    return file.is_file() and file.stat().st_size == asset.size_bytes


def named(asset: str) -> str:
    """Return the resource name of an asset that is told by its id or its name."""
    return asset if asset.startswith("assets/") else f"assets/{asset}"


def export(
    folder: Annotated[Path, typer.Argument(help="Where to; an export that broke off goes on.")],
    address: Address = "",
    api_key: ApiKey = "",
) -> None:
    """Take along everything that you have in storage, with an index of what it is.

    What storage cannot give back is named there and here, and the rest is taken (exit code 6).

    Example: reelmesh export ./everything
    """
    target = _Folder(folder)

    async def work() -> None:
        folder.mkdir(parents=True, exist_ok=True)
        target.read()
        async with stored_at(address, api_key) as storage:
            # All records each time: what was begun before another may be stored long after it.
            async for part in storage.ExportAssets(pb.ExportAssetsRequest(records_only=True)):
                # Deleted since it was listed: its proof comes with the next export.
                with contextlib.suppress(NotFound):
                    await target.take(part.asset, storage)

    run_stored(work, address)
    err.print(f"{target.count} assets in {folder}; {INDEX} says what each is.", markup=False)
    for name, why in target.lacking.items():
        err.print(f"{name} is missing: {why}", markup=False, soft_wrap=True)
    if target.lacking:
        raise typer.Exit(EXIT_INCOMPLETE)


def recipe(
    asset: Annotated[str, typer.Argument(help="Id or name of an asset.")],
    address: Address = "",
    api_key: ApiKey = "",
) -> None:
    """Print the request that makes an asset again: same model, prompt, seed and parameters.

    Example: reelmesh recipe 01j9z3k5v7
    """

    async def work() -> GenerateVideoRequest:
        async with stored_at(address, api_key) as storage:
            found = (await storage.GetAsset(pb.GetAssetRequest(name=named(asset)))).asset
        if not found.content_type.startswith("video/") or not _asked_of_a_model(found.lineage):
            field = "asset"
            raise InvalidArgument(field, f"{found.name} is no clip that a model was asked for")
        return request_of(found.lineage)

    print_json(run_stored(work, address))


def _asked_of_a_model(lineage: asset_pb2.Lineage) -> bool:
    enlarged = "media" in lineage.parameters
    return bool(lineage.model) and not lineage.untrained and not enlarged


def request_of(lineage: asset_pb2.Lineage) -> GenerateVideoRequest:
    """Return the request that asks for the same again: nothing enhanced, nothing from the cache.

    Raises ``InvalidArgument`` naming the reference that is not kept.
    """
    asked = json_format.MessageToDict(lineage.parameters)
    wanted = GenerateVideoRequest(
        prompt=lineage.prompt,
        model=lineage.model,
        enhance=ENHANCE_OFF,
        seed=lineage.seed if lineage.HasField("seed") else None,
    )
    wanted.cache.mode = CACHE_MODE_OFF
    for name in ("negative_prompt", "aspect_ratio", "resolution", "style", "camera_motion"):
        setattr(wanted, name, asked.get(name, ""))
    wanted.fps = round(asked.get("fps", 0))
    if "duration_seconds" in asked:
        wanted.duration.FromMicroseconds(round(asked["duration_seconds"] * 1e6))
    for name in ("image", "last_image", "video"):
        reference = asked.get(name, "")
        if reference.startswith("assets/"):
            getattr(wanted, name).asset = reference
        elif reference.startswith("http"):
            getattr(wanted, name).uri = reference
        elif reference:
            msg = f"was sent as bytes that storage does not keep ({reference}): upload it again"
            raise InvalidArgument(name, msg)
    if "edit" in asked:
        wanted.operation = Operation.Value(f"OPERATION_{asked['edit'].upper()}")
    wanted.options.update(asked.get("options", {}))
    return wanted


def register(app: typer.Typer) -> None:
    """Add the commands of this module to ``app``."""
    for command in (export, recipe):
        app.command(epilog=EXIT_CODES, rich_help_panel="Assets")(command)
