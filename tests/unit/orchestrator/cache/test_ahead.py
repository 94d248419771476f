"""Clips made again before they expire: only what is worth it, only once, never beyond its money."""

import asyncio
import itertools
from dataclasses import replace
from datetime import timedelta

import pytest

from services.common.background import background
from services.orchestrator.domain.money.budgets import Budget
from services.orchestrator.domain.money.scopes import Scope, ScopeKind
from services.orchestrator.domain.options import CacheMode, CacheOptions
from services.orchestrator.domain.policy import CacheRules, TenantPolicy
from services.orchestrator.domain.routing import Router
from services.orchestrator.usecases import ahead
from services.orchestrator.usecases.accept import AcceptVideo
from services.orchestrator.usecases.afford import Affording
from services.orchestrator.usecases.ahead import LEAD, OFTEN, MakeAhead
from tests.fakes.waiting import until
from tests.unit.orchestrator.cache.parts import COST, workshop
from tests.unit.orchestrator.cache.test_accepting import Shelf
from tests.unit.orchestrator.examples import NOW

PROJECT = Scope(ScopeKind.PROJECT, "ahead-2026-11")
LIFETIME = timedelta(days=10)


class Limits:
    """`Books.set_limit` over a ledger in memory."""

    def __init__(self, ledger):
        self.ledger = ledger

    async def set_limit(self, tenant, scope, limit_micros, request_id):
        self.ledger.limits[tenant, scope] = limit_micros
        return Budget(scope=scope, limit_micros=limit_micros)

    async def limit(self, tenant, scope):
        raise AssertionError

    async def limits(self, tenant, after, size):
        raise AssertionError

    async def entries(self, tenant, job, before, size):
        raise AssertionError

    async def report(self, tenant, by, period):
        raise AssertionError


class Press:
    """A workshop with a round of `MakeAhead`; what a round begins is made by `go`."""

    def __init__(self, budget=10 * COST, script=lambda _: "ok", **rules):
        self.rules = CacheRules(min_similarity=0.0, ahead_micros=budget, **rules)
        self.shop = workshop(script, rules=self.rules, lifetime=LIFETIME)
        ids = itertools.count(1)
        accept = AcceptVideo(
            jobs=self.shop.jobs,
            models=self.shop.catalogue,
            assets=Shelf(),
            router=Router(allow_placeholder=False),
            afford=Affording(ledger=self.shop.ledger),
            now=lambda: NOW,
            new_id=lambda: f"n{next(ids)}",
            policies=self.shop.policies,
            cache=self.shop.steps.preparing.cache,
        )
        self.accept = accept

    def round(self):
        return self.ahead(self.shop.store)()

    def ahead(self, store):
        return MakeAhead(
            store=store,
            jobs=self.shop.jobs,
            books=Limits(self.shop.ledger),
            policies=self.shop.policies,
            accept=self.accept,
            now=lambda: self.shop.store.now,
        )

    async def loved(self, name, uses=OFTEN, **changes):
        """A clip that was made and then served so often."""
        await self.shop.make(name, **changes)
        for number in range(uses):
            await self.shop.make(f"{name}u{number}", **changes)

    async def go(self):
        """Make whatever has been begun and not ended."""
        waiting = [j.id for j in self.shop.jobs.jobs.values() if not j.state.terminal]
        for name in waiting:
            await self.shop.go_on(name)
        return [self.shop.jobs.jobs[name] for name in waiting]

    def late(self):
        self.shop.store.now = NOW + LIFETIME - LEAD / 2

    def spent(self):
        return self.shop.ledger.sums("acme", PROJECT)[1]


async def test_what_is_served_often_is_made_again_before_it_expires():
    press = Press()
    await press.loved("j1")
    assert await press.round() == 0, "it is good for long yet"
    press.late()
    assert (await press.round(), await press.round()) == (1, 0)
    [job] = await press.go()
    assert job.request.project == "ahead-2026-11"
    assert job.clip(1).reused is None
    [entry] = press.shop.store.entries.values()
    assert entry.clip == job.clip(1).clip
    assert press.spent() == COST
    assert await press.round() == 0


