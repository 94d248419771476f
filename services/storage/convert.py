"""Protobuf to domain and back."""

from __future__ import annotations

from datetime import UTC
from typing import TYPE_CHECKING

from google.protobuf.duration_pb2 import Duration
from google.protobuf.json_format import MessageToDict
from google.protobuf.timestamp_pb2 import Timestamp
from google.type.money_pb2 import Money

from reelmesh.storage.v1 import asset_pb2, storage_service_pb2
from services.common.errors import InvalidArgument
from services.storage.domain.assets import (
    AssetState,
    Description,
    Lineage,
    Manifest,
    MediaInfo,
    Provenance,
)
from services.storage.domain.facets import Facets
from services.storage.domain.intake import Intake
from services.storage.domain.media_types import guessed_from_path
from services.storage.domain.paging import PageRequest
from services.storage.domain.uses import MAX_AMOUNT_MICROS

if TYPE_CHECKING:
    from datetime import datetime, timedelta

    from services.storage.domain.assets import Asset

    SignRequest = storage_service_pb2.SignAssetUrlRequest | storage_service_pb2.SignPlaylistRequest
    ListRequest = storage_service_pb2.ListAssetsRequest | storage_service_pb2.FindAssetsRequest

_STATES = {
    AssetState.WRITING: asset_pb2.Asset.STATE_WRITING,
    AssetState.STORED: asset_pb2.Asset.STATE_STORED,
    AssetState.DELETED: asset_pb2.Asset.STATE_DELETED,
}

_MANIFESTS = {
    Manifest.ABSENT: asset_pb2.Provenance.MANIFEST_ABSENT,
    Manifest.KEPT: asset_pb2.Provenance.MANIFEST_KEPT,
    Manifest.LOST: asset_pb2.Provenance.MANIFEST_LOST,
}


def upload_intake(tenant: str, header: storage_service_pb2.UploadHeader) -> Intake:
    """Return what an upload announces."""
    return Intake(
        tenant=tenant,
        request_id=header.request_id,
        description=description(header.asset, header.asset.content_type),
        size_bytes=header.size_bytes,
        sha256=header.sha256,
    )


def import_intake(tenant: str, request: storage_service_pb2.ImportAssetRequest) -> Intake:
    """Return what an import announces; the address becomes the lineage's original URL."""
    told = request.asset
    content_type = told.content_type or guessed_from_path(request.uri)
    return Intake(
        tenant=tenant,
        request_id=request.request_id,
        description=description(told, content_type, original_url=request.uri),
        max_bytes=request.max_bytes,
        origin=request.uri,
        guessed=not told.content_type,
    )


def description(told: asset_pb2.Asset, content_type: str, *, original_url: str = "") -> Description:
    """Return the caller's part of an asset; output-only fields are ignored."""
    return Description(
        content_type=content_type,
        creative_id=told.creative_id,
        iteration=told.iteration or 1,
        placeholder=told.placeholder,
        facets=facets(told.facets),
        labels=dict(told.labels),
        lineage=_lineage(told.lineage, original_url),
    )


def facets(told: asset_pb2.Facets) -> Facets:
    """Return the facets."""
    return Facets(
        characters=tuple(told.characters),
        landscapes=tuple(told.landscapes),
        styles=tuple(told.styles),
        mood=told.mood,
        time_of_day=told.time_of_day,
        shot_type=told.shot_type,
        asset_type=told.asset_type,
    )


def page_request(request: ListRequest) -> PageRequest:
    """Return which page is asked for."""
    return PageRequest(request.page_size, request.page_token)


def lifetime(request: SignRequest) -> timedelta | None:
    """Return how long a URL should work, ``None`` when it is not said."""
    return request.lifetime.ToTimedelta() if request.HasField("lifetime") else None


