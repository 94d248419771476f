"""The ledger on SQLite and PostgreSQL: nothing twice, nothing over a limit, sums that agree."""

import asyncio
import random
import sys
import time
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import cast

import pytest
import sqlalchemy as sa

from services.common.database import Database
from services.common.errors import BudgetExceeded
from services.common.migrate import migrate
from services.orchestrator import __main__ as orchestrator
from services.orchestrator.adapters.money_tables import budgets, ledger_entries
from services.orchestrator.adapters.sql_books import SqlBooks
from services.orchestrator.adapters.sql_ledger import SqlLedger
from services.orchestrator.domain.money.ledger import Totals
from services.orchestrator.domain.money.scopes import Scope, ScopeKind
from tests.contract.orchestrator import holding_process
from tests.fakes.memory_ledger import MemoryLedger
from tests.unit.orchestrator.examples import NOW, charge

pytestmark = pytest.mark.timeout(120)
ROOT = Path(__file__).parents[3]
SPRING = Scope(ScopeKind.PROJECT, "spring")


@asynccontextmanager
async def opened(database_url):
    """A migrated database."""
    async with Database(database_url, schema="orchestrator", synchronous="OFF") as database:
        await migrate(database, orchestrator.MIGRATIONS)
        yield database


def parts(database):
    return SqlLedger(database, now=lambda: NOW), SqlBooks(database, now=lambda: NOW)


async def entries_of(database):
    """Every entry as (kind, amount), oldest first."""
    async with database.read() as connection:
        rows = await connection.execute(sa.select(ledger_entries).order_by("position"))
        return [(row.kind, row.amount_micros) for row in rows]


async def movements(database):
    """Every entry that moves money."""
    return [found for found in await entries_of(database) if found[0] != "estimate"]


async def sums(database, tenant="acme"):
    """Held and spent by scope."""
    async with database.read() as connection:
        rows = await connection.execute(sa.select(budgets).where(budgets.c.tenant == tenant))
        return {
            Scope(ScopeKind(row.scope), row.subject): (row.held_micros, row.spent_micros)
            for row in rows
        }


async def test_a_repeated_step_moves_nothing_twice(database_url):
    async with opened(database_url) as database:
        ledger, _ = parts(database)
        for _ in range(3):
            assert await ledger.hold(charge(), 500) == 500
        for _ in range(3):
            assert await ledger.settle(charge(), 300) == 300
        await ledger.release(charge())
        for _ in range(2):
            await ledger.refund(charge(), 100)
        assert await movements(database) == [
            ("hold", 500), ("settle", 300), ("release", 200), ("refund", 100),
        ]  # fmt: skip
        assert set((await sums(database)).values()) == {(0, 200)}
        assert await ledger.totals("acme", ["j1"]) == {"j1": Totals(200, 0)}


async def test_twins_at_the_same_moment_hold_once(database_url):
    async with opened(database_url) as database:
        ledger, _ = parts(database)
        await asyncio.gather(*(ledger.hold(charge(), 500) for _ in range(20)))
        assert await movements(database) == [("hold", 500)]
        await asyncio.gather(*(ledger.settle(charge(), 400) for _ in range(20)))
        assert await movements(database) == [("hold", 500), ("settle", 400), ("release", 100)]


async def test_what_was_thought_at_the_beginning_stays_beside_what_it_cost(database_url):
    async with opened(database_url) as database:
        ledger, _ = parts(database)
        for amount in (500, 500, 800):
            await ledger.hold(charge(), amount)
        await ledger.settle(charge(), 700)
        found = await entries_of(database)
        assert found[0] == ("estimate", 500)
        assert [kind for kind, _ in found].count("estimate") == 1
        assert set((await sums(database)).values()) == {(0, 700)}


async def test_a_hold_grows_to_what_turns_out_to_be_needed(database_url):
    async with opened(database_url) as database:
        ledger, _ = parts(database)
        await ledger.hold(charge(), 500)
        assert await ledger.hold(charge(), 800) == 800
        assert await ledger.hold(charge(), 500) == 800
        assert await movements(database) == [("hold", 500), ("hold", 300)]


async def test_a_late_success_is_charged_after_its_release(database_url):
    async with opened(database_url) as database:
        ledger, _ = parts(database)
        await ledger.hold(charge(), 500)
        await ledger.release(charge())
        assert set((await sums(database)).values()) == {(0, 0)}
        assert await ledger.settle(charge(), 450) == 450
        await ledger.release(charge())
        assert set((await sums(database)).values()) == {(0, 450)}


