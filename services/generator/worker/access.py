"""How vendors are set up: by the operator's variables, and by what a tenant's own keys add."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from services.generator.domain.vendor_keys import OwnKeys, VendorKey
from services.generator.providers import adapter_of, adapters, secrets, vendors_of, with_keys
from services.generator.providers.adapter import Adapter


@dataclass(frozen=True, slots=True)
class VendorAccess:
    """The operator's variables by name, and every question about them."""

    environment: Mapping[str, str]

    def fields(self) -> Mapping[str, Sequence[str]]:
        """Return the secrets that a key may have, by vendor."""
        return secrets()

    def suffices(self, vendor: str, given: Mapping[str, str]) -> bool:
        """Tell whether any provider can be used with these secrets of a vendor."""
        served = [name for name in adapters() if vendor in vendors_of(name)]
        return bool(given) and any(self.adapter(name, vendor, given) for name in served)

    def adapter(self, provider: str, vendor: str, given: Mapping[str, str]) -> Adapter | None:
        """Return a provider's adapter with somebody's own secrets of a vendor."""
        return adapter_of(provider, with_keys(self.environment, {vendor: given}))

    def key_for(self, provider: str, own: OwnKeys) -> VendorKey | None:
        """Return the tenant's key that work at a provider is sent with, None for the operator's."""
        found = (own.by_vendor.get(vendor) for vendor in vendors_of(provider))
        return next(filter(None, found), None)

    def configured(self, own: OwnKeys) -> frozenset[str]:
        """Return the names of the variables that are set for a tenant with these keys."""
        return frozenset(with_keys(self.environment, _placeholders(own)))

    def open_circuits(self, own: OwnKeys, resting: frozenset[str]) -> frozenset[str]:
        """Return the providers that are rested as far as this tenant is concerned.

        `resting` holds providers, and `{provider}/{key}` where a tenant's own key is used.
        """
        keys = {name: self.key_for(name, own) for name in adapters()}
        return frozenset(
            name
            for name, key in keys.items()
            if (name if key is None else f"{name}/{key.name}") in resting
        )


def _placeholders(own: OwnKeys) -> Mapping[str, Mapping[str, str]]:
    """Return which secrets there are, where only their names matter."""
    return {vendor: dict.fromkeys(key.fields, "set") for vendor, key in own.by_vendor.items()}
