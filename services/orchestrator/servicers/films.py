"""`FilmService`: gRPC in, a use case, gRPC out."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any

from typing_extensions import override

from reelmesh.orchestrator.v1 import film_service_pb2 as pb
from reelmesh.orchestrator.v1.film_service_pb2_grpc import FilmServiceServicer
from services.common.errors import ServiceError
from services.common.identity import current_identity
from services.common.telemetry import get_logger
from services.orchestrator.convert.film_requests import film_brief, film_source
from services.orchestrator.convert.films import film_message, plan_message, tell_totals
from services.orchestrator.domain.films.film import Film
from services.orchestrator.domain.money.ledger import Ledger, Totals
from services.orchestrator.domain.ports import AssetPort
from services.orchestrator.servicers.draining import until
from services.orchestrator.usecases.films.command import CommandFilm, ReadFilms
from services.orchestrator.usecases.films.create import CreateFilm
from services.orchestrator.usecases.films.plan import PlanFilm

_log = get_logger(__name__)


@dataclass(frozen=True, kw_only=True)
class FilmUseCases:
    """What the servicer calls."""

    plan: PlanFilm
    create: CreateFilm
    read: ReadFilms
    command: CommandFilm
    assets: AssetPort
    ledger: Ledger


class Films(FilmServiceServicer):
    """`FilmService`. The tenant is the caller's."""

    def __init__(self, use: FilmUseCases, draining: asyncio.Event) -> None:
        """`draining` ends watches, so that a stop does not wait for them."""
        self._use = use
        self._draining = draining

    @override
    async def CreateFilm(
        self, request: pb.CreateFilmRequest, context: Any
    ) -> pb.CreateFilmResponse:
        film = await self._use.create(
            _tenant(),
            film_brief(request),
            film_source(request.source),
            request_id=request.request_id,
            user=current_identity().key_id,
        )
        return pb.CreateFilmResponse(film=await self._told(film))

    @override
    async def PlanFilm(self, request: pb.PlanFilmRequest, context: Any) -> pb.PlanFilmResponse:
        asked = request.request
        brief, source = film_brief(asked), film_source(asked.source)
        plan = await self._use.plan(_tenant(), brief, source, current_identity().key_id)
        return plan_message(plan)

    @override
    async def GetFilm(self, request: pb.GetFilmRequest, context: Any) -> pb.GetFilmResponse:
        film = await self._use.read.get(_tenant(), request.name)
        return pb.GetFilmResponse(film=await self._shown(film))

    @override
    async def ListFilms(self, request: pb.ListFilmsRequest, context: Any) -> pb.ListFilmsResponse:
        page, token = await self._use.read.list(_tenant(), request.page_size, request.page_token)
        return pb.ListFilmsResponse(films=await self._all_told(page), next_page_token=token)

    @override
    async def WatchFilm(
        self, request: pb.WatchFilmRequest, context: Any
    ) -> AsyncIterator[pb.WatchFilmResponse]:
        films = self._use.read.watch(_tenant(), request.name, request.after_sequence)
        following: AsyncGenerator[Film, None] = until(films, self._draining)
        preview = ""
        async with aclosing(following):
            async for film in following:
                news = film.state.terminal or film.preview != preview
                shown = await (self._shown(film) if news else self._told(film))
                preview = film.preview
                yield pb.WatchFilmResponse(sequence=film.sequence, film=shown)

    @override
    async def CancelFilm(
        self, request: pb.CancelFilmRequest, context: Any
    ) -> pb.CancelFilmResponse:
        film = await self._use.command.cancel(_tenant(), request.name)
        return pb.CancelFilmResponse(film=await self._told(film))

    @override
    async def RegenerateShot(
        self, request: pb.RegenerateShotRequest, context: Any
    ) -> pb.RegenerateShotResponse:
        film = await self._use.command.regenerate(
            _tenant(),
            request.name,
            request.shot,
            feedback=request.feedback,
            request_id=request.request_id,
        )
        return pb.RegenerateShotResponse(film=await self._told(film))

    @override
    async def ResumeFilm(
        self, request: pb.ResumeFilmRequest, context: Any
    ) -> pb.ResumeFilmResponse:
        film = await self._use.command.resume(
            _tenant(), request.name, request.request_id, approve=request.approve
        )
        return pb.ResumeFilmResponse(film=await self._told(film))

    @override
    async def RestoreCut(
        self, request: pb.RestoreCutRequest, context: Any
    ) -> pb.RestoreCutResponse:
        film = await self._use.command.restore(
            _tenant(), request.name, request.version, request.request_id
        )
        return pb.RestoreCutResponse(film=await self._told(film))

    async def _told(self, film: Film) -> pb.Film:
        [message] = await self._all_told([film])
        return message

    async def _all_told(self, films: Sequence[Film]) -> Sequence[pb.Film]:
        """The messages of a tenant's films; the ledger says what they cost and saved."""
        sums = await self._use.ledger.film_totals(_tenant(), [film.id for film in films])
        messages = []
        for film in films:
            message = film_message(film)
            tell_totals(message, sums.get(film.id, Totals()))
            messages.append(message)
            await asyncio.sleep(0)  # a film may have hundreds of shots, and others wait
        return messages

    async def _shown(self, film: Film) -> pb.Film:
        """The film's message with URLs of what there is to see; without, while storage is away."""
        message = await self._told(film)
        if not message.preview:
            return message
        try:
            links = await self._use.assets.links(film.tenant, message.preview)
        except ServiceError as error:
            _log.warning("links_missing", film=film.name, reason=error.reason)
            return message
        message.preview_url, message.thumbnail_url = links.content, links.thumbnail
        message.content_url = links.content if message.asset else ""
        return message


def _tenant() -> str:
    return current_identity().tenant
