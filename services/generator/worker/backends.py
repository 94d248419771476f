"""Which back end serves a model: an engine of ours, or a vendor at the address in the row."""

from collections.abc import Callable, Mapping

from services.common.errors import NoCredentials, NoDevice
from services.generator.domain.facts import Identity
from services.generator.domain.models import Model
from services.generator.domain.ports import Backend
from services.generator.domain.tasks import Task
from services.generator.domain.vendor_keys import PREFIX, OwnKeys, VendorKeys
from services.generator.providers import Providers
from services.generator.providers.adapter import Adapter
from services.generator.worker.access import VendorAccess

Hosted = Callable[[str, Adapter, str], Backend]


class ModelBackends:
    """Engines by provider name, and vendors made on demand by `hosted`.

    `providers` are set up with the operator's keys; `keys` are the tenants' own, None where none
    are taken in; `limits` says how many jobs may be under way with one credential of a provider.
    """

    def __init__(
        self,
        engines: Mapping[str, Backend],
        providers: Providers,
        *,
        access: VendorAccess,
        hosted: Hosted,
        keys: VendorKeys | None = None,
        limits: Mapping[str, int] | None = None,
    ) -> None:
        self._engines = engines
        self._providers = providers
        self._access = access
        self._hosted = hosted
        self._keys = keys
        self._limits = limits or {}
        self._made: dict[tuple[str, str], Backend] = {}

    def identity(self, model: Model, task: Task, own: OwnKeys) -> Identity:
        """Return where work on this model goes now; the credential by name only."""
        key = self._access.key_for(model.provider, own)
        if key is None:
            adapter = self._providers.get(model.provider)
        else:
            placeholders = dict.fromkeys(key.fields, "set")
            adapter = self._access.adapter(model.provider, key.vendor, placeholders)
        set_here = self._access.environment.keys()
        groups = [group for group in model.credentials if set_here >= set(group)]
        operators = "+".join(groups[0]) if groups else ""
        return Identity(
            provider=model.provider,
            endpoint=adapter.base_url if adapter else "",
            vendor_model=model.vendor_model(task),
            credential=key.name if key else operators,
        )

    def limit(self, identity: Identity) -> int:
        """Return how many jobs may be under way with this credential; 0 is any number."""
        return self._limits.get(identity.provider, 0)

    async def serving(self, identity: Identity, tenant: str) -> Backend:
        """Return the back end of a frozen identity, at the address that it was sent to.

        Raises NoDevice for an engine, NoCredentials for a vendor that is no longer set up or a
        tenant's key that is gone.
        """
        if identity.provider in self._engines:
            return self._engines[identity.provider]
        if not identity.endpoint:
            message = f"{identity.provider} has no engine here"
            raise NoDevice(message)
        if identity.credential.startswith(PREFIX):
            return await self._with_own_key(identity, tenant)
        key = (identity.provider, identity.endpoint)
        if key not in self._made:
            adapter = self._providers.get(identity.provider)
            self._made[key] = self._at(identity, adapter, identity.provider)
        return self._made[key]

    async def _with_own_key(self, identity: Identity, tenant: str) -> Backend:
        """Open the tenant's key for this one use; the back end is not kept, so neither is it."""
        if self._keys is None:
            return self._at(identity, None, "")
        vendor, given = await self._keys.secrets(tenant, identity.credential)
        adapter = self._access.adapter(identity.provider, vendor, given)
        return self._at(identity, adapter, identity.account)

    def _at(self, identity: Identity, adapter: Adapter | None, circuit: str) -> Backend:
        if adapter is None:
            message = f"{identity.provider} is no longer set up here"
            raise NoCredentials(message, metadata={"provider": identity.provider})
        there = adapter.model_copy(update={"base_url": identity.endpoint})
        return self._hosted(identity.provider, there, circuit)
