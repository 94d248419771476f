"""The storage service as the generator uses it."""

import asyncio
import hashlib
from collections.abc import AsyncIterator
from dataclasses import fields
from pathlib import Path

from google.protobuf import duration_pb2, struct_pb2
from google.type import money_pb2

from reelmesh.storage.v1 import asset_pb2
from reelmesh.storage.v1 import storage_service_pb2 as pb
from reelmesh.storage.v1.storage_service_pb2_grpc import StorageServiceStub
from services.common.channels import Channel
from services.common.errors import DataLoss, InvalidArgument, NotFound, Unavailable
from services.common.identity import Identity, acting_as
from services.generator.domain.compositions import ComposeTask
from services.generator.domain.facts import Output
from services.generator.domain.orders import Order, asset_of, prompt_of
from services.generator.domain.ports import CHUNK_BYTES, Content, Entry
from services.generator.domain.sentences import Said, said
from services.generator.domain.storage_port import Stored
from services.generator.domain.tasks import Media, Task

_SIGNED_SECONDS = 24 * 3600
_UPLOAD_SECONDS = 900.0
# Kept in fields of their own: a Struct's numbers are doubles, and a seed may need 63 bits.
_ELSEWHERE = frozenset({"prompt", "seed"})
_PLAIN = (bool, int, float, str, dict, list)
_LARGEST_REFERENCE = 64 * 1024 * 1024


class StorageClient:
    """Speaks to storage in the name of the tenant whose generation it is."""

    def __init__(self, channel: Channel) -> None:
        self._stub = StorageServiceStub(channel)

    async def upload(self, entry: Entry, content: Content) -> Stored:
        """Stream the bytes in under the generation's id.

        Raises DataLoss, Unavailable, NotFound (deleted meanwhile) and whatever the content raises.
        """
        with acting_as(Identity(entry.generation.tenant)):
            response = await self._stub.UploadAsset(_parts(entry, content), timeout=_UPLOAD_SECONDS)
        asset = _present(response.asset)
        if content.sha256 and asset.sha256 != content.sha256:
            raise DataLoss(
                "storage holds other bytes than were sent", metadata={"asset": asset.name}
            )
        return _stored(asset)

    async def look(self, entry: Entry, asset: str) -> Stored:
        """Return what storage says of an asset.

        Raises NotFound (also when it was deleted), Unavailable (its bytes are still on their way)
        and DataLoss (made by another).
        """
        with acting_as(Identity(entry.generation.tenant)):
            found = (await self._stub.GetAsset(pb.GetAssetRequest(name=asset))).asset
        if found.lineage.generation != entry.generation.name:
            raise DataLoss("it was not made by this generation", metadata={"asset": asset})
        return _stored(_present(found))

    async def maker(self, tenant: str, asset: str) -> str:
        """Return the id of the generation that an asset comes from, "" where it comes from none."""
        with acting_as(Identity(tenant)):
            found = (await self._stub.GetAsset(pb.GetAssetRequest(name=asset))).asset
        return found.lineage.generation.removeprefix("generations/")

    async def keep(self, tenant: str, media: Media, request_id: str) -> str:
        """Store a reference's bytes and return the asset, the same for a request id."""
        described = asset_pb2.Asset(content_type=media.media_type)
        header = pb.UploadHeader(asset=described, request_id=request_id)
        with acting_as(Identity(tenant)):
            stored = self._stub.UploadAsset(_pieces(header, media.data), timeout=_UPLOAD_SECONDS)
            return _present((await stored).asset).name

    async def sign(self, tenant: str, asset: str) -> str:
        """Return an address that gives the asset's bytes for a day; raises NotFound."""
        lifetime = duration_pb2.Duration(seconds=_SIGNED_SECONDS)
        request = pb.SignAssetUrlRequest(name=asset, lifetime=lifetime)
        with acting_as(Identity(tenant)):
            response = await self._stub.SignAssetUrl(request)
        return response.url

    async def read(self, tenant: str, asset: str) -> tuple[bytes, str]:
        """Return the asset's bytes and media type; raises NotFound, InvalidArgument (too big)."""
        content, media_type = bytearray(), ""
        with acting_as(Identity(tenant)):
            async for part in self._stub.DownloadAsset(pb.DownloadAssetRequest(name=asset)):
                media_type = part.asset.content_type or media_type
                content += part.chunk
                if len(content) > _LARGEST_REFERENCE:
                    message = f"{asset} has more than {_LARGEST_REFERENCE} bytes"
                    raise InvalidArgument("image", message)
        return bytes(content), media_type

    async def download(self, tenant: str, asset: str, destination: Path) -> str:
        """Write the asset's bytes to a file; returns their media type. Raises NotFound."""
        media_type = ""
        with acting_as(Identity(tenant)):
            parts = self._stub.DownloadAsset(pb.DownloadAssetRequest(name=asset))
            file = await asyncio.to_thread(destination.open, "wb")
            with file:
                async for part in parts:
                    media_type = part.asset.content_type or media_type
                    if part.chunk:
                        await asyncio.to_thread(file.write, part.chunk)
        return media_type

    async def take_in(self, tenant: str, url: str, request_id: str) -> str:
        """Fetch an address into storage and return the asset; storage's own rules apply."""
        request = pb.ImportAssetRequest(
            uri=url, request_id=request_id, max_bytes=_LARGEST_REFERENCE
        )
        with acting_as(Identity(tenant)):
            return _present((await self._stub.ImportAsset(request)).asset).name


