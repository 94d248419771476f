"""Words looked at as they are about to be sent: a translation may say what the original hid."""

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from services.orchestrator.domain.films.brief import FilmBrief
from services.orchestrator.domain.films.shots import Shot
from services.orchestrator.domain.job import Job
from services.orchestrator.domain.models import Model
from services.orchestrator.domain.moderation import depicted
from services.orchestrator.domain.notices import Notice, Texts
from services.orchestrator.domain.policy_ports import PoliciesPort
from services.orchestrator.domain.request import VideoRequest
from services.orchestrator.domain.values import Compiled, Quantified
from services.orchestrator.usecases.admission import Screen
from services.orchestrator.usecases.compiling import Compiling
from services.orchestrator.usecases.policies import FixedPolicies

_AT_ONCE = 8


@dataclass(frozen=True, kw_only=True)
class ScreenWords:
    """Looks at what a tenant's words have become, by the tenant's policy."""

    screen: Screen = field(default_factory=Screen)
    policies: PoliciesPort = field(default_factory=FixedPolicies)

    async def quick(self, tenant: str, text: str) -> None:
        """By rules alone, which say the same whenever they are asked. Raises Moderated."""
        self.screen.quick(depicted(text), await self.policies.of(tenant))

    async def whole(self, tenant: str, text: str, *, here: bool = False) -> tuple[Notice, ...]:
        """By rules and endpoint; what is to be told. Words that stay `here` see rules alone.

        Raises Moderated, Unavailable, FailedPrecondition, see `Screen.whole`.
        """
        policy = await self.policies.of(tenant)
        return await self.screen.whole(depicted(text), policy, here=here)

    async def film(
        self, tenant: str, brief: FilmBrief, shots: Iterable[Shot]
    ) -> tuple[Notice, ...]:
        """Everything that a film would show or say; what is to be told, once. Raises as `whole`."""
        turns = asyncio.Semaphore(_AT_ONCE)

        async def look(text: str) -> tuple[Notice, ...]:
            async with turns:
                return await self.whole(tenant, text, here=brief.words_stay)

        found = await asyncio.gather(*map(look, words_of(brief, shots)))
        return tuple({notice.key: notice for told in found for notice in told}.values())


def words_of(brief: FilmBrief, shots: Iterable[Shot]) -> tuple[str, ...]:
    """What a film is made from, each text once: a rule is about one of them, not about all."""
    made_of = (
        text
        for shot in shots
        for text in (
            brief.wording.put(shot.prompt),
            shot.sound,
            *(line.text for line in shot.lines),
        )
    )
    looks = (sheet.description for sheet in brief.cast.sheets)
    whole = (brief.with_music, *looks, *made_of)
    return tuple(dict.fromkeys(text for text in whole if text.strip()))


@dataclass(frozen=True, kw_only=True)
class ScreenedPrompts:
    """A `Compiling` whose results are looked at before anybody is sent them."""

    compiling: Compiling
    screening: ScreenWords
    texts: Texts

    async def __call__(self, job: Job, model: str) -> Compiled | None:
        """See `Compiling`. Raises Moderated, Unavailable."""
        made = await self.compiling(job, model)
        return await self._looked_at(job.tenant, job.request, made, job.speaks)

    async def ready(
        self, tenant: str, request: VideoRequest, wanted: Quantified, model: Model
    ) -> Compiled | None:
        """See `Compiling.ready`. Raises Moderated, Unavailable."""
        made = await self.compiling.ready(tenant, request, wanted, model)
        return await self._looked_at(tenant, request, made, request.language or wanted.language)

    async def _looked_at(
        self, tenant: str, request: VideoRequest, made: Compiled | None, language: str
    ) -> Compiled | None:
        if made is None:
            return None
        here = request.routing.local_only
        told = await self.screening.whole(tenant, made.prompt.prompt, here=here)
        said = (*made.warnings, *self.texts.say(language, told))
        return replace(made, warnings=tuple(dict.fromkeys(said)))
