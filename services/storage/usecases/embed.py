"""Giving assets the vectors by which they are searched: after they were stored, in nobody's way."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from services.common.errors import InvalidArgument, Unavailable
from services.common.telemetry import get_logger
from services.storage.domain.vectors import text_of
from services.storage.usecases.trying import LEASE, TRIES

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from services.storage.domain.assets import Asset
    from services.storage.domain.ports import AssetStore, Clock
    from services.storage.domain.vectors import Embedder, Vector, Vectors, Waiting

BATCH = 64
_CAUGHT_UP = 1000
# Taken by every embedder: what it refuses beside this is to blame for it.
_HARMLESS = "film"
# Characters that every model has room for, of a text that is refused as a whole.
_SHORT = 500

log = get_logger(__name__)


class _TooMuchError(Exception):
    """The embedder reads other texts, and has failed over these: too long together, or one of them.

    Fewer may do.
    """


@dataclass(slots=True)
class _Portion:
    """How many texts the embedder can read at a time, as far as it has shown."""

    size: int = BATCH

    def halve(self, tried: int) -> None:
        """Take in that so many were too many, or may have been."""
        self.size = max(1, tried // 2)

    def grow(self) -> None:
        """Take in that all were read."""
        self.size = min(BATCH, self.size + 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Embed:
    """Embeds what waits, in batches; of several replicas one takes each asset.

    While the embedder is away nothing is counted as a try. One that has failed is shown half as
    many, and one more with each batch that it has read: those before may have been too long for it.
    What fails alone while others are read, or in another way, or takes the service along, is tried
    again alone, a few times, and is then found by its words alone.
    """

    assets: AssetStore
    vectors: Vectors
    embedder: Embedder
    now: Clock
    outside: bool = False
    _portion: _Portion = field(default_factory=_Portion, init=False, repr=False, compare=False)

    async def once(self) -> int:
        """Embed one batch; returns how many were looked at. Raises ``Unavailable``."""
        moment = self.now()
        until = moment + LEASE
        waiting = await self.vectors.take(moment, until, self._portion.size, again=False)
        waiting = waiting or await self.vectors.take(moment, until, 1, again=True)
        if waiting:
            await self._tried(waiting, moment, until)
        return len(waiting)

    async def catch_up(self) -> int:
        """Let assets wait that another release stored or another embedder read; how many.

        What another replica embeds meanwhile, by its own model, is left to it until the next time.
        """
        found, taken_by = 0, self.now() + LEASE
        while some := await self.vectors.catch_up(
            self.embedder.name, _CAUGHT_UP, taken_by=taken_by
        ):
            found += some
        return found

    async def _tried(self, waiting: Sequence[Waiting], moment: datetime, until: datetime) -> None:
        mine = [each.asset_id for each in waiting]
        try:
            vectors = await self._vectors(waiting)
        except (Unavailable, asyncio.CancelledError) as error:
            # Who wants fewer questions is not helped by smaller ones.
            if isinstance(error, Unavailable) and error.retry_after is None:
                self._portion.halve(len(mine))
            back = self.vectors.put_back(mine, moment, counted=False, taken_until=until)
            await asyncio.shield(back)
            raise
        except _TooMuchError as error:
            await self._failed_over(mine, moment, until, error)
        except Exception:
            log.exception("assets_not_embedded", assets=mine)
            await self.vectors.put_back(mine, moment + LEASE, counted=True, taken_until=until)
        else:
            await self.vectors.forget(set(mine) - set(vectors))
            await self.vectors.keep(vectors, self.embedder.name, taken_until=until)
            self._portion.grow()

    async def _failed_over(
        self, mine: Sequence[str], moment: datetime, until: datetime, error: _TooMuchError
    ) -> None:
        """Take fewer the next time; what was alone is to blame itself."""
        alone = len(mine) == 1
        log.warning("embedder_failed_over_texts", assets=len(mine), message=str(error))
        self._portion.halve(len(mine))
        later = moment + LEASE if alone else moment
        await self.vectors.put_back(mine, later, counted=alone, taken_until=until)

    async def _vectors(self, waiting: Sequence[Waiting]) -> Mapping[str, Vector]:
        """Return a vector for each that is there still, an empty one where it gets none."""
        found = await self._found(waiting)
        tried = {each.asset_id for each in waiting if each.number > TRIES}
        if tried:
            log.error("embedding_given_up", assets=sorted(tried), tries=TRIES)
        shown = [each for each in found if each.id not in tried and self._shown(each)]
        vectors = await self._embedded([text_of(each) for each in shown]) if shown else []
        none: dict[str, Vector] = {each.id: () for each in found}
        return none | {each.id: vector for each, vector in zip(shown, vectors, strict=True)}

    async def _found(self, waiting: Sequence[Waiting]) -> list[Asset]:
        found: list[Asset] = []
        for tenant in {each.tenant for each in waiting}:
            ids = [each.asset_id for each in waiting if each.tenant == tenant]
            found += await self.assets.many(tenant, ids)
        return found

    def _shown(self, asset: Asset) -> bool:
        """Whether the embedder may read of it.

        One outside is not shown the words of what was made here: a request may have asked for that
        (``local_only``, offline films). What was uploaded says what its caller wants to be found.
        """
        lineage = asset.description.lineage
        return not (self.outside and lineage.generation) or lineage.shown_outside

    async def _embedded(self, texts: Sequence[str], *, again: bool = False) -> list[Vector]:
        """Embed; ``again`` where the embedder has just read something else.

        It may have come back only then, so that no text is to blame before it was shown again.
        """
        try:
            return [*await self.embedder.embed(texts)]
        except InvalidArgument as error:
            if len(texts) > 1:
                half = len(texts) // 2
                return [*await self._embedded(texts[:half]), *await self._embedded(texts[half:])]
            if len(texts[0]) > _SHORT:
                return await self._embedded([texts[0][:_SHORT]])
            if not again:
                await self._reads_anything()
                return await self._embedded(texts, again=True)
            log.warning("text_refused", embedder=self.embedder.name, message=error.message)
            return [()]
        except Unavailable as error:
            # Who says when to come again has read too much lately, whatever it was.
            if error.retry_after is not None:
                raise
            return await self._overcome(texts, error, again=again)

    async def _overcome(
        self, texts: Sequence[str], error: Unavailable, *, again: bool
    ) -> list[Vector]:
        if not again:
            await self._reads_anything()
        if len(texts) == 1 and not again:
            return await self._embedded(texts, again=True)
        if len(texts) == 1 and len(texts[0]) > _SHORT:
            return await self._embedded([texts[0][:_SHORT]], again=True)
        raise _TooMuchError(error.message) from error

    async def _reads_anything(self) -> None:
        """Raise ``Unavailable`` where the embedder reads nothing, whatever it is shown."""
        try:
            await self.embedder.embed([_HARMLESS])
        except InvalidArgument as error:
            raise Unavailable(error.message) from error
