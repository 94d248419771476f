"""Policies over gRPC: what is set holds for the next job, and a plan tells of it."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
from google.protobuf.duration_pb2 import Duration

from reelmesh.generator.v1 import model_pb2
from reelmesh.orchestrator.v1 import policy_service_pb2 as pb
from reelmesh.orchestrator.v1 import video_service_pb2
from reelmesh.orchestrator.v1.policy_service_pb2_grpc import PolicyServiceStub
from services.common.channels import Channel
from services.common.errors import InvalidArgument, LicenceRefused, PermissionDenied
from services.common.identity import Identity
from tests.fakes.generator_service import model
from tests.integration.orchestrator.conftest import SIGNER, House
from tests.stack import Client
from tests.stack.client import request

pytestmark = pytest.mark.timeout(30)
NO_VALUE: Any = 99
Routing = video_service_pb2.Routing


@pytest.fixture
async def policies(house: House) -> AsyncIterator[Any]:
    """The policy service, as acme's admin sees it."""
    admin = Identity("acme")
    async with Channel(house.address, SIGNER, identity=admin) as channel:
        yield PolicyServiceStub(channel)


async def plan(client: Client, **fields: Any) -> Any:
    asked = video_service_pb2.PlanVideoRequest(request=request(**fields))
    return await client.stub.PlanVideo(asked)


async def test_preferences_of_key_and_tenant_hold_for_the_next_job(
    house: House, acme: Client, policies: Any
) -> None:
    tenants = pb.Policy(preferences=Routing(deny=["first_model"]))
    answer = await policies.SetPolicy(pb.SetPolicyRequest(policy=tenants))
    assert list(answer.policy.preferences.deny) == ["first_model"]
    assert answer.policy.cache == pb.CachePolicy(min_similarity=0.8)
    found = (await plan(acme)).decision
    assert [c.model for c in found.chosen] == ["second_model"]
    assert "the tenant's preferences" in found.rejected[0].reason
    job = await acme.end((await acme.generate()).name)
    assert house.generator.order_of_models == ["second_model"]
    assert job.resolved_model == "second_model"
    await policies.SetPolicy(pb.SetPolicyRequest(policy=pb.Policy()))
    mine = Routing(order=["second_model"], objective=video_service_pb2.OBJECTIVE_COST)
    kept = await policies.SetPreferences(pb.SetPreferencesRequest(preferences=mine))
    assert kept.preferences == mine
    assert (await policies.GetPreferences(pb.GetPreferencesRequest())).preferences == mine
    found = (await plan(acme)).decision
    assert [c.model for c in found.chosen] == ["second_model", "first_model"]
    assert found.objective == "cost"


async def test_the_licence_gate_knows_purpose_and_place(
    house: House, acme: Client, policies: Any
) -> None:
    house.generator.models = [
        model("nc_model", licence="CC-BY-NC-4.0", commercial_use="no"),
        model("eu_model", licence="Community", excluded_territories=["EU"]),
        model("free_model", licence="Apache-2.0", commercial_use="yes"),
    ]
    found = (await plan(acme)).decision
    assert {c.model: c.code for c in found.rejected} == {
        "nc_model": "LICENCE",
        "eu_model": "LICENCE",
    }
    with pytest.raises(LicenceRefused, match="free_model") as told:
        await acme.generate(model="nc_model")
    assert told.value.metadata["licence"] == "CC-BY-NC-4.0"
    assert house.generator.requests == {}
    private = pb.Policy(commercial=False, territory="KE")
    await policies.SetPolicy(pb.SetPolicyRequest(policy=private))
    assert len((await plan(acme)).decision.chosen) == 3


async def test_only_an_admin_sets_the_policy_and_bad_values_are_named(
    house: House, policies: Any
) -> None:
    writer = Identity("acme", scopes=frozenset({"read", "write"}))
    async with Channel(house.address, SIGNER, identity=writer) as channel:
        stub: Any = PolicyServiceStub(channel)
        with pytest.raises(PermissionDenied):
            await stub.SetPolicy(pb.SetPolicyRequest(policy=pb.Policy(paused=True)))
    for wrong, field in (
        (pb.Policy(territory="Kenya"), "policy.territory"),
        (pb.Policy(weight=101), "policy.weight"),
        (pb.Policy(jobs_at_once=-1), "policy.jobs_at_once"),
        (pb.Policy(screening=NO_VALUE), "policy.screening"),
        (pb.Policy(allowed_categories=["a b"]), "policy.moderation.allowed_categories"),
        (pb.Policy(cache=pb.CachePolicy(min_similarity=2)), "policy.cache.min_similarity"),
        (pb.Policy(cache=pb.CachePolicy(lifetime=Duration())), "policy.cache.lifetime"),
        (pb.Policy(preferences=Routing(deny=["a b"])), "routing.deny"),
    ):
        with pytest.raises(InvalidArgument) as told:
            await policies.SetPolicy(pb.SetPolicyRequest(policy=wrong))
        assert [v.field for v in told.value.violations] == [field]


async def test_a_plan_tells_prices_times_and_every_reason_and_asks_nobody(
    house: House, acme: Client
) -> None:
    clip = model_pb2.Price(kind="per_clip", amount_micros=300_000, unit_seconds=5)
    house.generator.models = [
        model("paid_model", price=clip),
        model("free_model"),
        model("rested_model", availability=model_pb2.Model.AVAILABILITY_UNREACHABLE),
    ]
    answer = await plan(acme, seconds=10, variations=2)
    assert (answer.min_price.units, answer.min_price.nanos) == (0, 0)
    assert (answer.max_price.units, answer.max_price.nanos) == (1, 200_000_000)
    assert [(c.model, c.code) for c in answer.decision.rejected] == [
        ("rested_model", "UNAVAILABLE")
    ]
    assert all(c.reason for c in [*answer.decision.chosen, *answer.decision.rejected])
    assert house.generator.requests == {}
