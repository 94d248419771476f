"""The part of the orchestrator that looks at prompts before money is spent."""

from contextlib import AsyncExitStack

from services.orchestrator.adapters.moderation import load_rules
from services.orchestrator.adapters.moderation.endpoint import ModerationEndpoint
from services.orchestrator.settings import Settings
from services.orchestrator.usecases.admission import Screen


async def open_screen(settings: Settings, stack: AsyncExitStack) -> Screen:
    """The rules, and the endpoint where one is configured."""
    endpoint = None
    if settings.moderation_url:
        endpoint = await stack.enter_async_context(
            ModerationEndpoint(
                settings.moderation_url,
                key=settings.moderation_api_key.get_secret_value(),
                model=settings.moderation_model,
            )
        )
    return Screen(rules=load_rules(), endpoint=endpoint)