async def test_a_success_whose_price_nobody_knows_costs_what_was_held(database_url):
    async with opened(database_url) as database:
        ledger, _ = parts(database)
        await ledger.hold(charge(), 500)
        assert await ledger.settle(charge(), None) == 500


async def test_what_is_free_leaves_no_rows(database_url):
    async with opened(database_url) as database:
        ledger, _ = parts(database)
        assert await ledger.settle(charge(), 0) == await ledger.settle(charge(), None) == 0
        await ledger.release(charge())
        assert (await movements(database), await sums(database)) == ([], {})


async def test_all_budgets_must_agree_and_the_error_names_the_one_that_does_not(database_url):
    async with opened(database_url) as database:
        ledger, books = parts(database)
        await books.set_limit("acme", Scope(ScopeKind.TENANT, "acme"), 10_000, "")
        await books.set_limit("acme", SPRING, 1_000, "")
        await books.set_limit("acme", Scope(ScopeKind.MONTH, "2026-11"), 5_000, "")
        await ledger.hold(charge(1, project="spring"), 700)
        with pytest.raises(BudgetExceeded) as refused:
            await ledger.hold(charge(2, project="spring"), 301)
        assert refused.value.metadata == {
            "budget": "budgets/project.spring",
            "limit": "1000",
            "left": "300",
            "needed": "301",
            "fits": "up to $0.0003",
        }
        assert await movements(database) == [("hold", 700)]
        await ledger.hold(charge(2, project="spring"), 300)
        await ledger.hold(charge(3, project="autumn"), 4_000)
        with pytest.raises(BudgetExceeded, match=r"budgets/month\.2026-11 "):
            await ledger.hold(charge(4), 1)
        await ledger.hold(charge(4, month="2026-12"), 1)


@pytest.mark.parametrize(
    ("scope", "mine"),
    [
        (Scope(ScopeKind.CREATIVE, "c1"), {"creative": "c1"}),
        (Scope(ScopeKind.FILM, "f1"), {"film": "f1"}),
        (Scope(ScopeKind.CREDENTIAL, "runway"), {"provider": "runway"}),
        (Scope(ScopeKind.USER, "key1"), {"user": "key1"}),
    ],
)
async def test_every_kind_of_budget_holds(scope, mine, tmp_path):
    async with opened(f"sqlite:///{tmp_path}/money.sqlite") as database:
        ledger, books = parts(database)
        await books.set_limit("acme", scope, 100, "")
        await ledger.hold(charge(1), 1_000)
        with pytest.raises(BudgetExceeded) as refused:
            await ledger.hold(charge(2, **mine), 101)
        assert refused.value.metadata["budget"] == scope.name
        await ledger.hold(charge(2, tenant="other", **mine), 101)


async def test_a_requests_own_limit_is_shared_by_its_variations(database_url):
    async with opened(database_url) as database:
        ledger, _ = parts(database)
        answers = await asyncio.gather(
            *(ledger.hold(charge(n, limit=250), 100) for n in range(5)), return_exceptions=True
        )
        assert sum(answer == 100 for answer in answers) == 2
        assert sum(isinstance(answer, BudgetExceeded) for answer in answers) == 3


async def test_a_limit_that_is_set_later_finds_what_was_spent_before(database_url):
    async with opened(database_url) as database:
        ledger, books = parts(database)
        await ledger.hold(charge(1, project="spring"), 600)
        await ledger.settle(charge(1, project="spring"), 500)
        await ledger.hold(charge(2, project="spring"), 200)
        found = await books.set_limit("acme", SPRING, 800, "")
        assert (found.held_micros, found.spent_micros, found.left_micros) == (200, 500, 100)


async def test_what_was_held_and_never_settled_is_found_again(database_url):
    async with opened(database_url) as database:
        ledger, _ = parts(database)
        for number in (1, 2, 3):
            await ledger.hold(charge(number, project="spring", user="key1"), 100)
        await ledger.settle(charge(1), 100)
        await ledger.release(charge(2))
        found = await ledger.unsettled(NOW - timedelta(hours=1), 0, 10)
        assert [each.charge.attempt for each in found] == ["j1/1/2", "j1/1/3"]
        assert found[0].charge == charge(2, project="spring", user="key1")
        assert await ledger.unsettled(NOW, found[-1].position, 10) == []
        assert await ledger.unsettled(NOW + timedelta(seconds=1), 0, 10) == []


