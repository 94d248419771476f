"""Money for nothing: what the vendor says counts, then its terms, then caution."""

from dataclasses import replace

import pytest

from services.generator.domain.facts import Cost
from services.generator.domain.models import ChargesOnModeration, Model, Price, PriceKind
from services.generator.domain.ports import Work
from services.generator.providers.adapter import Failed, Fault
from services.generator.worker.terms import cost_of_failure
from tests.fakes.generator_parts import entry, paid_model

ESTIMATE = Cost(micros=250_000, source="catalogue")


def work(model: Model) -> Work:
    row = entry()
    return Work(
        id="g1",
        tenant="acme",
        model=model,
        identity=row.generation.identity,
        task=row.order.task,
        order=row.order,
    )


@pytest.mark.parametrize(
    ("fault", "billed", "terms", "cost"),
    [
        (Fault.VENDOR, None, ChargesOnModeration.YES, None),
        (Fault.VENDOR, True, ChargesOnModeration.NO, ESTIMATE),
        (Fault.VENDOR, False, ChargesOnModeration.NO, Cost(micros=0, source="reported")),
        (Fault.MODERATED, None, ChargesOnModeration.YES, ESTIMATE),
        (Fault.MODERATED, None, ChargesOnModeration.UNKNOWN, None),
        (Fault.MODERATED, False, ChargesOnModeration.YES, Cost(micros=0, source="reported")),
        (Fault.CANCELLED, None, ChargesOnModeration.YES, None),
        (Fault.LOST, None, ChargesOnModeration.NO, ESTIMATE),
        (Fault.INVALID, None, ChargesOnModeration.NO, ESTIMATE),
    ],
)
def test_what_a_failed_job_costs(
    fault: Fault, billed: bool | None, terms: ChargesOnModeration, cost: Cost | None
) -> None:
    model = paid_model(charges_on_moderation=terms)
    assert cost_of_failure(work(model), Failed(fault=fault, message="no", billed=billed)) == cost


def test_an_unknown_price_stays_unknown() -> None:
    unpriced = replace(paid_model(), price=Price(PriceKind.UNKNOWN))
    assert cost_of_failure(work(unpriced), Failed(fault=Fault.LOST, message="gone")) is None
