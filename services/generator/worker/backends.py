"""Which back end serves a model: an engine of ours, or a vendor at the address in the row."""

from collections.abc import Callable, Mapping

from services.common.errors import NoCredentials, NoDevice
from services.generator.domain.facts import Identity
from services.generator.domain.models import Model
from services.generator.domain.ports import Backend
from services.generator.domain.tasks import Task
from services.generator.providers import Providers
from services.generator.providers.adapter import Adapter

Hosted = Callable[[str, Adapter], Backend]


class ModelBackends:
    """Engines by provider name, and vendors made on demand by `hosted`.

    `configured` holds the names of the environment variables that are set, `limits` how many jobs
    may be under way with one credential of a provider.
    """

    def __init__(
        self,
        engines: Mapping[str, Backend],
        providers: Providers,
        *,
        hosted: Hosted,
        configured: frozenset[str],
        limits: Mapping[str, int] | None = None,
    ) -> None:
        self._engines = engines
        self._providers = providers
        self._hosted = hosted
        self._configured = configured
        self._limits = limits or {}
        self._made: dict[tuple[str, str], Backend] = {}

    def identity(self, model: Model, task: Task, tenant: str) -> Identity:
        """Return where work on this model goes now; the credential by name only."""
        adapter = self._providers.get(model.provider)
        groups = [group for group in model.credentials if self._configured.issuperset(group)]
        return Identity(
            provider=model.provider,
            endpoint=adapter.base_url if adapter else "",
            vendor_model=model.vendor_model(task),
            credential="+".join(groups[0]) if groups else "",
        )

    def limit(self, identity: Identity) -> int:
        """Return how many jobs may be under way with this credential; 0 is any number."""
        return self._limits.get(identity.provider, 0)

    def serving(self, identity: Identity) -> Backend:
        """Return the back end of a frozen identity, at the address that it was sent to.

        Raises NoDevice for an engine, NoCredentials for a vendor that is no longer set up.
        """
        if identity.provider in self._engines:
            return self._engines[identity.provider]
        if not identity.endpoint:
            message = f"{identity.provider} has no engine here"
            raise NoDevice(message)
        key = (identity.provider, identity.endpoint)
        if key not in self._made:
            adapter = self._providers.get(identity.provider)
            if adapter is None:
                message = f"{identity.provider} is no longer set up here"
                raise NoCredentials(message, metadata={"provider": identity.provider})
            there = adapter.model_copy(update={"base_url": identity.endpoint})
            self._made[key] = self._hosted(identity.provider, there)
        return self._made[key]
