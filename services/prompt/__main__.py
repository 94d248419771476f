"""Starts the prompt service: ``python -m services.prompt``."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from reelmesh.prompt.v1.prompt_service_pb2_grpc import add_PromptServiceServicer_to_server
from services.common import clock, ids
from services.common.access import open_keys
from services.common.database import Database
from services.common.identity import READ
from services.common.migrate import migrate
from services.common.readiness import Readiness
from services.common.server import give_way, keep_what_is_loaded, serve, wait_for_signal
from services.common.settings import from_environment
from services.common.telemetry import configure_logging
from services.prompt.adapters.llm.dialects import DIALECTS, dialect_of
from services.prompt.adapters.rules.reader import RulesReader
from services.prompt.adapters.scripts.library import ScriptFiles
from services.prompt.adapters.sql_templates import SqlTemplates
from services.prompt.packs import load_feedback, load_knowledge
from services.prompt.servicer import PromptServicer, UseCases
from services.prompt.settings import Settings
from services.prompt.usecases.analyze import AnalyzePrompt
from services.prompt.usecases.break_down import BreakDownScript
from services.prompt.usecases.compile import CompilePrompt
from services.prompt.usecases.quantify import QuantifyPrompt
from services.prompt.usecases.regenerate import RegeneratePrompt
from services.prompt.usecases.templates import Templates

if TYPE_CHECKING:
    from services.prompt.adapters.llm.endpoint import Endpoint
    from services.prompt.adapters.llm.writer import LanguageModelWriter

SCOPES = {"/reelmesh.prompt.v1.PromptService/AnalyzePrompt": READ}
_MIGRATIONS = Path(__file__).parent / "adapters" / "migrations"


@asynccontextmanager
async def running(settings: Settings) -> AsyncIterator[str]:
    """Serve while the block runs and yield ``host:port``; then drain."""
    async with AsyncExitStack() as stack:
        database = await stack.enter_async_context(
            Database(
                settings.database_location(),
                schema=settings.service,
                pool_size=settings.database_pool_size,
            )
        )
        if settings.migrate_at_start:
            await migrate(database, _MIGRATIONS)
        endpoint = _endpoint(settings)
        if endpoint is not None:
            stack.push_async_callback(endpoint.close)
        templates = Templates(SqlTemplates(database), now=clock.now, new_id=ids.new_id)
        servicer = PromptServicer(await asyncio.to_thread(_usecases, settings, endpoint, templates))
        readiness = Readiness()
        readiness.add("database", database.ping)
        keys = await stack.enter_async_context(open_keys(settings))
        listening = await stack.enter_async_context(
            serve(
                settings,
                [(add_PromptServiceServicer_to_server, servicer)],
                readiness=readiness,
                keys=keys,
                scopes=SCOPES,
            )
        )
        yield listening.address


def _usecases(settings: Settings, endpoint: "Endpoint | None", templates: Templates) -> UseCases:
    """Reads the packs (a blocking matter) and wires everything."""
    knowledge = load_knowledge(settings.packs_dir)
    reader = RulesReader(knowledge.lexicons, knowledge.names)
    model = _writer(endpoint) if endpoint else None
    return UseCases(
        quantify=QuantifyPrompt(reader=reader, knowledge=knowledge, model=model),
        compile=CompilePrompt(reader=reader, knowledge=knowledge, model=model),
        analyze=AnalyzePrompt(reader, knowledge.packs),
        regenerate=RegeneratePrompt(
            reader=reader, knowledge=knowledge, rules=load_feedback(), model=model
        ),
        break_down=BreakDownScript(
            parser=ScriptFiles(), reader=reader, messages=knowledge.messages, model=model
        ),
        presets=tuple(knowledge.presets.values()),
        packs=tuple(sorted(knowledge.packs)),
        templates=templates,
    )


def _writer(endpoint: "Endpoint") -> "LanguageModelWriter":
    from services.prompt.adapters.llm.writer import LanguageModelWriter  # noqa: PLC0415 - see below

    return LanguageModelWriter(endpoint)


def _endpoint(settings: Settings) -> "Endpoint | None":
    """The configured language model, or None where rules do everything."""
    if not settings.llm_model:
        return None
    # The SDK is a third of the time of a start and 14 MiB: only who names a model pays it.
    from openai import AsyncOpenAI  # noqa: PLC0415 - see above

    from services.prompt.adapters.llm.endpoint import Endpoint, Price  # noqa: PLC0415 - see above

    url = settings.endpoint_url()
    client = AsyncOpenAI(
        api_key=settings.endpoint_key(),
        base_url=url,
        timeout=settings.llm_timeout,
        max_retries=settings.llm_max_retries,
    )
    named = settings.llm_dialect
    return Endpoint(
        client=client,
        model=settings.llm_model,
        dialect=dialect_of(url) if named == "auto" else DIALECTS[named],
        timeout=settings.llm_timeout,
        max_tokens=settings.llm_max_tokens,
        price=Price(settings.llm_input_price_micros, settings.llm_output_price_micros),
    )


async def _main() -> None:
    settings = from_environment(Settings)
    configure_logging(settings)
    give_way(settings)
    async with running(settings):
        keep_what_is_loaded()
        await wait_for_signal()


def main() -> None:
    """Serve until SIGTERM or SIGINT."""
    asyncio.run(_main())


if __name__ == "__main__":
    main()
