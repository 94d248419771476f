"""Metadata that travels with an object, readable in any S3 browser."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import quote

if TYPE_CHECKING:
    from datetime import datetime

    from services.storage.domain.assets import Asset

# S3 allows 2 KiB in all, names included.
_MAX_VALUE = 160
_MAX_URL = 512
_PLAIN = "".join(chr(code) for code in range(0x20, 0x7F) if chr(code) != "%")


def object_metadata(asset: Asset, upload_time: datetime) -> dict[str, str]:
    """Return the metadata of document 004 and the object's origin; empty values are left out.

    Values are ASCII: anything else, and a percent sign, is percent-encoded UTF-8.
    """
    told = asset.description
    lineage = told.lineage
    values = {
        "tenant": asset.tenant,
        "creative_id": told.creative_id,
        "iteration": str(asset.key.iteration),
        "upload_time": upload_time.isoformat(timespec="seconds"),
        "asset": asset.name,
        "job": lineage.job,
        "generation": lineage.generation,
        "model": lineage.model,
        "provider": lineage.provider,
        "sha256": asset.sha256,
        "placeholder": "true" if told.placeholder else "false",
        "licence": lineage.licence,
    }
    kept = {name: ascii_safe(value, _MAX_VALUE) for name, value in values.items() if value.strip()}
    if lineage.original_url:
        kept["original_url"] = ascii_safe(lineage.original_url, _MAX_URL)
    return kept


def ascii_safe(value: str, limit: int) -> str:
    """Return the value in printable ASCII, at most ``limit`` long, never cut in an escape."""
    quoted = quote(value.strip(), safe=_PLAIN, errors="replace")
    if len(quoted) <= limit:
        return quoted
    cut = quoted[:limit]
    escape = cut.rfind("%", limit - 2)
    return cut[:escape] if escape >= 0 else cut
