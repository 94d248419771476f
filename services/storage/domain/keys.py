"""Object keys: ``{prefix}/{tenant}/{YYYYMMDD_HHMMSS}-{creative}-{iteration:03d}.{extension}``, UTC.

Names of tenants and creatives come from outside and are never trusted in a path. A name that is a
clean slug already stays as it is; any other is slugged and gets a digest of the original, so that
two different names can never meet in one folder.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from dataclasses import dataclass
from datetime import UTC
from typing import TYPE_CHECKING

from typing_extensions import override

from services.common.errors import InvalidArgument

if TYPE_CHECKING:
    from datetime import datetime

MAX_SLUG = 64
_CLEAN = re.compile(r"^[a-z0-9](?:[a-z0-9_-]|\.(?=[a-z0-9])){0,63}\Z")
_DIGESTED = re.compile(r"-[0-9a-f]{12}\Z")
_UNSAFE = re.compile(r"[^a-z0-9]+")
_OWN_FORM = re.compile(r"[a-z0-9._-]{1,64}/\d{8}_\d{6}-[a-z0-9._-]+-\d{3,}\.[a-z0-9]+\Z")


def slug(name: str) -> str:
    """Return a path segment of 1 to 64 characters out of ``a-z 0-9 . _ -``; different names differ.

    Clean names are returned unchanged. A clean name that ends like a digest gets a digest too: it
    could otherwise be chosen to collide with the slug of another name.
    """
    if _CLEAN.match(name) and not _DIGESTED.search(name):
        return name
    plain = unicodedata.normalize("NFKD", name.lower()).encode("ascii", "ignore").decode()
    digest = hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()[:12]
    stem = _UNSAFE.sub("-", plain.lower()).strip("-")[: MAX_SLUG - 13].strip("-")
    return f"{stem or 'x'}-{digest}"


@dataclass(frozen=True, slots=True)
class KeyLayout:
    """Where the objects of a deployment lie; ``prefix`` may be empty or several segments."""

    prefix: str = ""

    def __post_init__(self) -> None:
        """Normalise the prefix; raises ``InvalidArgument`` for one that climbs or hides."""
        segments = [segment for segment in self.prefix.split("/") if segment]
        if any(segment.startswith(".") or not segment.isprintable() for segment in segments):
            field = "S3_VIDEO_PREFIX"
            raise InvalidArgument(field, "must be plain folder names")
        object.__setattr__(self, "prefix", "/".join(segments))

    def tenant_prefix(self, tenant: str) -> str:
        """Return the folder that holds everything of ``tenant``, with a slash at its end."""
        return f"{self.folder}{slug(tenant)}/"

    @property
    def folder(self) -> str:
        """What every key of the deployment begins with: the prefix and a slash, or nothing."""
        return f"{self.prefix}/" if self.prefix else ""

    def owns(self, key: str) -> bool:
        """Whether ``key`` is of this deployment; without a prefix only its form can tell."""
        return key.startswith(self.folder) if self.prefix else bool(_OWN_FORM.match(key))

    def stem(self, tenant: str, creative: str, moment: datetime) -> str:
        """Return the key up to the iteration: tenant's folder, second in UTC, creative."""
        stamp = moment.astimezone(UTC).strftime("%Y%m%d_%H%M%S")
        return f"{self.tenant_prefix(tenant)}{stamp}-{slug(creative)}"


@dataclass(frozen=True, slots=True)
class ObjectKey:
    """One object's place: a stem shared by all iterations, the iteration from 1, an extension."""

    stem: str
    iteration: int
    extension: str

    def __post_init__(self) -> None:
        """Reject iterations below 1."""
        if self.iteration < 1:
            field = "asset.iteration"
            raise InvalidArgument(field, "must be 1 or more")

    @override
    def __str__(self) -> str:
        """Return the key as the blob store knows it."""
        return f"{self.stem}-{self.iteration:03d}.{self.extension}"

    @property
    def file_name(self) -> str:
        """Last segment of the key."""
        return str(self).rpartition("/")[2]

    def next(self) -> ObjectKey:
        """Return the key of the next iteration."""
        return ObjectKey(self.stem, self.iteration + 1, self.extension)
