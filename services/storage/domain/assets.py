"""Assets: what a caller says about a file, and what storage knows once it has it."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field, fields, is_dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from services.common.errors import InvalidArgument
from services.storage.domain.facets import Facets, checked_labels
from services.storage.domain.media_types import asset_type, extension, normalize
from services.storage.domain.texts import bounded

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import datetime, timedelta

    from services.storage.domain.deriving import Missing
    from services.storage.domain.keys import ObjectKey

UNHASHED = "unhashed"
"""Marks a field that came later and follows from others: requests of before stay the same."""
MAX_ID_TEXT = 200
MAX_PROMPT = 20_000
# The clips and tracks of the longest cut there is.
MAX_PARENTS = 1600
MAX_PARAMETERS = 40_000
MAX_URL = 2048
_ORIGINAL_URL = "asset.lineage.original_url"


class AssetState(StrEnum):
    """Life of an asset: WRITING until its bytes are safe; DELETED keeps the record as proof.

    GIVEN_UP holds the key of an upload that nobody finished until its object is gone, and nothing
    else: no caller sees it, its request id is free again.
    """

    WRITING = "writing"
    GIVEN_UP = "given_up"
    STORED = "stored"
    DELETED = "deleted"


@dataclass(frozen=True, slots=True, kw_only=True)
class Lineage:
    """How an asset came to be; empty texts mean unknown.

    ``cost_micros`` is what was paid for it in micro-USD, ``parameters`` is what the model was asked
    for, as JSON: together with model and seed the recipe to make it again; ``untrained`` is what
    was made without a trained model, whatever ``model`` says, ``shown_outside`` what a vendor was
    shown the words of.
    """

    job: str = ""
    generation: str = ""
    model: str = ""
    provider: str = ""
    prompt: str = ""
    seed: int | None = None
    parents: tuple[str, ...] = ()
    original_url: str = ""
    licence: str = ""
    cost_micros: int = 0
    parameters: Mapping[str, Any] = field(default_factory=dict)
    untrained: bool = field(default=False, metadata={UNHASHED: True})
    shown_outside: bool = field(default=False, metadata={UNHASHED: True})

    def __post_init__(self) -> None:
        """Bound every text; raises ``InvalidArgument`` naming the field."""
        for name in ("job", "generation", "model", "provider", "licence"):
            bounded(f"asset.lineage.{name}", getattr(self, name), MAX_ID_TEXT)
        bounded("asset.lineage.prompt", self.prompt, MAX_PROMPT)
        if len(self.parents) > MAX_PARENTS:
            field = "asset.lineage.parents"
            raise InvalidArgument(field, f"is over {MAX_PARENTS} assets")
        for parent in self.parents:
            asset_id(parent, "asset.lineage.parents")
        if self.cost_micros < 0:
            name = "asset.lineage.cost"
            raise InvalidArgument(name, "must not be negative")
        told = json.dumps(self.parameters)
        # Every escape there is of a NUL; an escaped backslash before it only looks like one.
        if "\\u0000" in told.replace("\\\\", ""):
            name = "asset.lineage.parameters"
            raise InvalidArgument(name, "must not have a NUL character")
        bounded("asset.lineage.parameters", told, MAX_PARAMETERS)
        bare = without_secrets(self.original_url)
        object.__setattr__(self, "original_url", bounded(_ORIGINAL_URL, bare, MAX_URL))


@dataclass(frozen=True, slots=True, kw_only=True)
class MediaInfo:
    """What a demuxer measured; zero, empty and false where the file has no such stream or index."""

    container: str = ""
    video_codec: str = ""
    audio_codec: str = ""
    width: int = 0
    height: int = 0
    fps: float = 0.0
    duration: timedelta | None = None
    frames: int = 0
    index_last: bool = False


class Manifest(StrEnum):
    """What became of a signed C2PA manifest; LOST is of what a file was made from."""

    ABSENT = "absent"
    KEPT = "kept"
    LOST = "lost"


@dataclass(frozen=True, slots=True, kw_only=True)
class Provenance:
    """What a file says about its origin.

    ``labelled``: storage wrote into it that a model made it. ``source_sha256``: digest of the bytes
    as they came, where storage has changed them. ``by_model``: a trained model made it, or a part.
    """

    manifest: Manifest = Manifest.ABSENT
    labelled: bool = False
    source_sha256: str = ""
    by_model: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Description:
    """What a caller says about a file that it hands over."""

    content_type: str
    creative_id: str = ""
    iteration: int = 1
    placeholder: bool = False
    facets: Facets = field(default_factory=Facets)
    labels: Mapping[str, str] = field(default_factory=dict)
    lineage: Lineage = field(default_factory=Lineage)

    def __post_init__(self) -> None:
        """Normalise the content type and fill in the asset type that it suggests."""
        object.__setattr__(self, "content_type", normalize(self.content_type))
        object.__setattr__(self, "labels", checked_labels(self.labels))
        bounded("asset.creative_id", self.creative_id, MAX_ID_TEXT)
        if self.iteration < 1:
            field = "asset.iteration"
            raise InvalidArgument(field, "must be 1 or more")

    @property
    def extension(self) -> str:
        """File extension without a dot."""
        return extension(self.content_type)

    @property
    def asset_type(self) -> str:
        """The asset type that the caller named, or the one that the content type suggests."""
        return self.facets.asset_type or asset_type(self.content_type)


def made_by_model(told: Description, made_from: Iterable[Asset]) -> bool:
    """Whether a trained model made it; of a cut, whether one made any of what it is made from."""
    if told.placeholder or not told.lineage.untrained:
        return bool(told.lineage.model) and not told.placeholder
    return any(it.provenance.by_model or made_by_model(it.description, ()) for it in made_from)


@dataclass(frozen=True, slots=True, kw_only=True)
class Asset:
    """A file in storage, or on its way into it, or the proof that it was there."""

    id: str
    tenant: str
    state: AssetState
    key: ObjectKey
    description: Description
    request_id: str
    fingerprint: str
    create_time: datetime
    attempt: str = ""
    spool: str = ""
    state_reason: str = ""
    size_bytes: int = 0
    sha256: str = ""
    media: MediaInfo | None = None
    provenance: Provenance = field(default_factory=Provenance)
    reuse_count: int = 0
    saving_micros: int = 0
    expire_time: datetime | None = None
    delete_time: datetime | None = None
    legal_hold: bool = False
    parent_id: str = ""
    role: str = ""
    derived: Mapping[str, str] = field(default_factory=dict)
    missing: Mapping[str, Missing] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """Resource name, ``assets/{id}``."""
        return f"assets/{self.id}"

    @property
    def derivable(self) -> bool:
        """Whether thumbnails and the like can be made of it."""
        pictured = self.description.content_type.startswith(("video/", "image/"))
        return pictured and not self.parent_id

    @property
    def return_percent(self) -> int:
        """Return on investment: what using it again has saved in percent of what it cost."""
        cost = self.description.lineage.cost_micros
        return self.saving_micros * 100 // cost if cost else 0

    @property
    def file_name(self) -> str:
        """Last segment of the object key."""
        return self.key.file_name


def asset_id(name: str, field_name: str = "name") -> str:
    """Return the id inside ``assets/{id}``, or raise ``InvalidArgument``."""
    prefix, _, identifier = name.partition("/")
    well_formed = identifier.isascii() and identifier.isalnum() and len(identifier) <= 64
    if prefix != "assets" or not well_formed:
        raise InvalidArgument(field_name, "must be 'assets/{id}'")
    return identifier


def without_secrets(url: str) -> str:
    """Return the URL without user info, query and fragment: signatures and tokens live there."""
    bare = url.partition("#")[0].partition("?")[0]
    scheme, separator, rest = bare.partition("://")
    if not separator:
        return bare[:MAX_URL]
    authority, slash, path = rest.partition("/")
    return f"{scheme}://{authority.rpartition('@')[2]}{slash}{path}"[:MAX_URL]


def fingerprint(*parts: object) -> str:
    """Return a digest of a request's content, to tell a repeated request from another one."""
    return hashlib.sha256(json.dumps(parts, default=_plain, sort_keys=True).encode()).hexdigest()


def _plain(value: object) -> object:
    if is_dataclass(value):
        told = (item.name for item in fields(value) if UNHASHED not in item.metadata)
        return {name: getattr(value, name) for name in told}
    return str(value)
