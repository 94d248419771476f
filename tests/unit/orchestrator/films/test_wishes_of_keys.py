"""A film's clips are planned and priced by the wishes of the key that asks for them."""

from dataclasses import replace

import pytest

from services.common.errors import NoModel
from services.orchestrator.domain.films.brief import FilmBrief
from services.orchestrator.domain.options import Routing
from services.orchestrator.domain.policy import TenantPolicy
from services.orchestrator.domain.routing import Router
from services.orchestrator.usecases.films.plan import FilmSource
from services.orchestrator.usecases.films.remaking import PriceRemake
from tests.fakes.film_parts import NOW
from tests.fakes.memory_ledger import MemoryLedger
from tests.fakes.orchestrator_parts import FixedModels
from tests.unit.orchestrator.films.films import MODELS, film, shots
from tests.unit.orchestrator.films.test_plan import planning


class ByKey:
    """The policies of a tenant whose key "careful" wants nothing of the vendor."""

    async def of(self, tenant: str, user: str = "") -> TenantPolicy:
        wishes = Routing(deny=("vendor",)) if user == "careful" else Routing()
        return TenantPolicy(personal=wishes)


@pytest.mark.parametrize(("key", "clips"), [("careful", set()), ("other", {"vendor_video"})])
async def test_a_plan_holds_clips_to_the_wishes_of_the_key_that_asks(key, clips):
    plan = replace(planning(), policies=ByKey())
    found = await plan("acme", FilmBrief(music="off"), FilmSource(shots=shots(2)), key)
    made = {item.model for item in found.estimate.items if item.type == "animation"}
    assert made - {"", "storyboard"} == clips
    assert bool(found.blockers) is (key == "careful")


async def test_a_shot_is_made_again_by_the_wishes_of_the_key_that_made_the_film():
    price = PriceRemake(
        models=FixedModels(*MODELS),
        router=Router(allow_placeholder=False),
        ledger=MemoryLedger(),
        now=lambda: NOW,
        policies=ByKey(),
    )
    await price(film(1), "s1")
    with pytest.raises(NoModel):
        await price(replace(film(1), user="careful"), "s1")
