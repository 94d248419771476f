"""Takes in what vendors tell of their own accord, and wakes the generation that it is about.

A callback changes nothing by itself: the generation's driver looks at the vendor, now instead of
later. Only the vendor's id of a job whose submit was not answered is believed, for nobody but the
vendor knows the address that it came to.
"""

from collections.abc import Callable, Iterable, Mapping

from services.common.errors import PermissionDenied
from services.generator.domain.addresses import CallbackAddresses
from services.generator.domain.generation import Generation, State
from services.generator.domain.ports import Backends, Clock, Ledger

CALLED = "called"
"""Owner of rows that nobody drove when the vendor called: it never lives, a replica takes over."""

_DONE = frozenset({State.SUCCEEDED, State.FAILED})


class Reception:
    """Callbacks of vendors, for any replica. `wake` tells the drives of this process."""

    def __init__(
        self,
        *,
        ledger: Ledger,
        backends: Backends,
        addresses: CallbackAddresses,
        wake: Callable[[Iterable[str]], None],
        now: Clock,
    ) -> None:
        self._ledger = ledger
        self._backends = backends
        self._addresses = addresses
        self._wake = wake
        self._now = now

    async def receive(
        self, provider: str, token: str, headers: Mapping[str, str], body: bytes
    ) -> str:
        """Take one delivery in; returns the word that the vendor wants back, "" for none.

        Raises PermissionDenied for what is forged, stale or about something else, Unavailable when
        the vendor's public keys cannot be had, NoCredentials when its key was taken away.
        """
        identifier = self._addresses.generation(provider, token)
        entry = await self._ledger.load(identifier)
        if entry is None:
            message = "there is no such generation"
            raise PermissionDenied(message)
        present = entry.generation
        backend = await self._backends.serving(present.identity, present.tenant)
        heard = await backend.hear(headers, body)
        if heard.challenge:
            return heard.challenge
        if present.provider_job_id and heard.job not in {"", present.provider_job_id}:
            message = "the callback speaks of another job"
            raise PermissionDenied(message)
        if present.state not in _DONE and await self._ledger.note(
            identifier, heard, now=self._now()
        ):
            await self._tell(present)
        return ""

    async def _tell(self, present: Generation) -> None:
        if present.state is State.UNKNOWN_OUTCOME:
            await self._ledger.adopt(present.id, CALLED)  # its deadline may have passed long ago
        self._wake([present.id])
