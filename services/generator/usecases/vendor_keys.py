"""A tenant's own keys: taken in, listed, taken out of use."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from services.common.errors import FailedPrecondition, InvalidArgument, NotFound
from services.generator.domain.generation import MAX_REQUEST_ID
from services.generator.domain.ports import Clock, NewId
from services.generator.domain.vendor_keys import NO_KEYS, PREFIX, OwnKeys, VendorKey, VendorKeys

MAX_SECRET = 8192
SETTING = "GENERATOR_VENDOR_KEYS_SECRET"


@dataclass(frozen=True, slots=True)
class Wish:
    """A key as somebody brings it."""

    vendor: str
    secrets: Mapping[str, str]
    label: str = ""
    request_id: str = ""


class Vendors(Protocol):
    """What is known of vendors' keys."""

    def fields(self) -> Mapping[str, Sequence[str]]:
        """Return the secrets that a key may have, by vendor."""

    def suffices(self, vendor: str, secrets: Mapping[str, str]) -> bool:
        """Tell whether a vendor can be spoken to with these."""


class KeepVendorKeys:
    """The use cases; `keys` is None where no encryption key is set up: then nobody has any."""

    def __init__(
        self, keys: VendorKeys | None, vendors: Vendors, *, now: Clock, new_id: NewId
    ) -> None:
        self._keys = keys
        self._vendors = vendors
        self._now = now
        self._new_id = new_id

    async def create(self, tenant: str, wish: Wish) -> VendorKey:
        """Take a key in. Raises InvalidArgument, FailedPrecondition or RequestConflict."""
        if self._keys is None:
            message = f"vendor keys are not taken in here: the operator has not set {SETTING}"
            raise FailedPrecondition(message, metadata={"missing": SETTING})
        self._check(wish)
        key = VendorKey(
            id=self._new_id(),
            tenant=tenant,
            vendor=wish.vendor,
            fields=tuple(sorted(wish.secrets)),
            label=wish.label,
            request_id=wish.request_id,
            create_time=self._now(),
        )
        return await self._keys.add(key, wish.secrets)

    async def list(self, tenant: str) -> Sequence[VendorKey]:
        """Return the tenant's keys, newest first."""
        return () if self._keys is None else await self._keys.list(tenant)

    async def delete(self, tenant: str, name: str) -> None:
        """Take a key out of use, and erase it as soon as nothing needs it. Raises NotFound."""
        if self._keys is None or not await self._keys.revoke(tenant, name, now=self._now()):
            raise NotFound("vendor key", name)
        await self._keys.erase()

    async def in_use(self, tenant: str) -> OwnKeys:
        """Return the keys that new work of the tenant is sent with."""
        return NO_KEYS if self._keys is None else OwnKeys.of(await self._keys.list(tenant))

    def _check(self, wish: Wish) -> None:
        fields = self._vendors.fields()
        if wish.vendor not in fields:
            raise InvalidArgument("vendor", f"{wish.vendor!r} is unknown", allowed=sorted(fields))
        allowed = fields[wish.vendor]
        for name, secret in wish.secrets.items():
            if name not in allowed:
                raise InvalidArgument("secrets", f"{name!r} is no secret there", allowed=allowed)
            if not (0 < len(secret) <= MAX_SECRET and secret.isprintable() and secret.isascii()):
                raise InvalidArgument(f"secrets.{name}", f"must have 1-{MAX_SECRET} characters")
            if secret != secret.strip():
                raise InvalidArgument(f"secrets.{name}", "must not begin or end with a blank")
        if not self._vendors.suffices(wish.vendor, wish.secrets):
            raise InvalidArgument("secrets", "do not suffice for this vendor", allowed=allowed)
        if len(wish.request_id) > MAX_REQUEST_ID:
            raise InvalidArgument("request_id", f"must have at most {MAX_REQUEST_ID} characters")


def name_of(text: str) -> str:
    """Return a key's name. Raises NotFound for what cannot be one."""
    if not text.startswith(PREFIX) or len(text) <= len(PREFIX):
        raise NotFound("vendor key", text)
    return text
