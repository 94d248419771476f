"""A file that a caller wants to be kept, before and after its bytes have come."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from services.common.errors import DataLoss, InvalidArgument
from services.storage.domain.assets import Description, Lineage, fingerprint, without_secrets
from services.storage.domain.containers import refuse_unread
from services.storage.domain.facets import Facets
from services.storage.domain.media_ports import Answer
from services.storage.domain.policies import PREVIEWS
from services.storage.domain.streaming import MEDIA, PLAYLIST
from services.storage.domain.texts import bounded

if TYPE_CHECKING:
    from datetime import datetime

    from services.storage.domain.assets import Asset
    from services.storage.domain.media_ports import DerivedFile
    from services.storage.domain.ports import StagedFile

MAX_REQUEST_ID = 128
# What a caller can ask for; counting goes on after it.
MAX_ITERATION = 1_000_000
_FILMS = frozenset({*PREVIEWS, MEDIA})


@dataclass(frozen=True, slots=True, kw_only=True)
class Intake:
    """A file that a caller wants to be kept; ``size_bytes`` 0 and ``sha256`` "" mean not known.

    ``origin`` is the address that it is fetched from; ``guessed`` tells that no caller has said the
    media type, and ``answer`` is what the source says of it.
    """

    tenant: str
    request_id: str
    description: Description
    size_bytes: int = 0
    sha256: str = ""
    max_bytes: int = 0
    origin: str = ""
    parent_id: str = ""
    role: str = ""
    stem: str = ""
    since: datetime | None = None
    guessed: bool = False
    answer: Answer = field(default_factory=Answer)

    def __post_init__(self) -> None:
        """Raise ``InvalidArgument`` for what can never work."""
        refuse_unread(self.description.content_type)
        bounded("request_id", self.request_id, MAX_REQUEST_ID, least=1)
        if self.description.iteration > MAX_ITERATION:
            name = "asset.iteration"
            raise InvalidArgument(name, f"must be 1 to {MAX_ITERATION:,}")
        if self.size_bytes < 0 or self.max_bytes < 0:
            name = "size_bytes"
            raise InvalidArgument(name, "must not be negative")
        digest = self.sha256.lower()
        if digest and (len(digest) != 64 or not all(c in "0123456789abcdef" for c in digest)):
            name = "sha256"
            raise InvalidArgument(name, "must be 64 hexadecimal digits")
        object.__setattr__(self, "sha256", digest)

    @property
    def fingerprint(self) -> str:
        """Digest of what makes it the same file over again.

        Neither the signature of the address that it is fetched from nor its price does: vendors
        sign a new one for the same result, and price lists change.
        """
        return self._digest(without_secrets(self.origin))

    @property
    def former_fingerprint(self) -> str:
        """What older releases made of the same request: they took the whole address."""
        return self._digest(self.origin)

    def _digest(self, origin: str) -> str:
        lineage = replace(self.description.lineage, original_url="", cost_micros=0)
        description = replace(self.description, lineage=lineage)
        return fingerprint(description, self.size_bytes, self.sha256, origin)

    def verify(self, staged: StagedFile) -> None:
        """Raise ``InvalidArgument`` or ``DataLoss`` where other bytes came than were announced."""
        if staged.size_bytes == 0:
            # What the caller has sent: an address, or the file itself.
            name = "uri" if self.origin else "chunk"
            raise InvalidArgument(name, "the file is empty")
        if self.size_bytes and self.size_bytes != staged.size_bytes:
            msg = f"{self.size_bytes} bytes were announced and {staged.size_bytes} arrived"
            raise DataLoss(msg)
        if self.sha256 and self.sha256 != staged.sha256:
            msg = "the bytes that arrived have another SHA-256 than announced"
            raise DataLoss(msg)


def intake_of(asset: Asset, file: DerivedFile, since: datetime | None) -> Intake:
    """Return as what a derived file is stored; ``since`` is when its life begins, now if None."""
    told = asset.description
    return Intake(
        tenant=asset.tenant,
        request_id=f"derived:{asset.id}:{file.role}",
        description=Description(
            content_type=file.content_type,
            creative_id=told.creative_id,
            placeholder=told.placeholder,
            facets=Facets(asset_type=_type_of(file.role)),
            lineage=Lineage(
                job=told.lineage.job,
                model=told.lineage.model,
                licence=told.lineage.licence,
                untrained=told.lineage.untrained,
            ),
        ),
        parent_id=asset.id,
        role=file.role,
        since=since,
        stem=f"{asset.key.stem}-{asset.key.iteration:03d}.{file.role}",
    )


def _type_of(role: str) -> str:
    if role == PLAYLIST:
        return "other"
    return "video" if role in _FILMS else "image"
