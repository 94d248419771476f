"""What a film is made with besides clips is held to the licences that bind its tenant."""

from dataclasses import replace

import pytest

from services.common.errors import LicenceRefused
from services.orchestrator.domain.films.brief import FilmBrief
from services.orchestrator.domain.films.choosing import ModelChoice
from services.orchestrator.domain.films.graph import TaskType
from services.orchestrator.domain.films.tasks import FilmTask
from services.orchestrator.domain.policy import TenantPolicy
from services.orchestrator.usecases.films.plan import FilmSource
from services.orchestrator.usecases.licensed import LicensedModels
from services.orchestrator.usecases.policies import FixedPolicies
from tests.fakes.orchestrator_parts import FixedModels
from tests.unit.orchestrator.films.films import MODELS, local, shots
from tests.unit.orchestrator.films.test_plan import planning

RESEARCH = {"licence": "CC-BY-NC-4.0", "commercial_use": "no"}
FREE = {"licence": "Apache-2.0", "commercial_use": "yes"}
KINDS = {"music": TaskType.MUSIC, "speech": TaskType.AUDIO, "image": TaskType.IMAGE}


def licensed(models, **policy):
    """The catalogue as a tenant may use it."""
    policies = FixedPolicies(TenantPolicy(**policy))
    return LicensedModels(catalogue=FixedModels(*models), policies=policies)


def task(kind, model=""):
    return FilmTask(id="t", type=KINDS[kind], model=model)


@pytest.mark.parametrize("kind", KINDS)
async def test_weights_for_research_are_refused_with_what_to_take_instead(kind):
    models = (local("a_research", kind, **RESEARCH), local("b_free", kind, **FREE))
    choice = ModelChoice(await licensed(models).models("acme"))
    assert choice.for_task(task(kind)).id == "b_free"
    with pytest.raises(LicenceRefused, match="forbids commercial use; take instead: b_free") as no:
        choice.for_task(task(kind, "a_research"))
    assert no.value.metadata["licence"] == "CC-BY-NC-4.0"


async def test_who_sells_nothing_may_use_them():
    models = (local("a_research", "music", **RESEARCH),)
    choice = ModelChoice(await licensed(models, commercial=False).models("acme"))
    assert choice.for_task(task("music", "a_research")).id == "a_research"


@pytest.mark.parametrize(("territory", "allowed"), [("", False), ("FR", False), ("KE", True)])
async def test_a_licence_that_leaves_countries_out_holds_for_stills(territory, allowed):
    models = (local("a", "image", licence="Hunyuan", excluded_territories=("EU", "GB", "KR")),)
    choice = ModelChoice(await licensed(models, territory=territory).models("acme"))
    if allowed:
        assert choice.for_task(task("image", "a")).id == "a"
        return
    with pytest.raises(LicenceRefused):
        choice.for_task(task("image", "a"))


async def test_a_film_with_a_forbidden_voice_is_refused_before_it_begins():
    models = (*MODELS, local("xtts", "speech", **RESEARCH))
    plan = replace(planning(*models), models=licensed(models))
    brief = FilmBrief(providers={"audio": "xtts"})
    made = await plan("acme", brief, FilmSource(shots=shots(1)))
    assert [blocker.reason for blocker in made.blockers] == ["LICENCE"]


async def test_clips_are_left_to_the_router():
    models = (local("a", "video", **RESEARCH),)
    assert await licensed(models).models("acme") == models
