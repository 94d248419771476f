"""Finding assets by a sentence: by its words, and by what it means where a model can tell."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING

from services.common.errors import InvalidArgument, ServiceError
from services.common.telemetry import get_logger
from services.storage.domain.meaning import concepts
from services.storage.domain.vectors import Question, merged

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import timedelta

    from services.storage.domain.assets import Asset
    from services.storage.domain.facets import Facets
    from services.storage.domain.ports import AssetStore, Search
    from services.storage.domain.vectors import Embedder, Vector, Vectors

MAX_QUERY = 2000
DEFAULT_HITS = 10
MAX_HITS = 100
# Candidates of each ranking for every hit; signs alone put the right one among so many (Yamada et
# al. 2021, see `domain.vectors.signs`).
_DEPTH = 4
_LEAST_DEPTH = 100

log = get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """Hits with scores from 0 to 1, best first; whether words alone were compared."""

    hits: Sequence[tuple[Asset, float]]
    words_alone: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Seek:
    """Searches a tenant's assets. An embedder that is away, or slow, leaves the words.

    ``patience`` is how long one is waited for.
    """

    assets: AssetStore
    index: Search
    vectors: Vectors
    embedder: Embedder | None
    patience: timedelta

    async def search(
        self, tenant: str, query: str, *, facets: Facets, limit: int, words_alone: bool = False
    ) -> Answer:
        """Return the assets nearest in meaning to ``query``.

        ``words_alone`` shows it to no embedder. Raises ``InvalidArgument``.
        """
        if not 0 < len(query.strip()) <= MAX_QUERY:
            field = "query"
            raise InvalidArgument(field, f"must have 1 to {MAX_QUERY} characters")
        if not 0 <= limit <= MAX_HITS:
            field = "limit"
            raise InvalidArgument(field, f"must be 1 to {MAX_HITS}, or 0 for {DEFAULT_HITS}")
        hits = limit or DEFAULT_HITS
        embedder = None if words_alone else self.embedder
        ranked, alone = await self._ranked(tenant, query, facets, hits, embedder)
        best = dict(ranked[:hits])
        found = {asset.id: asset for asset in await self.assets.many(tenant, best)}
        listed = [(found[key], score) for key, score in best.items() if key in found]
        return Answer(hits=listed, words_alone=alone)

    async def _ranked(
        self, tenant: str, query: str, facets: Facets, hits: int, embedder: Embedder | None
    ) -> tuple[Sequence[tuple[str, float]], bool]:
        """Return ids with scores, and whether they are those of words alone."""
        words = concepts(query)
        if embedder is None:
            return await self.index.best(tenant, words, facets=facets, limit=hits), True
        depth = max(_LEAST_DEPTH, _DEPTH * hits)
        said, meant = await asyncio.gather(
            self.index.best(tenant, words, facets=facets, limit=depth),
            self._meant(tenant, query, facets, depth, embedder),
        )
        if meant is None:
            return said, True
        question, near = meant
        shares = dict(said)
        cosines = await self.vectors.cosines(question, {*shares, *near})
        return merged(shares, cosines), False

    async def _meant(
        self, tenant: str, query: str, facets: Facets, depth: int, embedder: Embedder
    ) -> tuple[Question, Sequence[str]] | None:
        """Return what is meant and the nearest to it, ``None`` while nobody can tell."""
        vector = await self._vector(embedder, query)
        if vector is None:
            return None
        question = Question(tenant=tenant, embedder=embedder.name, vector=vector)
        return question, await self.vectors.nearest(question, facets, depth) if vector else ()

    async def _vector(self, embedder: Embedder, query: str) -> Vector | None:
        """Return what the question means, () if nothing, ``None`` while nobody can tell."""
        try:
            async with asyncio.timeout(self.patience.total_seconds()):
                [vector] = await embedder.embed([query])
        except (ServiceError, TimeoutError) as error:
            log.warning("embeddings_away", embedder=embedder.name, error=type(error).__name__)
            return None
        return vector
