"""Who goes next: shares by weight, no starvation, small numbers."""

from datetime import UTC, datetime, timedelta

from services.orchestrator.domain.fairness import Shares
from tests.unit.orchestrator.examples import NOW


def test_a_tenant_that_asks_for_much_does_not_delay_one_that_asks_for_little():
    shares = Shares()
    noisy = [shares.place("noisy", 1, NOW) for _ in range(1000)]
    quiet = shares.place("quiet", 1, NOW)
    assert noisy == sorted(noisy)
    assert sum(place < quiet for place in noisy) <= 1


def test_a_heavier_tenant_gets_a_larger_share():
    shares = Shares()
    light = [shares.place("light", 1, NOW) for _ in range(100)]
    heavy = [shares.place("heavy", 4, NOW) for _ in range(100)]
    ahead = sum(place <= light[19] for place in heavy)
    assert 70 <= ahead <= 90


def test_nobody_waits_for_ever_behind_those_who_come_later():
    shares = Shares()
    waiting = [shares.place("noisy", 1, NOW) for _ in range(60)][-1]
    later = NOW + timedelta(seconds=61)
    assert shares.place("quiet", 1, later) > waiting


def test_places_fit_the_engine_for_decades():
    assert Shares().place("t", 1, datetime(2020, 1, 1, tzinfo=UTC)) >= 1
    assert Shares().place("t", 1, datetime(2090, 1, 1, tzinfo=UTC)) < 2**31


def test_tenants_who_are_owed_nothing_are_forgotten():
    shares = Shares()
    for n in range(10_000):
        shares.place(f"t{n}", 1, NOW)
    shares.place("late", 1, NOW + timedelta(minutes=1))
    assert len(shares._next) == 1
