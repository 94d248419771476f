"""Amounts that callers name: whole micro-USD, and never more than a database can add up."""

import pytest
from google.type.money_pb2 import Money

from services.common.errors import InvalidArgument
from services.orchestrator.adapters.wire import from_money, to_money


@pytest.mark.parametrize(
    "told",
    [
        Money(currency_code="EUR", units=1),
        Money(nanos=1),
        Money(units=1_000_000_001),
        Money(units=-(2**63)),
        Money(units=2**63 - 1),
        Money(nanos=2_000_000_000),
    ],
)
def test_an_amount_that_is_none_is_refused_by_its_field(told: Money) -> None:
    with pytest.raises(InvalidArgument, match=r"^budget\.limit"):
        from_money("budget.limit", told)


def test_an_amount_comes_back_as_it_was_told() -> None:
    for micros in (0, 1, -1_500_000, 10**15):
        assert from_money("x", to_money(micros)) == micros
