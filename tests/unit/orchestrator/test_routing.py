"""Which models are tried: same facts, same decision, and a reason for every model left out."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from services.common.errors import (
    InvalidArgument,
    LicenceRefused,
    ModelRetired,
    NoCredentials,
    NoDevice,
    NoModel,
    Unavailable,
)
from services.orchestrator.domain.models import (
    Availability,
    Lifecycle,
)
from services.orchestrator.domain.options import (
    Fit,
    ImageInput,
    Objective,
    Operation,
    Quality,
    Routing,
    VideoInput,
)
from services.orchestrator.domain.policy import TenantPolicy
from services.orchestrator.domain.prices import (
    Price,
    PriceTier,
)
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


def test_without_an_objective_models_come_in_the_order_of_the_chain():
    models = [
        OWN,
        replace(CHEAP, id="c", provider="another"),
        DEAR,
        *(hosted(name, provider=name) for name in ("replicate", "runpod", "huggingface")),
    ]
    decision = STRICT.decide(request(), WANTED, models)
    assert chosen(decision) == ["huggingface", "runpod", "replicate", "c", "dear", "own"]
    assert decision.objective == "chain"
    kept = TenantPolicy(preferences=Routing(objective=Objective.COST))
    assert chosen(STRICT.decide(request(), WANTED, models, kept))[0] == "own"
    asked = request(routing=Routing(objective=Objective.LATENCY))
    assert chosen(STRICT.decide(asked, WANTED, models, kept))[0] == "dear"


def test_a_model_that_fails_more_often_than_not_goes_behind_and_says_so():
    failing = replace(CHEAP, success_rate=0.25, recent_ends=8)
    asked = request(routing=Routing(objective=Objective.COST))
    decision = STRICT.decide(asked, WANTED, [failing, DEAR])
    assert chosen(decision) == ["dear", "cheap"]
    assert "25 % of 8 attempts" in decision.chosen[1].reason
    assert decision.chosen[1].success_rate == 0.25


def test_tries_that_fail_on_the_way_count_as_waiting():
    asked = request(routing=Routing(objective=Objective.LATENCY))
    slow = hosted("slow", p50_seconds=50.0, success_rate=1.0, recent_ends=9)
    shaky = hosted("shaky", p50_seconds=40.0, success_rate=0.6, recent_ends=9)
    assert chosen(STRICT.decide(asked, WANTED, [shaky, slow])) == ["slow", "shaky"]


def test_the_callers_order_goes_before_the_keys_and_the_tenants():
    policy = TenantPolicy(
        preferences=Routing(order=("own",)), personal=Routing(order=("dear", "own"))
    )
    decide = [OWN, DEAR, CHEAP]
    assert chosen(STRICT.decide(request(), WANTED, decide, policy)) == ["dear", "own", "cheap"]
    asked = request(routing=Routing(order=("cheap",)))
    assert chosen(STRICT.decide(asked, WANTED, decide, policy)) == ["cheap", "dear", "own"]


@pytest.mark.parametrize(
    ("preferences", "words"),
    [
        (Routing(deny=("vendor",)), "denied by the tenant's preferences"),
        (Routing(allow=("another",)), "not among `allow` of the tenant's preferences"),
        (Routing(local_only=True), "the tenant's preferences demands"),
        (Routing(allow_paid=False), "the tenant's preferences does not allow"),
        (Routing(max_price_micros=1), "`max_price` of the tenant's preferences"),
        (Routing(min_quality=Quality.HIGH), "draft quality at best"),
    ],
)
def test_what_the_tenant_prefers_holds_where_the_request_says_nothing(preferences, words):
    policy = TenantPolicy(preferences=preferences)
    model = replace(CHEAP, resolutions=("480p",))
    decision = LENIENT.decide(request(), WANTED, [model, STORYBOARD], policy)
    assert chosen(decision) == ["storyboard"]
    assert words in decision.rejected[0].reason
    assert decision.max_price_micros == preferences.max_price_micros


def test_the_lowest_of_all_price_limits_counts():
    policy = TenantPolicy(
        preferences=Routing(max_price_micros=70_000), personal=Routing(max_price_micros=90_000)
    )
    asked = request(routing=Routing(max_price_micros=80_000))
    assert STRICT.decide(asked, WANTED, [CHEAP], policy).max_price_micros == 70_000


NC = hosted("nc", licence="CC-BY-NC-4.0", commercial_use="no")
REGIONAL = hosted("regional", licence="Community", excluded_territories=("EU", "UK", "KR"))


@pytest.mark.parametrize(
    ("model", "policy", "left_out"),
    [
        (NC, TenantPolicy(), True),
        (NC, TenantPolicy(commercial=False), False),
        (REGIONAL, TenantPolicy(), True),  # nobody has said where
        (REGIONAL, TenantPolicy(territory="KE"), False),
        (REGIONAL, TenantPolicy(territory="DE"), True),
        (REGIONAL, TenantPolicy(territory="GB"), True),
        (REGIONAL, TenantPolicy(territory="KR"), True),
    ],
)
def test_a_licence_is_a_gate(model, policy, left_out):
    free = replace(CHEAP, commercial_use="yes")
    decision = STRICT.decide(request(), WANTED, [model, free], policy)
    assert reasons(decision) == ({model.id: "LICENCE"} if left_out else {})
    named = request(model=model.id)
    if not left_out:
        assert chosen(STRICT.decide(named, WANTED, [model, free], policy)) == [model.id]
        return
    with pytest.raises(LicenceRefused, match="take instead: cheap") as told:
        STRICT.decide(named, WANTED, [model, free], policy)
    assert told.value.metadata["alternatives"] == "cheap"


@pytest.mark.parametrize("code", ["Kenya", "ke", "K1", "ÄÖ"])
def test_a_territory_is_a_country_code(code):
    with pytest.raises(InvalidArgument, match="ISO 3166-1"):
        TenantPolicy(territory=code)


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


def test_a_model_that_begins_with_a_picture_is_left_out_without_one():
    still = hosted("still", image=True, image_required=True)
    edits = hosted("edits", video=True, video_required=True)
    decision = LENIENT.decide(request(), WANTED, [still, edits, STORYBOARD])
    assert reasons(decision) == {"still": "INVALID_ARGUMENT", "edits": "INVALID_ARGUMENT"}
    pictured = request(image=ImageInput(asset="assets/a"))
    assert chosen(STRICT.decide(pictured, WANTED, [still])) == ["still"]


EXTENDS = {"video": VideoInput(asset="assets/a"), "operation": Operation.EXTEND}


def test_work_on_a_clip_goes_to_who_can_do_it_and_never_to_the_placeholder():
    able = hosted("able", video=True, operations=("extend", "remix"))
    decision = LENIENT.decide(request(**EXTENDS), WANTED, [CHEAP, able, STORYBOARD])
    assert chosen(decision) == ["able"]
    assert reasons(decision) == {"cheap": "INVALID_ARGUMENT", "storyboard": "FAILED_PRECONDITION"}
    with pytest.raises(NoModel, match="can extend a clip; what can be done: nothing") as told:
        LENIENT.admit(request(**EXTENDS), WANTED, [CHEAP, STORYBOARD])
    assert "cheap" in told.value.metadata["rejected"]
    facts = {"availability": Availability.NO_CREDENTIALS, "unavailable_reason": "needs A_KEY"}
    away = hosted("away", video=True, operations=("extend",), **facts)
    with pytest.raises(NoModel, match=r"may serve: away \(needs A_KEY\)$"):
        LENIENT.admit(request(**EXTENDS), WANTED, [CHEAP, away, STORYBOARD])


def test_a_named_model_that_cannot_work_on_a_clip_names_who_can():
    able = hosted("able", video=True, operations=("extend", "remix"))
    away = hosted("away", operations=("extend",), availability=Availability.NO_CREDENTIALS)
    with pytest.raises(InvalidArgument, match="cheap cannot extend a clip; able, away can") as told:
        LENIENT.admit(request(model="cheap", **EXTENDS), WANTED, [CHEAP, able, away, STORYBOARD])
    assert told.value.violations[0].field == "operation"
    styled = {"video": VideoInput(asset="assets/a"), "operation": Operation.LIP_SYNC}
    with pytest.raises(InvalidArgument, match="able cannot lip_sync a clip") as told:
        STRICT.decide(request(model="able", **styled), WANTED, [able])
    assert "OPERATION_EXTEND" in told.value.message


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"operation": Operation.EXTEND}, "video"),
        ({"video": VideoInput(asset="assets/a")}, "operation"),
        ({"video": VideoInput(), "operation": Operation.EXTEND}, "video"),
        ({"video": VideoInput(asset="../a"), "operation": Operation.EXTEND}, "video.asset"),
        ({"video": VideoInput(uri="file:///a"), "operation": Operation.EXTEND}, "video.uri"),
        ({**EXTENDS, "image": ImageInput(asset="assets/b")}, "image"),
        ({**EXTENDS, "last_image": ImageInput(asset="assets/b")}, "last_image"),
    ],
)
def test_a_wish_for_work_on_a_clip_is_whole_or_refused(changes, field):
    with pytest.raises(InvalidArgument) as told:
        request(**changes)
    assert told.value.violations[0].field == field


def test_a_model_without_a_price_is_not_chosen_silently():
    unpriced = hosted("unpriced", price=Price())
    assert reasons(LENIENT.decide(request(), WANTED, [unpriced, STORYBOARD])) == {
        "unpriced": "NO_MODEL"
    }
    named = request(model="unpriced")
    assert chosen(STRICT.decide(named, WANTED, [unpriced])) == ["unpriced"]
    for routing in (Routing(allow=("unpriced",)), Routing(order=("vendor",))):
        assert chosen(STRICT.decide(request(routing=routing), WANTED, [unpriced])) == ["unpriced"]


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


@pytest.mark.parametrize(
    ("model", "routing"),
    [
        (unready("m", Availability.CIRCUIT_OPEN), Routing()),
        (unready("m", Availability.UNREACHABLE), Routing()),
        (hosted("m"), Routing(max_price_micros=1)),
    ],
)
def test_what_may_pass_is_accepted_and_looked_at_again(model, routing):
    asked = request(routing=routing)
    assert STRICT.admit(asked, WANTED, [model]) is None
    with pytest.raises(NoModel) as told:
        STRICT.decide(asked, WANTED, [model])
    assert told.value.metadata["passes"] == "yes"


@pytest.mark.parametrize("availability", [Availability.NO_CREDENTIALS, Availability.NO_DEVICE])
def test_what_will_not_pass_is_refused_at_once(availability):
    with pytest.raises(NoModel):
        STRICT.admit(request(), WANTED, [unready("m", availability)])


def test_nothing_able_is_told_with_every_reason():
    with pytest.raises(NoModel, match=r"m \(NO_CREDENTIALS\)"):
        STRICT.decide(request(), WANTED, [unready("m"), STORYBOARD])


@pytest.mark.parametrize(
    ("seconds", "micros"), [(1.0, 300_000), (5.0, 300_000), (5.1, 600_000), (10.0, 600_000)]
)
def test_a_started_unit_is_paid_in_full(seconds, micros):
    price = Price(kind="per_clip", amount_micros=300_000, unit_seconds=5.0)
    assert price.of_clip(seconds, "720p") == micros


def test_time_on_a_gpu_costs_its_typical_seconds():
    a100 = Price(kind="per_gpu_hour", amount_micros=2_490_000)
    assert a100.of_gpu_time(120.0) == 83_000
    assert hosted("m", price=a100, p50_seconds=120.0).clip_price(5.0, "720p") == 83_000
    assert hosted("m", price=a100).clip_price(5.0, "720p") is None


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


@pytest.mark.parametrize(
    ("resolution", "micros"),
    [
        ("480p", 80_000),
        ("720p", 80_000),
        ("1080p", 80_000),
        ("1440p", 130_000),
        ("2160p", 130_000),
        ("", 130_000),
    ],
)
def test_a_resolution_without_a_price_costs_what_the_nearest_does_and_is_not_free(
    resolution, micros
):
    tiers = (
        PriceTier(amount_micros=80_000, resolution="768p"),
        PriceTier(amount_micros=130_000, resolution="2k"),
    )
    assert Price(kind="per_second", tiers=tiers).of_clip(1.0, resolution) == micros


def test_a_price_for_every_other_resolution_is_used_before_the_nearest():
    tiers = (PriceTier(amount_micros=80_000, resolution="768p"),)
    price = Price(kind="per_second", amount_micros=10_000, tiers=tiers)
    assert (price.of_clip(1.0, "768p"), price.of_clip(1.0, "720p")) == (80_000, 10_000)
