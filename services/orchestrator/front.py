"""The part of the orchestrator that answers calls: its services and their use cases."""

from collections.abc import Callable
from typing import Any

from reelmesh.orchestrator.v1.budget_service_pb2 import (
    GetCostReportRequest,
    GetCostReportResponse,
)
from reelmesh.orchestrator.v1.budget_service_pb2_grpc import add_BudgetServiceServicer_to_server
from reelmesh.orchestrator.v1.cache_service_pb2_grpc import add_CacheServiceServicer_to_server
from reelmesh.orchestrator.v1.character_service_pb2_grpc import (
    add_CharacterServiceServicer_to_server,
)
from reelmesh.orchestrator.v1.comparison_service_pb2_grpc import (
    add_ComparisonServiceServicer_to_server,
)
from reelmesh.orchestrator.v1.film_service_pb2_grpc import add_FilmServiceServicer_to_server
from reelmesh.orchestrator.v1.policy_service_pb2_grpc import add_PolicyServiceServicer_to_server
from reelmesh.orchestrator.v1.video_service_pb2_grpc import add_VideoServiceServicer_to_server
from services.common import clock
from services.common.database import Database
from services.common.ids import new_id
from services.common.readiness import Readiness
from services.orchestrator.adapters.sql_books import SqlBooks
from services.orchestrator.adapters.tenant_rates import TenantRates
from services.orchestrator.convert.budgets import period_of, report_message
from services.orchestrator.films import film_use_cases
from services.orchestrator.images import character_use_cases
from services.orchestrator.servicers import budgets, cache, policies
from services.orchestrator.servicers.budgets import Budgets
from services.orchestrator.servicers.cache import Cache
from services.orchestrator.servicers.characters import Characters
from services.orchestrator.servicers.comparisons import Comparisons
from services.orchestrator.servicers.films import Films
from services.orchestrator.servicers.policies import Policies
from services.orchestrator.servicers.videos import Videos, VideoUseCases
from services.orchestrator.usecases.accept import AcceptVideo
from services.orchestrator.usecases.admission import Admission
from services.orchestrator.usecases.afford import Affording
from services.orchestrator.usecases.batch import AcceptBatch
from services.orchestrator.usecases.budgets import KeepBudgets
from services.orchestrator.usecases.compare import CompareVideos
from services.orchestrator.usecases.filling import FillRequest
from services.orchestrator.usecases.plan import PlanVideo
from services.orchestrator.usecases.policies import KeepPolicies
from services.orchestrator.usecases.purge import KeepCache
from services.orchestrator.usecases.read import ReadJobs
from services.orchestrator.worker import Parts

SCOPES = budgets.SCOPES | cache.SCOPES | policies.SCOPES


def servicers(
    parts: Parts, kept: KeepCache, readiness: Readiness
) -> list[tuple[Callable[[Any, Any], None], Any]]:
    """Return every service with the function that registers it at a server."""
    books = SqlBooks(parts.database, now=clock.now)
    use_cases = _use_cases(parts)
    videos = Videos(use_cases, readiness.draining)
    compare = CompareVideos(
        batch=use_cases.batch, jobs=parts.jobs, ledger=parts.ledger, store=parts.comparisons
    )
    kept_policies = KeepPolicies(policies=parts.policies, styles=parts.styles)
    return [
        (add_VideoServiceServicer_to_server, videos),
        (add_FilmServiceServicer_to_server, Films(film_use_cases(parts), readiness.draining)),
        (add_BudgetServiceServicer_to_server, Budgets(KeepBudgets(books=books))),
        (
            add_PolicyServiceServicer_to_server,
            Policies(kept_policies),
        ),
        (add_CacheServiceServicer_to_server, Cache(kept)),
        (
            add_CharacterServiceServicer_to_server,
            Characters(character_use_cases(parts, use_cases.accept.admission)),
        ),
        (add_ComparisonServiceServicer_to_server, Comparisons(compare, parts.assets)),
    ]


def accepting(parts: Parts) -> AcceptVideo:
    """Return what takes jobs in, with rates that it counts for itself."""
    return AcceptVideo(
        fill=FillRequest(styles=parts.styles),
        jobs=parts.jobs,
        models=parts.models,
        assets=parts.assets,
        router=parts.router,
        afford=Affording(ledger=parts.ledger),
        now=clock.now,
        new_id=new_id,
        policies=parts.policies,
        admission=Admission(
            screen=parts.screen, jobs=parts.jobs, rates=TenantRates(), edits=parts.edits
        ),
        cache=parts.cache,
    )


def _use_cases(parts: Parts) -> VideoUseCases:
    accept = accepting(parts)
    return VideoUseCases(
        accept=accept,
        batch=AcceptBatch(accept=accept, models=parts.models, ledger=parts.ledger),
        plan=PlanVideo(
            models=parts.models,
            prompts=parts.prompts,
            assets=parts.assets,
            router=parts.router,
            afford=accept.afford,
            now=clock.now,
            compiling=parts.compiling,
            fill=accept.fill,
            policies=parts.policies,
            cache=parts.cache,
        ),
        read=ReadJobs(jobs=parts.jobs, feed=parts.feed),
        jobs=parts.jobs,
        models=parts.models,
        assets=parts.assets,
        ledger=parts.ledger,
    )


async def cost_report_of_all(location: str, request: GetCostReportRequest) -> GetCostReportResponse:
    """What all tenants of a database were charged, for its operator. Raises InvalidArgument."""
    async with Database(location, schema="orchestrator", pool_size=0) as database:
        books = KeepBudgets(books=SqlBooks(database, now=clock.now))
        return report_message(await books.report("", request.group_by, period_of(request)))
