"""Making a job's prompt ready for one model. What was decided once is sent by every try."""

import asyncio
from dataclasses import dataclass, replace
from typing import Protocol

from services.common.errors import ServiceError
from services.common.telemetry import get_logger
from services.orchestrator.domain.compiling import CompileOrder, is_ready, plainly
from services.orchestrator.domain.job import Job
from services.orchestrator.domain.models import Model, find
from services.orchestrator.domain.notices import Texts
from services.orchestrator.domain.ports import ModelsPort, PromptPort
from services.orchestrator.domain.request import VideoRequest
from services.orchestrator.domain.values import Compiled, Quantified

_log = get_logger(__name__)
# A prompt service that does not answer holds up no job for longer.
PATIENCE_SECONDS = 10.0


class Compiling(Protocol):
    """Makes what a model is sent."""

    async def __call__(self, job: Job, model: str) -> Compiled | None:
        """The prompt made ready; None where it is sent as it was understood."""

    async def ready(
        self, tenant: str, request: VideoRequest, wanted: Quantified, model: Model
    ) -> Compiled | None:
        """The same for a request that is no job yet."""


class AsItIs:
    """A `Compiling` for deployments and tests without a prompt service."""

    async def __call__(self, job: Job, model: str) -> None:
        """Leave it as it is."""

    async def ready(
        self, tenant: str, request: VideoRequest, wanted: Quantified, model: Model
    ) -> None:
        """Leave it as it is."""


@dataclass(frozen=True, kw_only=True)
class CompilePrompt:
    """A `Compiling` by the prompt service, and by plain rules while that is away."""

    prompts: PromptPort
    models: ModelsPort
    texts: Texts
    patience: float = PATIENCE_SECONDS

    async def __call__(self, job: Job, model: str) -> Compiled | None:
        """See `Compiling`."""
        wanted = job.quantified
        found = find(await self.models.models(job.tenant), model)
        if wanted is None or found is None:
            return None
        return await self.ready(job.tenant, job.request, wanted, found)

    async def ready(
        self, tenant: str, request: VideoRequest, wanted: Quantified, model: Model
    ) -> Compiled | None:
        """See `Compiling.ready`."""
        told_in = request.language or wanted.language
        order = CompileOrder(
            tenant=tenant, request=request, wanted=wanted, model=model, language=told_in
        )
        if is_ready(order):
            return None
        try:
            async with asyncio.timeout(self.patience):
                return await self.prompts.compile(order)
        except (ServiceError, TimeoutError) as error:
            _log.warning("prompt_not_compiled", tenant=tenant, model=model.id, error=str(error))
        made, notices = plainly(order)
        return Compiled(made, self.texts.say(told_in, notices))


def noted(job: Job, model: str, made: Compiled | None) -> Job:
    """The job with what this model is sent, unless that is decided already."""
    if made is None or model in job.compiled:
        return job
    told = tuple(dict.fromkeys((*job.warnings, *made.warnings)))
    return replace(job, compiled={**job.compiled, model: made.prompt}, warnings=told)


def decided(job: Job, model: str) -> bool:
    """Whether a try has settled what this model is sent; one that was never sent has not."""
    tries = (a for a in job.attempts if a.asked == model)
    return model in job.compiled or any(a.generation or not a.state.ended for a in tries)


def turned_away(job: Job) -> bool:
    """Whether moderation has refused words of the job before they were sent: nobody gets them."""
    unsent = (a.error for a in job.attempts if not a.generation and a.error is not None)
    return any(error.reason == "MODERATED" for error in unsent)
