"""Whether a shot can be paid for once more, before its good clip is given up for a new one."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial

from services.orchestrator.domain.films.estimate import Estimate
from services.orchestrator.domain.films.film import SEEN, Film
from services.orchestrator.domain.money.ledger import Ledger
from services.orchestrator.domain.policy_ports import PoliciesPort
from services.orchestrator.domain.ports import ModelsPort
from services.orchestrator.domain.routing import Router
from services.orchestrator.usecases.films.create import payer_of_film, require_room
from services.orchestrator.usecases.films.pricing import Pricing
from services.orchestrator.usecases.policies import FixedPolicies


@dataclass(frozen=True, kw_only=True)
class PriceRemake:
    """Prices a shot that is made again, alone and without the cache, against every budget."""

    models: ModelsPort
    router: Router
    ledger: Ledger
    now: Callable[[], datetime]
    policies: PoliciesPort = field(default_factory=FixedPolicies)

    async def __call__(self, remade: Film, shot_id: str) -> None:
        """Raise what keeps a film, with the shot to be made again, from having it made.

        BudgetExceeded names the budget that does not hold the price; the others are why a model
        that is named, or any at all, cannot serve now.
        """
        models = await self.models.models(remade.tenant)
        policy = await self.policies.of(remade.tenant, remade.user)
        decide = partial(self.router.decide, policy=policy)
        pricing = Pricing(remade.brief, models, remade.tasks, decide, {})
        again = (t for t in remade.tasks if t.shot == shot_id and t.type in SEEN)
        items = tuple(item for task in again for item in pricing.items(task, remade.shots))
        for blocker in pricing.blockers:
            raise blocker
        needed = Estimate(items).max_micros
        payer = payer_of_film(remade, self.now())
        require_room(await self.ledger.budgets(remade.tenant, payer.scopes()), needed)
