"""Which models are tried: same facts, same decision, and a reason for every model left out."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from services.common.errors import (
    InvalidArgument,
    ModelRetired,
    NoCredentials,
    NoDevice,
    NoModel,
    Unavailable,
)
from services.orchestrator.domain.models import Availability, Lifecycle, Price, PriceTier
from services.orchestrator.domain.options import Fit, ImageInput, Objective, Routing
from services.orchestrator.domain.routing import Router
from tests.unit.orchestrator.examples import STORYBOARD, WANTED, hosted, request, unready

STRICT = Router(allow_placeholder=False)
LENIENT = Router(allow_placeholder=True)
CHEAP = hosted("cheap", price=Price(kind="per_second", amount_micros=10_000), p50_seconds=90.0)
DEAR = hosted("dear", price=Price(kind="per_clip", amount_micros=900_000), p50_seconds=20.0)
OWN = hosted("own", lifecycle=Lifecycle.SELF_HOSTED, price=Price(kind="free"), p50_seconds=200.0)
RETIRED = unready(
    "runway_gen3",
    Availability.RETIRED,
    retire_time=datetime(2026, 7, 30, tzinfo=UTC),
    successors=("runway_gen4_5",),
)


def chosen(decision):
    return [c.model for c in decision.chosen]


def reasons(decision):
    return {c.model: c.code for c in decision.rejected}


@pytest.mark.parametrize(
    ("objective", "order"),
    [
        (Objective.COST, ["own", "cheap", "dear"]),
        (Objective.LATENCY, ["dear", "cheap", "own"]),
        (Objective.QUALITY, ["dear", "cheap", "own"]),
    ],
)
def test_an_objective_orders_the_models(objective, order):
    asked = request(routing=Routing(objective=objective))
    assert chosen(STRICT.decide(asked, WANTED, [OWN, DEAR, CHEAP])) == order
    assert chosen(STRICT.decide(asked, WANTED, [CHEAP, OWN, DEAR])) == order


def test_the_placeholder_comes_last_and_only_where_allowed():
    models = [STORYBOARD, CHEAP]
    assert chosen(LENIENT.decide(request(), WANTED, models)) == ["cheap", "storyboard"]
    assert chosen(STRICT.decide(request(), WANTED, models)) == ["cheap"]
    wish = request(routing=Routing(allow_placeholder=False))
    assert chosen(LENIENT.decide(wish, WANTED, models)) == ["cheap"]
    wish = request(routing=Routing(allow_placeholder=True))
    assert chosen(STRICT.decide(wish, WANTED, models)) == ["cheap", "storyboard"]


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"routing": Routing(deny=("vendor",))}, "FAILED_PRECONDITION"),
        ({"routing": Routing(allow=("another",))}, "FAILED_PRECONDITION"),
        ({"routing": Routing(local_only=True)}, "FAILED_PRECONDITION"),
        ({"routing": Routing(allow_paid=False)}, "BUDGET_EXCEEDED"),
        ({"routing": Routing(max_price_micros=49_999)}, "BUDGET_EXCEEDED"),
        ({"image": ImageInput(asset="assets/a")}, "INVALID_ARGUMENT"),
    ],
)
def test_every_model_left_out_has_its_reason(changes, code):
    decision = LENIENT.decide(request(**changes), WANTED, [CHEAP, STORYBOARD])
    assert chosen(decision) == ["storyboard"]
    assert reasons(decision) == {"cheap": code}
    assert all(c.reason for c in decision.rejected)


def test_a_model_without_a_price_is_not_chosen_silently():
    unpriced = hosted("unpriced", price=Price())
    assert reasons(LENIENT.decide(request(), WANTED, [unpriced, STORYBOARD])) == {
        "unpriced": "NO_MODEL"
    }
    named = request(model="unpriced")
    assert chosen(STRICT.decide(named, WANTED, [unpriced])) == ["unpriced"]


def test_a_limit_is_inclusive():
    asked = request(routing=Routing(max_price_micros=50_000))
    assert chosen(STRICT.decide(asked, WANTED, [CHEAP])) == ["cheap"]


@pytest.mark.parametrize(
    ("model", "error"),
    [
        (RETIRED, ModelRetired),
        (unready("m"), NoCredentials),
        (unready("m", Availability.NO_DEVICE), NoDevice),
        (unready("m", Availability.CIRCUIT_OPEN), Unavailable),
    ],
)
def test_a_named_model_that_cannot_serve_says_why(model, error):
    with pytest.raises(error) as told:
        STRICT.decide(request(model=model.id), WANTED, [model, STORYBOARD, CHEAP])
    assert told.value.metadata["model"] == model.id


def test_a_missing_key_is_named():
    with pytest.raises(NoCredentials, match="VENDOR_API_KEY") as told:
        STRICT.decide(request(model="m"), WANTED, [unready("m")])
    assert told.value.metadata["missing"] == "VENDOR_API_KEY"


def test_a_retired_model_names_its_successors():
    with pytest.raises(ModelRetired, match="runway_gen4_5") as told:
        STRICT.decide(request(model="runway_gen3"), WANTED, [RETIRED])
    assert told.value.metadata["retire_time"] == "2026-07-30"


def test_a_retired_model_resolves_to_a_successor_that_is_ready():
    living = hosted("runway_gen4_5")
    named = replace(RETIRED, resolves_to="runway_gen4_5")
    decision = STRICT.decide(request(model="runway_gen3"), WANTED, [named, living])
    assert chosen(decision) == ["runway_gen4_5"]
    assert "runway_gen3" in decision.chosen[0].reason


def test_the_placeholder_stands_in_for_a_named_model_where_allowed():
    decision = LENIENT.decide(request(model="m"), WANTED, [unready("m"), STORYBOARD])
    assert chosen(decision) == ["storyboard"]
    assert reasons(decision) == {"m": "NO_CREDENTIALS"}


def test_an_unknown_model_is_refused_with_the_known_ones():
    with pytest.raises(InvalidArgument, match="auto, cheap, dear"):
        STRICT.decide(request(model="nope"), WANTED, [DEAR, CHEAP])


@pytest.mark.parametrize(
    ("field", "changes"),
    [
        ("duration", {"duration_seconds": 7.0}),
        ("aspect_ratio", {"aspect_ratio": "1:1"}),
        ("resolution", {"resolution": "2160p"}),
        ("fps", {"fps": 60}),
        ("image", {"image": ImageInput(asset="assets/a")}),
    ],
)
def test_a_named_model_refuses_what_it_cannot_make(field, changes):
    model = hosted(
        "m", durations=(5.0, 10.0), aspect_ratios=("16:9",), resolutions=("720p",), fps=(24,)
    )
    with pytest.raises(InvalidArgument) as told:
        STRICT.decide(request(model="m", **changes), WANTED, [model])
    assert [v.field for v in told.value.violations] == [field]
    assert "allowed" in told.value.message
    if field != "image":
        nearest = request(model="m", fit=Fit.NEAREST, **changes)
        assert chosen(STRICT.decide(nearest, WANTED, [model])) == ["m"]


def test_nothing_able_is_told_with_every_reason():
    with pytest.raises(NoModel, match=r"m \(NO_CREDENTIALS\)"):
        STRICT.decide(request(), WANTED, [unready("m"), STORYBOARD])


@pytest.mark.parametrize(
    ("price", "micros"),
    [
        (Price(kind="free"), 0),
        (Price(kind="per_clip", amount_micros=7), 7),
        (Price(kind="per_second", amount_micros=1), 8),  # 7.5 s are rounded up
        (Price(kind="unknown"), None),
        (Price(kind="per_gpu_hour", amount_micros=1), None),
        (
            Price(
                kind="per_second",
                tiers=(
                    PriceTier(amount_micros=10, resolution="720p"),
                    PriceTier(amount_micros=99, resolution="1080p"),
                ),
            ),
            75,
        ),
    ],
)
def test_a_price_is_whole_micro_dollars(price, micros):
    assert price.of_clip(7.5, "720p") == micros
