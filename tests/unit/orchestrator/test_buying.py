"""What becomes of an order that is no clip, by how it is answered."""

from datetime import timedelta

import pytest

from services.common.errors import Cancelled, Internal, NoCredentials, RequestConflict, Unavailable
from services.orchestrator.domain.films.works import MusicWork, WorkOrder
from services.orchestrator.domain.money.scopes import Scope, ScopeKind
from services.orchestrator.usecases.buying import Buying, Overdue
from tests.fakes.film_parts import ScriptedWorks
from tests.fakes.memory_ledger import MemoryLedger
from tests.unit.orchestrator.examples import charge

PRICE = 2_000
ORDER = WorkOrder(
    tenant="acme",
    request_id="f1/music/1.1/0",
    model="song",
    work=MusicWork(prompt="drums", seconds=5.0),
    film="f1",
    creative_id="",
    max_price_micros=PRICE,
)


def buying(works, deadline=timedelta(seconds=30)):
    return Buying(works=works, ledger=MemoryLedger(), deadline=deadline)


def held(buying):
    return buying.ledger.sums("acme", Scope(ScopeKind.TENANT, "acme"))[0]


@pytest.mark.parametrize(
    ("error", "kept"),
    [
        (NoCredentials("no key"), 0),
        (Unavailable("rested", metadata={"provider": "vendor"}), 0),
        (Internal("the stream was reset"), PRICE),
        (Cancelled("by a proxy"), PRICE),
        (RequestConflict(ORDER.request_id), PRICE),
    ],
)
async def test_a_hold_is_freed_only_where_nothing_can_have_been_ordered(error, kept):
    works = ScriptedWorks(lambda _: "refused")
    works.refusal = error
    purchase = buying(works)
    with pytest.raises(type(error)):
        await purchase(ORDER, charge())
    assert held(purchase) == kept


async def test_a_time_that_was_up_elsewhere_cancels_no_order():
    class Slow(ScriptedWorks):
        async def watch(self, tenant, name, after):
            async for view in super().watch(tenant, name, after):
                yield view
                raise TimeoutError("connect")

    purchase = buying(Slow())
    with pytest.raises(TimeoutError):
        await purchase(ORDER, charge())
    assert purchase.works.cancelled == set()


async def test_an_order_that_does_not_end_in_its_time_is_cancelled():
    purchase = buying(ScriptedWorks(lambda _: "hang"), timedelta(seconds=0.05))
    with pytest.raises(Overdue):
        await purchase(ORDER, charge())
    assert purchase.works.cancelled == {ORDER.request_id}
    assert held(purchase) == PRICE
