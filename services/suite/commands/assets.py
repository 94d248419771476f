"""What a tenant has in storage: ``reelmesh export`` takes it along, ``recipe`` makes it again."""

from __future__ import annotations

import contextlib
import json
import os
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

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
from services.common.errors import InvalidArgument, NotFound
from services.suite.channel import channel_to
from services.suite.commands.session import EXIT_CODES, ApiKey, err, print_json, run
from services.suite.commands.transfer import file_name, taken
from services.suite.settings import ClientSettings

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from reelmesh.storage.v1.storage_service_pb2_grpc import StorageServiceAsyncStub

INDEX = "assets.jsonl"

Address = Annotated[
    str, typer.Option("--address", help="host:port of the storage service [env: STORAGE_ADDRESS]")
]


@asynccontextmanager
async def stored_at(address: str, api_key: str) -> AsyncIterator[StorageServiceAsyncStub]:
    """Open a channel to storage; empty arguments are read from the environment."""
    async with channel_to(address or ClientSettings().storage_address, api_key) as channel:
        yield StorageServiceStub(channel)


@dataclass(slots=True)
class _Folder:
    """An export on disk: a line per asset once its bytes are whole, files by their own names.

    An asset that is deleted later has a second line, which is the proof, and no file any more.
    """

    path: Path
    count: int = 0

    def known(self) -> dict[str, str]:
        """Return the assets that are here already, with their states.

        A line that was cut off is cut off whole.
        """
        index = self.path / INDEX
        if not index.is_file():
            return {}
        with index.open("r+b") as lines:
            states: dict[str, str] = {}
            for line in lines:
                if not line.endswith(b"\n"):
                    lines.seek(-len(line), os.SEEK_END)
                    lines.truncate()
                    break
                told = json.loads(line)
                states[told["name"]] = told["state"]
        return states

    async def take(self, asset: asset_pb2.Asset, storage: StorageServiceAsyncStub) -> None:
        """Bring its bytes and note it; raises ``DataLoss`` when they are not those stored."""
        if asset.state == asset_pb2.Asset.STATE_STORED:
            await taken(storage, asset, self.path / file_name(asset))
        else:
            # First the file, then the line: cut off in between, the next export does both.
            (self.path / file_name(asset)).unlink(missing_ok=True)
        with (self.path / INDEX).open("a", encoding="utf-8") as index:
            told = json_format.MessageToDict(asset)
            index.write(json.dumps(told, ensure_ascii=False) + "\n")
        self.count += 1


def named(asset: str) -> str:
    """Return the resource name of an asset that is told by its id or its name."""
    return asset if asset.startswith("assets/") else f"assets/{asset}"


def export(
    folder: Annotated[Path, typer.Argument(help="Where to; an export that broke off goes on.")],
    address: Address = "",
    api_key: ApiKey = "",
) -> None:
    """Take along everything that you have in storage, with an index of what it is.

    Example: reelmesh export ./everything
    """

    async def work() -> int:
        folder.mkdir(parents=True, exist_ok=True)
        target = _Folder(folder)
        known = target.known()
        async with stored_at(address, api_key) as storage:
            # All records each time: what was begun before another may be stored long after it.
            async for part in storage.ExportAssets(pb.ExportAssetsRequest(records_only=True)):
                if known.get(part.asset.name) != asset_pb2.Asset.State.Name(part.asset.state):
                    # Deleted since it was listed: its proof comes with the next export.
                    with contextlib.suppress(NotFound):
                        await target.take(part.asset, storage)
        return target.count

    count = run(work, address or ClientSettings().storage_address)
    err.print(f"{count} assets in {folder}; {INDEX} says what each is.", markup=False)


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

    print_json(run(work, address or ClientSettings().storage_address))


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
