"""``reelmesh asset``: everything that storage knows of one asset."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer
from rich.filesize import decimal
from rich.table import Table
from rich.text import Text

from reelmesh.storage.v1 import asset_pb2
from reelmesh.storage.v1 import storage_service_pb2 as pb
from services.suite.commands.assets import Address, named, run_stored, stored_at
from services.suite.commands.display import money
from services.suite.commands.facets import AXES
from services.suite.commands.session import EXIT_CODES, ApiKey, AsJson, out, print_json

if TYPE_CHECKING:
    from collections.abc import Iterator

    from google.protobuf.timestamp_pb2 import Timestamp

    Facts = Iterator[tuple[str, str]]


def asset(
    asset: Annotated[str, typer.Argument(help="Id or name of an asset.")],
    as_json: AsJson = False,
    address: Address = "",
    api_key: ApiKey = "",
) -> None:
    """Show one asset: its state and why, its files, where it came from and what it has saved.

    Example: reelmesh asset 01j9z3k5v7
    """

    async def work() -> asset_pb2.Asset:
        async with stored_at(address, api_key) as storage:
            return (await storage.GetAsset(pb.GetAssetRequest(name=named(asset)))).asset

    found = run_stored(work, address)
    if as_json:
        print_json(found)
        return
    table = Table(box=None, pad_edge=False, show_header=False)
    table.add_column(no_wrap=True)
    # Folded and never cut: names and digests are there to be copied.
    table.add_column(overflow="fold")
    for part in (_file(found), _media(found.media), _told(found), _origin(found), _files(found)):
        for name, value in part:
            if value:
                table.add_row(name, Text(value))
    out.print(table)


def _file(found: asset_pb2.Asset) -> Facts:
    state = asset_pb2.Asset.State.Name(found.state).removeprefix("STATE_").lower()
    yield "asset", found.name
    yield "state", f"{state}: {found.state_reason}" if found.state_reason else state
    yield "type", found.content_type
    yield "size", f"{decimal(found.size_bytes)} ({found.size_bytes} bytes)"
    yield "sha256", found.sha256
    yield "key", found.key
    yield "lies at", found.storage_url
    yield "made", _time(found.create_time)
    yield "expires", _time(found.expire_time)
    yield "held", "yes" if found.legal_hold else ""


def _media(media: asset_pb2.MediaInfo) -> Facts:
    codecs = [media.container, media.video_codec, media.audio_codec]
    seconds = media.duration.ToTimedelta().total_seconds()
    size = f"{media.width}x{media.height}" if media.width else ""
    length = f"{seconds:g} s" if seconds else ""
    rate = f"{media.fps:g} fps" if media.fps else ""
    yield "media", ", ".join(filter(None, [*codecs, size, length, rate]))


def _told(found: asset_pb2.Asset) -> Facts:
    if found.creative_id:
        yield "creative", f"{found.creative_id}, iteration {found.iteration}"
    for axis in AXES:
        value = getattr(found.facets, axis)
        yield axis, value if isinstance(value, str) else ", ".join(value)
    for name, value in sorted(found.labels.items()):
        yield f"label {name}", value


def _origin(found: asset_pb2.Asset) -> Facts:
    lineage = found.lineage
    for name in ("job", "generation", "model", "provider", "prompt", "original_url", "licence"):
        yield name.replace("_", " "), getattr(lineage, name)
    yield "made from", ", ".join(lineage.parents)
    yield "cost", money(lineage.cost)
    yield "uses", f"{found.reuse_count}, saved {money(found.saving)}, {found.return_percent} %"
    manifest = asset_pb2.Provenance.Manifest.Name(found.provenance.manifest)
    labelled = "labelled as made by a model, " if found.provenance.labelled else ""
    yield "provenance", f"{labelled}{manifest.replace('_', ' ').lower()}"


def _files(found: asset_pb2.Asset) -> Facts:
    for role, name in sorted(found.derived.items()):
        yield role, name
    for role, why in sorted(found.missing.items()):
        yield role, f"missing: {why}"


def _time(moment: Timestamp) -> str:
    return f"{moment.ToDatetime():%Y-%m-%d %H:%M:%S} UTC" if moment.seconds else ""


def register(app: typer.Typer) -> None:
    """Add the command of this module to ``app``."""
    app.command(epilog=EXIT_CODES, rich_help_panel="Assets")(asset)