async def test_what_is_held_still_is_found_however_long_ago_it_began(database_url):
    async with opened(database_url) as database:
        ledger, _ = parts(database)
        for number in (1, 2, 3, 4):
            await ledger.hold(charge(number), 100)
        await ledger.settle(charge(1), 100)
        await ledger.release(charge(2))
        await ledger.release(charge(3))
        await ledger.hold(charge(3), 150)
        later = NOW + timedelta(days=30)
        found = await ledger.held(later, 0, 10)
        assert [each.charge.attempt for each in found] == ["j1/1/3", "j1/1/4"]
        assert await ledger.held(later, found[0].position, 1) == found[1:]
        assert await ledger.held(NOW, 0, 10) == []


# ---------------------------------------------------------------------------- under load
async def test_a_budget_for_seven_admits_seven_of_a_hundred_on_one_sqlite_file(tmp_path):
    url = f"sqlite:///{tmp_path}/money.sqlite"
    async with opened(url) as first, opened(url) as second, opened(url) as third:
        await parts(first)[1].set_limit("acme", SPRING, 7 * holding_process.PRICE, "")
        counts = await asyncio.gather(
            *(
                holding_process.admitted(database, f"r{number}", requests)
                for number, (database, requests) in enumerate(
                    [(first, 34), (second, 33), (third, 33)]
                )
            )
        )
        assert sum(counts) == 7
        assert (await sums(first))[SPRING] == (7 * holding_process.PRICE, 0)


async def test_a_budget_for_seven_admits_seven_of_a_hundred_from_three_processes(postgres_url):
    async with opened(postgres_url) as database:
        await parts(database)[1].set_limit("acme", SPRING, 7 * holding_process.PRICE, "")
        replicas = [
            await asyncio.create_subprocess_exec(
                sys.executable, "-m", "tests.contract.orchestrator.holding_process",
                postgres_url, f"r{number}", requests,
                cwd=ROOT, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
            )
            for number, requests in enumerate(["34", "33", "33"])
        ]  # fmt: skip
        for replica in replicas:
            assert replica.stdout
            assert await replica.stdout.readline() == b"ready\n"
        answers = await asyncio.gather(*(replica.communicate(b"go\n") for replica in replicas))
        assert sum(int(out) for out, _ in answers) == 7
        assert (await sums(database))[SPRING] == (7 * holding_process.PRICE, 0)


class Lost(Exception):
    """The connection broke: nobody knows whether the transaction was committed."""


class Faulty:
    """A database that breaks, before or after the commit, as chance has it."""

    def __init__(self, database, chance):
        self._database, self._chance = database, chance
        self.is_sqlite, self.read = database.is_sqlite, database.read
        self.statement = database.statement
        self.last_committed = False

    @asynccontextmanager
    async def begin(self):
        self.last_committed = False
        async with self._database.begin() as connection:
            yield connection
            if self._chance.random() < 0.1:
                raise Lost
        self.last_committed = True
        if self._chance.random() < 0.1:
            raise Lost


@pytest.mark.parametrize(
    ("kind", "operations", "lanes"),
    [
        ("sqlite", 1_000, 1),
        ("postgres", 600, 2),
        pytest.param("sqlite", 10_000, 1, marks=[pytest.mark.stress, pytest.mark.timeout(600)]),
        pytest.param("postgres", 10_000, 10, marks=[pytest.mark.stress, pytest.mark.timeout(1200)]),
    ],
)
async def test_random_movements_with_faults_equal_an_oracle(
    kind, operations, lanes, tmp_path, request
):
    """In lanes at the same time: each has a tenant with limits, one without, and its own dice."""
    sqlite = f"sqlite:///{tmp_path}/money.sqlite"
    url = sqlite if kind == "sqlite" else request.getfixturevalue("postgres_url")
    async with opened(url) as database:
        began = time.monotonic()
        each = operations // lanes
        await asyncio.gather(*(_lane(database, number, each) for number in range(lanes)))
        took = time.monotonic() - began
        print(f"\n{kind}: {operations} operations in {lanes} lanes equal the oracle, {took:.0f} s")
        entries = await entries_of(database)
        assert {entry for entry, _ in entries} == {
            "estimate",
            "hold",
            "settle",
            "release",
            "refund",
            "saving",
        }


async def _lane(database, number, operations):
    """So many movements of two tenants, each repeated by an oracle that must agree."""
    chance, tenants = random.Random(20261121 + number), (f"acme{number}", f"other{number}")
    oracle, faulty = MemoryLedger(), Faulty(database, chance)
    ledger = SqlLedger(cast(Database, faulty), now=lambda: NOW)
    books = parts(database)[1]
    for scope, limit in (
        (Scope(ScopeKind.TENANT, tenants[0]), 900_000),
        (SPRING, 300_000),
        (Scope(ScopeKind.CREDENTIAL, "runway"), 200_000),
    ):
        await books.set_limit(tenants[0], scope, limit, "")
        oracle.limits[tenants[0], scope] = limit
    done = 0
    while done < operations:
        done += await _same_on_both(ledger, oracle, faulty, chance, tenants)
    assert await _agree(database, oracle, tenants) > 10


