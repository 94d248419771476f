"""Serving films with what was bought before: pictures, voices, music, sounds, larger clips.

They are entries of the same cache as clips, found by their exact key alone, so that they end with
their assets, their age and their tenant's purge as clips do.
"""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Protocol

from services.orchestrator.domain.cache.entries import Entry, Use
from services.orchestrator.domain.films.tasks import Piece
from services.orchestrator.domain.money.ledger import Charge
from services.orchestrator.domain.policy_ports import PoliciesPort
from services.orchestrator.domain.values import Clip
from services.orchestrator.usecases.reuse import EXACT, Reuse


@dataclass(frozen=True)
class Served:
    """What was there already, and what using it again saves in micro-USD."""

    piece: Piece
    saved_micros: int = 0


class Artefacts(Protocol):
    """What a film's makers ask of the cache. Everything may be repeated after a crash."""

    async def known(self, tenant: str, user: str, keys: Collection[str]) -> Mapping[str, Entry]:
        """The entries with these keys that may serve the tenant's API key now; nothing is counted.

        Clips and all else: what is asked of them besides is for the caller to look at.
        """

    async def serve(self, charge: Charge, key: str) -> Served | None:
        """Serve what is there instead of this charge: the saving and the use are put down."""

    async def keep(self, charge: Charge, key: str, piece: Piece, cost_micros: int) -> None:
        """Let what was bought by this charge serve again."""


class NoArtefacts:
    """Serves nothing and keeps nothing."""

    async def known(self, tenant: str, user: str, keys: Collection[str]) -> Mapping[str, Entry]:
        """See `Artefacts.known`."""
        return {}

    async def serve(self, charge: Charge, key: str) -> Served | None:
        """See `Artefacts.serve`."""
        return None

    async def keep(self, charge: Charge, key: str, piece: Piece, cost_micros: int) -> None:
        """See `Artefacts.keep`."""


@dataclass(frozen=True, kw_only=True)
class KeptArtefacts:
    """`Artefacts` of a deployment; what a placeholder stands for is never among them."""

    reuse: Reuse
    policies: PoliciesPort
    new_id: Callable[[], str]

    async def known(self, tenant: str, user: str, keys: Collection[str]) -> Mapping[str, Entry]:
        """See `Artefacts.known`."""
        if not keys:
            return {}
        rules, now = (await self.policies.of(tenant, user)).cache, self.reuse.now()
        found = await self.reuse.store.find(tenant, keys)
        serving = {
            key: entry
            for key, entry in found.items()
            if not entry.clip.placeholder and rules.serves(entry.create_time, now)
        }
        return await self.reuse.present(tenant, serving)

    async def serve(self, charge: Charge, key: str) -> Served | None:
        """See `Artefacts.serve`."""
        payer = charge.payer
        entry = (await self.known(payer.tenant, payer.user, [key])).get(key)
        if entry is None:
            self.reuse.counting.miss(payer.tenant, EXACT)
            return None
        use = Use(
            attempt=charge.attempt,
            entry=entry.id,
            tenant=payer.tenant,
            asset=entry.clip.asset,
            kind=EXACT,
            model=entry.model,
            provider=entry.provider,
            saved_micros=entry.cost_micros,
            create_time=self.reuse.now(),
        )
        await self.reuse.count([(charge, use)])
        await self.reuse.told(use)
        return Served(piece_of(entry), entry.cost_micros)

    async def keep(self, charge: Charge, key: str, piece: Piece, cost_micros: int) -> None:
        """See `Artefacts.keep`."""
        payer = charge.payer
        rules = (await self.policies.of(payer.tenant, payer.user)).cache
        if piece.placeholder or not rules.enabled:
            return
        moment = self.reuse.now()
        entry = Entry(
            id=self.new_id(),
            tenant=payer.tenant,
            key=key,
            shape="",
            clip=_stored(piece),
            prompt="",
            language="",
            model=piece.model or charge.model,
            provider=charge.provider,
            cost_micros=cost_micros,
            job=payer.job,
            user=payer.user,
            create_time=moment,
            expire_time=moment + self.reuse.policy.lasts(rules),
            words=piece.words,
        )
        await self.reuse.store.put(entry)


def _stored(piece: Piece) -> Clip:
    return Clip(
        asset=piece.asset,
        storage_url="",
        sha256=piece.sha256,
        width=0,
        height=0,
        fps=0.0,
        duration_seconds=piece.duration_seconds,
    )


def piece_of(entry: Entry) -> Piece:
    """What an entry stands for, as films have it."""
    return Piece(
        asset=entry.clip.asset,
        sha256=entry.clip.sha256,
        duration_seconds=entry.clip.duration_seconds,
        model=entry.model,
        words=entry.words,
    )
