"""A tenant's own keys at vendors: what may be shown of them, and which of them new work uses."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from services.common.errors import InvalidArgument

PREFIX = "vendorKeys/"
MAX_LABEL = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class VendorKey:
    """One key: what secrets it has and not which. With a `revoke_time` it ends what it began."""

    id: str
    tenant: str
    vendor: str
    create_time: datetime
    fields: tuple[str, ...] = ()
    label: str = ""
    request_id: str = ""
    revoke_time: datetime | None = None

    def __post_init__(self) -> None:
        """Refuse a label that is no name for people."""
        if len(self.label) > MAX_LABEL or not self.label.isprintable():
            raise InvalidArgument("display_name", f"must have at most {MAX_LABEL} characters")

    @property
    def name(self) -> str:
        """Resource name, which is also how generations refer to it as their credential."""
        return f"{PREFIX}{self.id}"


@dataclass(frozen=True, slots=True)
class OwnKeys:
    """The keys that new work of one tenant uses, by vendor."""

    by_vendor: Mapping[str, VendorKey] = field(default_factory=dict)

    @classmethod
    def of(cls, keys: Sequence[VendorKey]) -> "OwnKeys":
        """Return the newest key of each vendor that is in use, from keys newest first."""
        live = [key for key in reversed(keys) if key.revoke_time is None]
        return cls({key.vendor: key for key in live})

    def __bool__(self) -> bool:
        """Tell whether there are any."""
        return bool(self.by_vendor)


NO_KEYS = OwnKeys()


class VendorKeys(Protocol):
    """Keeps keys with their secrets encrypted. Every method is one transaction."""

    async def add(self, key: VendorKey, secrets: Mapping[str, str]) -> VendorKey:
        """Keep a key; under a request id that is known return the key that is there."""

    async def list(self, tenant: str) -> Sequence[VendorKey]:
        """Return the tenant's keys, newest first, those taken out of use too."""

    async def revoke(self, tenant: str, name: str, *, now: datetime) -> bool:
        """Take a key out of use for new work; False where the tenant has none of that name."""

    async def secrets(self, tenant: str, name: str) -> tuple[str, Mapping[str, str]]:
        """Return the vendor and the secrets of a key, out of use or not.

        Raises NoCredentials when it is gone or cannot be decrypted.
        """

    async def erase(self) -> None:
        """Erase the keys that are out of use and that no work under way was sent with."""


class Sealing(Protocol):
    """Encrypts and decrypts: with keys of the environment, or a key management service."""

    async def seal(self, plain: bytes) -> bytes:
        """Encrypt with the newest key."""

    async def open(self, sealed: bytes) -> bytes:
        """Decrypt with whichever key fits. Raises NoCredentials when none does."""
