"""The cache as a deployment sets it up: where entries are kept, how prompts are compared."""

from dataclasses import replace

from services.common import clock
from services.common.embedders.chosen import chosen
from services.common.ids import new_id
from services.common.telemetry import Metrics
from services.orchestrator.adapters.cache_metrics import CacheMetrics
from services.orchestrator.adapters.lexical_embedder import LexicalEmbedder
from services.orchestrator.adapters.sql_cache import SqlCache
from services.orchestrator.domain.cache.entries import Embedder
from services.orchestrator.settings import Settings
from services.orchestrator.usecases.artefacts import KeptArtefacts
from services.orchestrator.usecases.caching import VideoCache
from services.orchestrator.usecases.keep import KeepClip
from services.orchestrator.usecases.reuse import Reuse
from services.orchestrator.usecases.similar import Similar
from services.orchestrator.usecases.twins import Twins
from services.orchestrator.worker import Parts


def _embedder(settings: Settings) -> Embedder:
    kind = settings.embeddings
    return LexicalEmbedder() if kind == "lexical" else chosen(kind, settings)


def cached(settings: Settings, parts: Parts, metrics: Metrics) -> Parts:
    """The parts of a deployment with its cache, of clips and of all else that films buy."""
    if not settings.cache:
        return parts
    embedder, outside = _embedder(settings), settings.embeddings == "endpoint"
    store, policy = SqlCache(parts.database, now=clock.now), settings.cache_policy()
    reuse = Reuse(
        store=store,
        clips=parts.clips,
        jobs=parts.jobs,
        ledger=parts.ledger,
        counting=CacheMetrics(metrics),
        policy=policy,
        now=clock.now,
    )
    deadline = settings.job_deadline
    cache = VideoCache(
        jobs=parts.jobs,
        models=parts.models,
        policies=parts.policies,
        reuse=reuse,
        twins=Twins(store=store, reuse=reuse, jobs=parts.jobs, now=clock.now, deadline=deadline),
        similar=Similar(store=store, reuse=reuse, embedder=embedder, outside=outside),
        kept=KeepClip(
            store=store,
            embedder=embedder,
            policy=policy,
            now=clock.now,
            new_id=new_id,
            outside=outside,
        ),
    )
    artefacts = KeptArtefacts(reuse=reuse, policies=parts.policies, new_id=new_id)
    return replace(parts, cache=cache, films=replace(parts.films, artefacts=artefacts))
