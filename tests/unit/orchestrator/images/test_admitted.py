"""An edit is let in as a job is, and made by a model that its tenant and its key want."""

from dataclasses import replace
from typing import Any

import pytest

from services.common.errors import FailedPrecondition, NoModel, RateLimited, ResourceExhausted
from services.orchestrator.adapters.tenant_rates import TenantRates
from services.orchestrator.domain.images.edits import CommitWish, EditWish
from services.orchestrator.domain.models import Lifecycle
from services.orchestrator.domain.options import Routing
from services.orchestrator.domain.policy import Quota, TenantPolicy
from services.orchestrator.domain.request import VideoRequest
from services.orchestrator.usecases.admission import Admission
from services.orchestrator.usecases.licensed import LicensedModels
from services.orchestrator.usecases.policies import FixedPolicies
from tests.fakes.orchestrator_parts import FixedModels, MemoryJobs
from tests.unit.orchestrator.images.test_edits import PAINTER, House

WISH = EditWish(asset="assets/tree", prompt="in autumn")
OWN = replace(PAINTER, id="own", provider="ours", lifecycle=Lifecycle.SELF_HOSTED)
DEARER = replace(
    PAINTER, id="dearer", provider="other", price=replace(PAINTER.price, amount_micros=9_000)
)


def admitted(house: House, **policy: Any) -> Any:
    """What accepts edits of a tenant with this policy."""
    admission = Admission(jobs=MemoryJobs(), rates=TenantRates())
    policies = FixedPolicies(TenantPolicy(**policy))
    return replace(house.use, policies=policies, admission=admission)


async def test_a_paused_tenant_begins_no_edit_and_is_told_of_the_one_there_is():
    house = House()
    known = await house.use.preview("acme", WISH, request_id="r1")
    await house.worker.edit(known.id)
    paused = admitted(house, paused=True)
    with pytest.raises(FailedPrecondition, match="paused"):
        await paused.preview("acme", WISH)
    with pytest.raises(FailedPrecondition, match="paused"):
        await paused.commit("acme", CommitWish(preview=known.name))
    assert (await paused.preview("acme", WISH, request_id="r1")).id == known.id
    assert house.edits.ordered == [known.id]


async def test_no_more_edits_are_begun_in_a_minute_than_jobs():
    house = House()
    use = admitted(house, quota=Quota(jobs_per_minute=2))
    for _ in range(2):
        await use.preview("acme", WISH)
    with pytest.raises(RateLimited):
        await use.preview("acme", WISH)
    assert len(house.edits.ordered) == 2


async def test_no_more_edits_are_under_way_than_jobs_may_be():
    house = House()
    use = admitted(house, quota=Quota(jobs_at_once=1))
    first = await use.preview("acme", WISH)
    with pytest.raises(ResourceExhausted):
        await use.preview("acme", WISH)
    await house.worker.edit(first.id)
    await use.preview("acme", WISH)


async def test_jobs_and_edits_that_have_not_ended_are_counted_together_when_a_job_comes():
    house, policy = House(), TenantPolicy(quota=Quota(jobs_at_once=2))
    admission = Admission(jobs=MemoryJobs(), edits=house.edits)
    first, request = await house.use.preview("acme", WISH), VideoRequest(prompt="a tree")
    await admission("acme", policy, [request])
    with pytest.raises(ResourceExhausted, match="1 jobs have not ended and 2 may be under way"):
        await admission("acme", policy, [request, request])
    await house.use.preview("rival", WISH)
    await admission("acme", policy, [request])
    await house.worker.edit(first.id)
    await admission("acme", policy, [request, request])
    await Admission(edits=house.edits)("acme", TenantPolicy(), [request])


async def test_who_asks_for_many_edits_waits_behind_who_asks_for_one():
    house = House()
    use = house.use
    many = [await use.preview("acme", WISH) for _ in range(3)]
    one = await use.preview("rival", WISH)
    assert many[0].place == one.place < many[1].place < many[2].place


@pytest.mark.parametrize(
    ("wishes", "chosen"),
    [
        (Routing(local_only=True), "own"),
        (Routing(deny=("vendor",)), "dearer"),
        (Routing(allow=("other",)), "dearer"),
        (Routing(allow=("some_clip_model",)), "painter"),
        (Routing(), "painter"),
    ],
)
@pytest.mark.parametrize("whose", ["preferences", "personal"])
async def test_the_tenants_and_the_keys_wishes_choose_who_sees_the_picture(wishes, chosen, whose):
    own = replace(OWN, price=replace(PAINTER.price, amount_micros=99_000))
    house = House(PAINTER, DEARER, own)
    edit = await admitted(house, **{whose: wishes}).preview("acme", WISH)
    assert edit.model == chosen


async def test_who_does_not_pay_is_given_no_model_that_costs():
    with pytest.raises(NoModel):
        await admitted(House(), preferences=Routing(allow_paid=False)).preview("acme", WISH)


async def test_a_named_model_that_is_not_wanted_says_whose_wish_it_is():
    use = admitted(House(), preferences=Routing(local_only=True))
    with pytest.raises(FailedPrecondition, match="as the tenant's preferences demand"):
        await use.preview("acme", replace(WISH, model="painter"))


async def test_a_vendor_that_a_tenant_denies_makes_its_films_no_stills():
    policies = FixedPolicies(TenantPolicy(preferences=Routing(deny=("vendor",))))
    clips = replace(PAINTER, id="clips", task="video")
    models = LicensedModels(catalogue=FixedModels(PAINTER, OWN, clips), policies=policies)
    assert [m.ready for m in await models.models("acme")] == [False, True, True]