@pytest.mark.parametrize(
    "press",
    [
        lambda: Press(budget=0),
        lambda: Press(enabled=False),
    ],
)
async def test_nothing_is_made_for_who_has_not_asked_for_it(press):
    found = press()
    found.shop.policies.policy = TenantPolicy(cache=CacheRules(min_similarity=0.0))
    await found.loved("j1")
    found.shop.policies.policy = TenantPolicy(cache=found.rules)
    found.late()
    assert await found.round() == 0


async def test_what_is_rarely_served_or_long_ago_is_left_to_expire():
    press = Press()
    await press.loved("j1", uses=OFTEN - 1)
    press.late()
    assert await press.round() == 0


async def test_it_never_spends_beyond_its_own_budget_also_when_rounds_overlap():
    press = Press(budget=2 * COST + COST // 2)
    for number in range(5):
        await press.loved(f"j{number}", prompt=f"prompt {number}")
    press.late()
    await asyncio.gather(*(press.round() for _ in range(4)))
    await press.go()
    for _ in range(3):
        await press.round()
        await press.go()
    assert press.spent() == 2 * COST
    fresh = [e for e in press.shop.store.entries.values() if e.job.startswith("n")]
    assert len(fresh) == 2


async def test_tenants_that_pay_for_nothing_hide_nobody_elses_clips(monkeypatch):
    monkeypatch.setattr(ahead, "PAGE", 2)
    press = Press()
    await press.loved("j1")
    [mine] = press.shop.store.entries.values()
    uses = [*press.shop.store.uses.values()]
    for number in range(5):  # they come first, and their tenants have no money for it
        other = replace(mine, id=f"0{number}", tenant=f"t{number}")
        await press.shop.store.put(other)
        await press.shop.store.use([replace(use, tenant=other.tenant) for use in uses])
    desk = press.shop.policies

    class Generous:
        async def of(self, tenant, user=""):
            return desk.policy if tenant == "acme" else TenantPolicy()

    press.shop.policies = Generous()
    press.late()
    assert await press.round() == 1


async def test_words_of_a_template_are_not_put_into_it_once_more():
    press = Press()
    known = {"template": "promptTemplates/t/versions/1", "template_values": {"prompt": "a boat"}}
    await press.loved("j1", prompt="a boat in the style of t", **known)
    press.late()
    assert await press.round() == 1
    [job] = await press.go()
    assert job.request.prompt == "a boat in the style of t"
    [entry] = press.shop.store.entries.values()
    assert entry.job == job.id, "it has the place of the old one"


async def test_a_clip_that_cannot_be_made_again_stays():
    press = Press(script=lambda i: "fail" if i.startswith("n") else "ok")
    await press.loved("j1")
    press.late()
    assert await press.round() == 1
    await press.go()
    [entry] = press.shop.store.entries.values()
    assert entry.job == "j1"
    assert press.spent() == 0


async def test_a_caller_may_have_a_clip_made_anew_that_replaces_the_cached_one():
    shop = workshop()
    await shop.make("j1")
    anew = await shop.make("j2", cache=CacheOptions(mode=CacheMode.REFRESH))
    assert anew.clip(1).reused is None
    later = await shop.make("j3")
    assert later.clip(1).clip == anew.clip(1).clip
    assert later.clip(1).reused.kind == "exact"


async def test_a_database_that_was_away_for_once_ends_no_making_ahead():
    class Broken:
        asked = 0

        async def fading(self, wanted):
            self.asked += 1
            if self.asked == 1:
                raise ConnectionError("refused")
            return []

    store = Broken()
    work = Press().ahead(store).run(timedelta(milliseconds=1))
    async with background("ahead", work) as task:
        await until(lambda: task.done() or store.asked > 1)
        assert not task.done()
