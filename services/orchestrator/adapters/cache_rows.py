"""Rows of the cache's tables as domain values, and back."""

from array import array
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from pydantic import TypeAdapter

from services.orchestrator.domain.cache.entries import Entry, Use

_ENTRY = TypeAdapter(Entry)


def entry_row(entry: Entry, *, packed: bool) -> dict[str, Any]:
    """The row of an entry; `packed` says that vectors are bytes here."""
    document = _ENTRY.dump_json(replace(entry, vector=()), exclude_defaults=True)
    vector: Any = None
    if entry.vector:
        vector = pack(entry.vector) if packed else list(entry.vector)
    return {
        "id": entry.id,
        "tenant": entry.tenant,
        "key": entry.key,
        "shape": entry.shape,
        "asset": entry.clip.asset,
        "embedder": entry.embedder,
        "vector": vector,
        "document": document,
        "create_time": entry.create_time,
        "expire_time": entry.expire_time,
    }


def entry_from(document: bytes) -> Entry:
    """The entry in its document, without its vector."""
    return _ENTRY.validate_json(document)


def use_row(use: Use) -> dict[str, Any]:
    """The row of a use."""
    return {name: getattr(use, name) for name in Use.__dataclass_fields__}


def pack(vector: Sequence[float]) -> bytes:
    """Numbers of single precision, one behind the other."""
    return array("f", vector).tobytes()