async def _parts(entry: Entry, content: Content) -> AsyncIterator[pb.UploadAssetRequest]:
    header = pb.UploadHeader(
        asset=_described(entry, content),
        request_id=entry.generation.id,
        sha256=content.sha256,
        size_bytes=content.size_bytes,
    )
    yield pb.UploadAssetRequest(header=header)
    async for chunk in content.chunks:
        yield pb.UploadAssetRequest(chunk=chunk)


async def _pieces(header: pb.UploadHeader, data: bytes) -> AsyncIterator[pb.UploadAssetRequest]:
    yield pb.UploadAssetRequest(header=header)
    for begin in range(0, len(data), CHUNK_BYTES):
        yield pb.UploadAssetRequest(chunk=data[begin : begin + CHUNK_BYTES])


def _described(entry: Entry, content: Content) -> asset_pb2.Asset:
    generation, order = entry.generation, entry.order
    labels = order.labels
    return asset_pb2.Asset(
        content_type=content.content_type,
        facets=_facets(order),
        labels=dict(labels.labels),
        creative_id=labels.creative_id,
        iteration=labels.iteration or 1,
        placeholder=generation.placeholder,
        lineage=asset_pb2.Lineage(
            job=labels.job,
            generation=generation.name,
            model=generation.model,
            provider=generation.identity.provider,
            prompt=prompt_of(order.task)[:20_000],
            seed=getattr(order.task, "seed", None),
            original_url=content.source_url,
            parents=_parents(order.task),
            cost=money_pb2.Money(
                currency_code="USD",
                units=content.cost_micros // 1_000_000,
                nanos=content.cost_micros % 1_000_000 * 1000,
            ),
            parameters=_parameters(order.task),
            untrained=content.untrained,
            shown_outside=content.shown_outside,
        ),
    )


def _references(task: Task) -> list[Media]:
    values = [getattr(task, each.name) for each in fields(task)]
    if isinstance(task, ComposeTask):
        values += [clip.media for clip in task.clips] + [track.media for track in task.tracks]
    return [value for value in values if isinstance(value, Media)]


def _parents(task: Task) -> list[str]:
    """Return the assets of the tenant that it was made from."""
    return list(dict.fromkeys(filter(None, map(asset_of, _references(task)))))


def _parameters(task: Task) -> struct_pb2.Struct:
    """Return what the model was asked for; pictures by address or digest, never their bytes."""
    asked = struct_pb2.Struct()
    for each in fields(task):
        value = getattr(task, each.name)
        if isinstance(value, Media):
            value = asset_of(value) or value.url.partition("?")[0] or _digest(value.data)
        if isinstance(value, _PLAIN) and value not in ("", {}) and each.name not in _ELSEWHERE:
            asked.update({each.name: value})
    return asked


def _digest(data: bytes) -> str:
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


def _facets(order: Order) -> asset_pb2.Facets:
    style = getattr(order.task, "style", "")
    return asset_pb2.Facets(
        characters=order.labels.characters,
        landscapes=order.labels.landscapes,
        styles=[style] if style else [],
        mood=order.hints.mood,
        time_of_day=order.hints.time_of_day,
        shot_type=order.hints.shot_type,
    )


def _present(asset: asset_pb2.Asset) -> asset_pb2.Asset:
    """Return the asset, whose bytes are there: no other is ever told as stored."""
    if asset.state == asset_pb2.Asset.STATE_WRITING:
        raise Unavailable(f"the bytes of {asset.name} are not stored yet")
    if asset.state != asset_pb2.Asset.STATE_STORED:
        raise NotFound("asset", asset.name)
    return asset


def _stored(asset: asset_pb2.Asset) -> Stored:
    lost = asset.provenance.manifest == asset_pb2.Provenance.MANIFEST_LOST
    warnings = (said(Said.MANIFEST_LOST),) if lost else ()
    return Stored(asset=asset.name, output=_output(asset), warnings=warnings)


def _output(asset: asset_pb2.Asset) -> Output:
    media = asset.media
    return Output(
        sha256=asset.sha256,
        size_bytes=asset.size_bytes,
        content_type=asset.content_type,
        width=media.width,
        height=media.height,
        fps=media.fps,
        duration_seconds=media.duration.ToMicroseconds() / 1e6,
        storage_url=asset.storage_url,
        thumbnail=asset.derived.get("thumbnail", ""),
    )