def asset(found: Asset, storage_url: str) -> asset_pb2.Asset:
    """Return the asset as callers see it; ``storage_url`` tells where its bytes lie."""
    told = found.description
    return asset_pb2.Asset(
        name=found.name,
        tenant_name=found.tenant,
        state=_STATES[found.state],
        content_type=told.content_type,
        size_bytes=found.size_bytes,
        sha256=found.sha256,
        key=str(found.key),
        storage_url=storage_url,
        media=None if found.media is None else _media(found.media),
        facets=_facets(told),
        labels=told.labels,
        lineage=_lineage_message(told.lineage),
        creative_id=told.creative_id,
        iteration=found.key.iteration,
        placeholder=told.placeholder,
        reuse_count=found.reuse_count,
        create_time=timestamp(found.create_time),
        expire_time=None if found.expire_time is None else timestamp(found.expire_time),
        derived=found.derived,
        missing={role: why.reason for role, why in found.missing.items()},
        legal_hold=found.legal_hold,
        provenance=_provenance(found.provenance),
        saving=_money(found.saving_micros),
        return_percent=found.return_percent,
        state_reason=found.state_reason,
    )


def _provenance(found: Provenance) -> asset_pb2.Provenance:
    return asset_pb2.Provenance(
        manifest=_MANIFESTS[found.manifest],
        labelled=found.labelled,
        source_sha256=found.source_sha256,
    )


def saving(request: storage_service_pb2.RecordReuseRequest) -> int | None:
    """Return micro-USD, ``None`` when the caller does not say."""
    return _micros(request.saving, "saving") if request.HasField("saving") else None


def timestamp(moment: datetime) -> Timestamp:
    """Return the moment in UTC."""
    message = Timestamp()
    message.FromDatetime(moment.astimezone(UTC))
    return message


def _facets(told: Description) -> asset_pb2.Facets:
    found = told.facets
    return asset_pb2.Facets(
        characters=found.characters,
        landscapes=found.landscapes,
        styles=found.styles,
        mood=found.mood,
        time_of_day=found.time_of_day,
        shot_type=found.shot_type,
        asset_type=told.asset_type,
    )


def _lineage(told: asset_pb2.Lineage, original_url: str) -> Lineage:
    return Lineage(
        job=told.job,
        generation=told.generation,
        model=told.model,
        provider=told.provider,
        prompt=told.prompt,
        seed=told.seed if told.HasField("seed") else None,
        parents=tuple(told.parents),
        original_url=told.original_url or original_url,
        licence=told.licence,
        cost_micros=_micros(told.cost, "asset.lineage.cost"),
        parameters=MessageToDict(told.parameters),
        untrained=told.untrained,
        shown_outside=told.shown_outside,
    )


def _micros(told: Money, field: str) -> int:
    """Return micro-USD; raises ``InvalidArgument`` for another currency or amount."""
    if told.currency_code not in {"", "USD"}:
        raise InvalidArgument(field, "is not in this currency", allowed=("USD",))
    micros = int(told.units) * 1_000_000 + int(told.nanos) // 1000
    if not 0 <= told.nanos < 1_000_000_000 or not 0 <= micros <= MAX_AMOUNT_MICROS:
        raise InvalidArgument(field, "must be 0 to 1,000,000,000 USD, nanos 0 to 999,999,999")
    return micros


def _money(micros: int) -> Money:
    units, rest = divmod(micros, 1_000_000)
    return Money(currency_code="USD", units=units, nanos=rest * 1000)


def _lineage_message(found: Lineage) -> asset_pb2.Lineage:
    told = asset_pb2.Lineage(
        job=found.job,
        generation=found.generation,
        model=found.model,
        provider=found.provider,
        prompt=found.prompt,
        seed=found.seed,
        parents=found.parents,
        original_url=found.original_url,
        licence=found.licence,
        cost=_money(found.cost_micros),
        untrained=found.untrained,
        shown_outside=found.shown_outside,
    )
    if found.parameters:
        told.parameters.update(found.parameters)
    return told


def _media(found: MediaInfo) -> asset_pb2.MediaInfo:
    length = None
    if found.duration is not None:
        length = Duration()
        length.FromTimedelta(found.duration)
    return asset_pb2.MediaInfo(
        container=found.container,
        video_codec=found.video_codec,
        audio_codec=found.audio_codec,
        width=found.width,
        height=found.height,
        fps=found.fps,
        duration=length,
        frames=found.frames,
        index_last=found.index_last,
    )
