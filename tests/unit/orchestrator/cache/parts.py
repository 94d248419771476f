"""A job's real steps over a cache in memory."""

import itertools
from dataclasses import dataclass, field, replace
from datetime import timedelta

from services.orchestrator.adapters.lexical_embedder import LexicalEmbedder
from services.orchestrator.adapters.messages import load_messages, load_texts
from services.orchestrator.domain.cache.policy import CachePolicy
from services.orchestrator.domain.models import Model
from services.orchestrator.domain.policy import CacheRules, TenantPolicy
from services.orchestrator.domain.routing import Router
from services.orchestrator.flows.generate_video import generate_video
from services.orchestrator.usecases.afford import Affording
from services.orchestrator.usecases.attempt import AttemptVideo
from services.orchestrator.usecases.caching import VideoCache
from services.orchestrator.usecases.finish import CancelVideo, FinishVideo
from services.orchestrator.usecases.keep import KeepClip
from services.orchestrator.usecases.prepare import PrepareVideo
from services.orchestrator.usecases.reuse import Reuse
from services.orchestrator.usecases.similar import Similar
from services.orchestrator.usecases.spend import Spending
from services.orchestrator.usecases.twins import Twins
from services.orchestrator.worker import Steps
from tests.fakes.journal import Journal
from tests.fakes.memory_cache import MemoryCache, MemoryClips, Tally
from tests.fakes.memory_ledger import MemoryLedger
from tests.fakes.orchestrator_parts import (
    FixedModels,
    MemoryJobs,
    PlainPrompts,
    Rests,
    ScriptedGenerator,
)
from tests.unit.orchestrator.examples import NOW, STORYBOARD, hosted, queued

COST = 250_000
MODELS = (hosted("a"), hosted("b"))
# Requests may ask for as little likeness as they want.
OPEN = CacheRules(min_similarity=0.0)


@dataclass
class Desk:
    """`PoliciesPort` with one policy for everybody, which a test may change."""

    policy: TenantPolicy

    async def of(self, tenant, user=""):
        return self.policy


@dataclass
class Workshop:
    """Several jobs over one cache, one ledger and one generator that bills what it makes."""

    generator: ScriptedGenerator
    policy: CachePolicy
    models: tuple[Model, ...]
    rules: CacheRules = field(default_factory=CacheRules)

    def __post_init__(self):
        self.jobs, self.ledger = MemoryJobs(), MemoryLedger()
        self.store, self.clips, self.tally = MemoryCache(NOW), MemoryClips(), Tally()
        self.ids = map(str, itertools.count(1))
        self.catalogue = FixedModels(*self.models)
        self.policies = Desk(TenantPolicy(cache=self.rules))
        finish = FinishVideo(
            jobs=self.jobs, messages=load_messages(), texts=load_texts(), now=lambda: NOW
        )
        cache = self._cache()
        self.steps = Steps(
            preparing=PrepareVideo(
                jobs=self.jobs,
                models=self.catalogue,
                prompts=PlainPrompts(),
                router=Router(allow_placeholder=False),
                finish=finish,
                afford=Affording(ledger=self.ledger),
                now=lambda: NOW,
                texts=load_texts(),
                policies=self.policies,
                cache=cache,
            ),
            attempting=AttemptVideo(
                jobs=self.jobs,
                generator=self.generator,
                spending=Spending(ledger=self.ledger),
                now=lambda: NOW,
                rest=Rests().rest,
                deadline=timedelta(hours=1),
                cache=cache,
            ),
            finishing=finish,
            cancelling=CancelVideo(jobs=self.jobs, generator=self.generator, finish=finish),
        )

    def _cache(self):
        reuse = Reuse(
            store=self.store,
            clips=self.clips,
            jobs=self.jobs,
            ledger=self.ledger,
            counting=self.tally,
            policy=self.policy,
            now=lambda: self.store.now,
        )
        return VideoCache(
            jobs=self.jobs,
            models=self.catalogue,
            policies=self.policies,
            reuse=reuse,
            twins=Twins(
                store=self.store,
                reuse=reuse,
                jobs=self.jobs,
                now=lambda: NOW,
                deadline=timedelta(hours=1),
            ),
            similar=Similar(store=self.store, reuse=reuse, embedder=LexicalEmbedder()),
            kept=KeepClip(
                store=self.store,
                embedder=LexicalEmbedder(),
                policy=self.policy,
                now=lambda: NOW,
                new_id=lambda: next(self.ids),
            ),
        )

    def add(self, name, variations=1, *, tenant="acme", **changes):
        """A queued job of this name."""
        self.jobs.jobs[name] = replace(queued(variations, **changes), id=name, tenant=tenant)

    async def make(self, name, variations=1, **changes):
        """Make a job to its end and return it."""
        self.add(name, variations, **changes)
        return await self.go_on(name)

    async def go_on(self, name):
        """Make a job that was accepted to its end and return it."""
        await generate_video(name, self.steps, Journal())
        return self.jobs.jobs[name]

    async def totals(self, name, tenant="acme"):
        """Cost and saving of a job, as the ledger tells them."""
        found = await self.ledger.totals(tenant, [name])
        return (found[name].cost_micros, found[name].savings_micros) if name in found else (0, 0)


class Studio(ScriptedGenerator):
    """What the placeholder model makes is a placeholder."""

    def __init__(self, script, **others):
        super().__init__(script, **others)
        self.models = {}

    async def create(self, order):
        self.models[order.request_id] = order.model
        return await super().create(order)

    def _view(self, identifier, *arguments, **named):
        view = super()._view(identifier, *arguments, **named)
        if view.clip is None:
            return view
        drawn = self.models[identifier] == STORYBOARD.id
        return replace(view, clip=replace(view.clip, placeholder=drawn))


def workshop(script=lambda _: "ok", *, models=MODELS, rules=OPEN, **policy):
    """A workshop; every clip costs $0.25."""
    generator = Studio(script, cost=lambda i: COST if script(i) == "ok" else 0)
    return Workshop(generator, CachePolicy(**policy), tuple(models), rules)