async def _same_on_both(ledger, oracle, faulty, chance, tenants):
    """One movement, on the oracle only if it was committed; repeated or not, as chance has it.

    Returns how often it was asked for.
    """
    job = f"j{chance.randrange(60)}"
    mine = charge(
        chance.randrange(3),
        job=job,
        tenant=tenants[chance.random() >= 0.9],
        project=("", "spring", "autumn")[hash_of(job) % 3],
        film=("", "f1", "f2")[hash_of(job) // 3 % 3],
        provider=("runway", "luma")[hash_of(job) % 2],
        limit=4_000 if hash_of(job) % 5 == 0 else None,
    )
    name, *amount = chance.choice(
        [("hold", chance.randrange(1, 3_000)), ("hold", 1_500), ("settle", chance.randrange(2_000)),
         ("settle", None), ("release",), ("refund", chance.randrange(1, 900)),
         ("save", chance.randrange(1, 900))]
    )  # fmt: skip
    times = chance.choice([1, 1, 2, 3])
    for _ in range(times):
        answers = []
        try:
            answers.append(await getattr(ledger, name)(mine, *amount))
        except Lost:
            if not faulty.last_committed:
                continue
        except BudgetExceeded as error:
            answers.append(error.metadata)
        try:
            expected = await getattr(oracle, name)(mine, *amount)
        except BudgetExceeded as error:
            expected = error.metadata
        assert answers in ([], [expected])
    return times


def hash_of(job):
    return int(job[1:])


async def _agree(database, oracle, tenants):
    """Compare all sums and totals with the oracle's; returns how many were compared."""
    compared = 0
    for tenant in tenants:
        found = await sums(database, tenant)
        for scope, amounts in found.items():
            assert amounts == oracle.sums(tenant, scope), scope
            compared += 1
        jobs = [f"j{number}" for number in range(60)]
        totals = await SqlLedger(database, now=lambda: NOW).totals(tenant, jobs)
        wanted = await oracle.totals(tenant, jobs)
        assert {job: totals.get(job, Totals()) for job in wanted} == wanted
        films = await SqlLedger(database, now=lambda: NOW).film_totals(tenant, ["f1", "f2", ""])
        wanted = await oracle.film_totals(tenant, ["f1", "f2", ""])
        assert {film: films.get(film, Totals()) for film in wanted} == wanted
        for film, told in films.items():  # what is told is what its budget counts
            assert told.cost_micros == found[Scope(ScopeKind.FILM, film)][1]
    for (tenant, scope), limit in oracle.limits.items():
        held, _ = oracle.sums(tenant, scope)
        assert held <= limit
    return compared


@pytest.mark.parametrize(
    ("before", "bill", "moved"),
    [
        (("hold", "settle"), 300, []),
        (("hold", "settle"), 450, [("settle", 150)]),
        (("hold", "settle"), 100, [("refund", 200)]),
        (("hold", "settle"), 0, [("refund", 300)]),
        (("hold",), 450, [("settle", 450), ("release", 50)]),
        (("hold",), 0, [("settle", 0), ("release", 500)]),
        (("hold", "release"), 230, [("settle", 230)]),
        (("hold", "settle", "refund"), 300, [("settle", 100)]),
    ],
)
async def test_a_bill_has_the_last_word_however_often_it_is_read(database_url, before, bill, moved):
    async with opened(database_url) as database:
        ledger, _ = parts(database)
        twin = MemoryLedger()
        for each in (ledger, twin):
            for step in before:
                amounts = {"hold": (500,), "settle": (300,), "release": (), "refund": (100,)}
                await getattr(each, step)(charge(), *amounts[step])
        known = await movements(database)
        for _ in range(2):
            changed = await ledger.correct("acme", "j1/1/1", bill)
            assert changed == await twin.correct("acme", "j1/1/1", bill)
        assert (await movements(database))[len(known) :] == moved
        assert set((await sums(database)).values()) == {(0, bill)}
        assert await ledger.totals("acme", ["j1"]) == {"j1": Totals(bill, 0)}
        assert await ledger.settle(charge(), 300) >= bill  # a late step moves nothing
        assert set((await sums(database)).values()) == {(0, bill)}
        assert await ledger.correct("acme", "nobody", 5) == 0
