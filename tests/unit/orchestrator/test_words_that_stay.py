"""What may not leave this deployment, where a policy wants everything to be looked at."""

from dataclasses import replace

import pytest

from services.common.errors import FailedPrecondition, Moderated
from services.orchestrator.domain.options import Routing
from services.orchestrator.domain.policy import ModerationPolicy, Screening, TenantPolicy
from services.orchestrator.usecases.admission import Admission
from services.orchestrator.usecases.batch import AcceptBatch, Item
from services.orchestrator.usecases.policies import FixedPolicies
from tests.fakes.memory_ledger import MemoryLedger
from tests.unit.orchestrator.examples import request
from tests.unit.orchestrator.films.films import local
from tests.unit.orchestrator.test_moderation import Endpoint
from tests.unit.orchestrator.test_money_flow import accepting
from tests.unit.orchestrator.test_screening import GRAPHIC, RULES

STRICT = ModerationPolicy(refuse_when_away=True)
STAYS = request(routing=Routing(local_only=True))


def by_policy(moderation, endpoint):
    """AcceptVideo by this policy, and where it keeps jobs."""
    accept, jobs = accepting(MemoryLedger(), local("gpu_video", "video"))
    policies = FixedPolicies(TenantPolicy(moderation=moderation))
    admission = Admission(screen=replace(RULES, endpoint=endpoint))
    return replace(accept, policies=policies, admission=admission), jobs


async def test_who_demands_the_endpoints_word_has_no_job_of_words_that_stay_here():
    endpoint = Endpoint()
    accept, jobs = by_policy(STRICT, endpoint)
    batch = AcceptBatch(accept=accept, models=accept.models, ledger=MemoryLedger())
    with pytest.raises(FailedPrecondition, match="policy demands the moderation endpoint"):
        await accept("acme", STAYS, "r1")
    with pytest.raises(FailedPrecondition, match="policy demands the moderation endpoint"):
        await batch("acme", [Item(request=request()), Item(request=STAYS)], "b1")
    assert (jobs.jobs, endpoint.asked) == ({}, [])


@pytest.mark.parametrize(
    ("moderation", "endpoint", "asked"),
    [
        (ModerationPolicy(), Endpoint(), STAYS),
        (STRICT, None, STAYS),
        (replace(STRICT, screening=Screening.RULES), Endpoint(), STAYS),
        (STRICT, Endpoint(), request()),
    ],
)
async def test_everybody_else_has_one_and_rules_look_at_its_words(moderation, endpoint, asked):
    accept, jobs = by_policy(moderation, endpoint)
    job, _ = await accept("acme", asked, "r1")
    assert list(jobs.jobs) == [job.id]
    with pytest.raises(Moderated):
        await accept("acme", replace(asked, prompt=GRAPHIC), "r2")
