"""Assets to rows and back."""

from __future__ import annotations

from dataclasses import fields
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from services.storage.domain.assets import (
    Asset,
    AssetState,
    Description,
    Lineage,
    Manifest,
    MediaInfo,
    Provenance,
)
from services.storage.domain.deriving import Missing
from services.storage.domain.facets import Facets
from services.storage.domain.keys import ObjectKey

if TYPE_CHECKING:
    from collections.abc import Mapping

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


def micros(moment: datetime) -> int:
    """Return microseconds since 1970."""
    return (moment - _EPOCH) // _MICROSECOND


def moment(value: int | None) -> datetime | None:
    """Return the UTC time of a column; ``None`` stays ``None``."""
    return None if value is None else moment_of(value)


def moment_of(value: int) -> datetime:
    """Return the UTC time of a column that is never empty."""
    return _EPOCH + timedelta(microseconds=value)


def to_row(asset: Asset) -> dict[str, Any]:
    """Return the columns of ``assets``; JSON columns make the values ``Any``."""
    told = asset.description
    return {
        "id": asset.id,
        "tenant": asset.tenant,
        "state": asset.state.value,
        **key_columns(asset.key),
        "creative_id": told.creative_id,
        "numbered": bool(told.creative_id) and not asset.parent_id,
        "request_id": asset.request_id,
        "fingerprint": asset.fingerprint,
        **type_columns(asset),
        "placeholder": told.placeholder,
        "size_bytes": asset.size_bytes,
        "sha256": asset.sha256,
        "document": document(asset),
        "reuse_count": asset.reuse_count,
        "cost_micros": told.lineage.cost_micros,
        "saving_micros": asset.saving_micros,
        "legal_hold": asset.legal_hold,
        "parent_id": asset.parent_id,
        "role": asset.role,
        "attempt": asset.attempt,
        "spool": "",
        "create_time": micros(asset.create_time),
        "update_time": micros(asset.create_time),
        "expire_time": None if asset.expire_time is None else micros(asset.expire_time),
        "delete_time": None if asset.delete_time is None else micros(asset.delete_time),
    }


def type_columns(asset: Asset) -> dict[str, Any]:
    """Return the columns that follow from the media type."""
    derive_time = None if asset.derivable else 0
    return {"content_type": asset.description.content_type, "derive_time": derive_time}


def key_columns(key: ObjectKey) -> dict[str, Any]:
    """Return the columns that an object key fills."""
    parts = {"stem": key.stem, "iteration": key.iteration, "extension": key.extension}
    return {**parts, "key": str(key)}


def whole_columns(asset: Asset) -> dict[str, Any]:
    """Return the columns that are known once every byte has arrived."""
    return {
        "size_bytes": asset.size_bytes,
        "sha256": asset.sha256,
        "document": document(asset),
    }


def document(asset: Asset) -> dict[str, Any]:
    """Return what is shown but not searched by column, as JSON."""
    told, media = asset.description, None
    if asset.media is not None:
        media = _plain(asset.media)
        if asset.media.duration is not None:
            media["duration"] = asset.media.duration // _MICROSECOND
    return {
        "facets": _plain(told.facets),
        "labels": dict(told.labels),
        "lineage": _plain(told.lineage),
        "media": media,
        "provenance": _plain(asset.provenance),
    }


def missing_columns(missing: Mapping[str, Missing]) -> dict[str, list[Any]]:
    """Return the column of what is not there: by role why, and whether it is tried again."""
    return {role: [why.reason, why.again] for role, why in missing.items()}


def _plain(flat: Any) -> dict[str, Any]:
    """Return the fields of a dataclass that holds no other; ``asdict`` would copy every value."""
    return {item.name: getattr(flat, item.name) for item in fields(flat)}


def from_row(row: Mapping[str, Any], derived: Mapping[str, str] | None = None) -> Asset:
    """Return the asset of a row of ``assets``."""
    return Asset(
        id=row["id"],
        tenant=row["tenant"],
        state=AssetState(row["state"]),
        key=ObjectKey(row["stem"], row["iteration"], row["extension"]),
        description=_description(row),
        request_id=row["request_id"],
        fingerprint=row["fingerprint"],
        attempt=row["attempt"],
        spool=row["spool"],
        state_reason=row["state_reason"],
        create_time=moment_of(row["create_time"]),
        size_bytes=row["size_bytes"],
        sha256=row["sha256"],
        media=_media(row["document"]["media"]),
        provenance=_provenance(row["document"].get("provenance")),
        reuse_count=row["reuse_count"],
        saving_micros=row["saving_micros"],
        expire_time=moment(row["expire_time"]),
        delete_time=moment(row["delete_time"]),
        legal_hold=row["legal_hold"],
        parent_id=row["parent_id"],
        role=row["role"],
        derived=dict(derived or {}),
        missing={role: Missing(*why) for role, why in (row["missing"] or {}).items()},
    )


def _description(row: Mapping[str, Any]) -> Description:
    stored = row["document"]
    lineage = {**stored["lineage"], "parents": tuple(stored["lineage"]["parents"])}
    facets: dict[str, Any] = {
        axis: tuple(value) if isinstance(value, list) else value
        for axis, value in stored["facets"].items()
    }
    return Description(
        content_type=row["content_type"],
        creative_id=row["creative_id"],
        iteration=row["iteration"],
        placeholder=row["placeholder"],
        facets=Facets(**facets),
        labels=stored["labels"],
        lineage=Lineage(**lineage),
    )


def _media(stored: Mapping[str, Any] | None) -> MediaInfo | None:
    if stored is None:
        return None
    duration = stored["duration"]
    length = None if duration is None else timedelta(microseconds=duration)
    return MediaInfo(**{**stored, "duration": length})


def _provenance(stored: Mapping[str, Any] | None) -> Provenance:
    """Return what is stored; assets from before it was kept say nothing about their origin."""
    if stored is None:
        return Provenance()
    return Provenance(**{**stored, "manifest": Manifest(stored["manifest"])})
