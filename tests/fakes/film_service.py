"""A FilmService in memory: films that the test moves on, seen through the real protocol."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

from reelmesh.orchestrator.v1 import film_service_pb2 as pb
from reelmesh.orchestrator.v1.film_service_pb2_grpc import FilmServiceServicer
from services.common.errors import NotFound
from services.common.identity import current_identity

ENDED = {pb.Film.STATE_SUCCEEDED, pb.Film.STATE_FAILED, pb.Film.STATE_CANCELLED}


class FakeFilmService(FilmServiceServicer):
    """Keeps every state of every film; `asked` are the commands that came, newest last."""

    def __init__(self) -> None:
        self.states: dict[str, list[pb.Film]] = {}
        self.asked: list[Any] = []
        self.changed = asyncio.Condition()

    async def advance(self, name: str, **fields: Any) -> pb.Film:
        """One change of a film."""
        async with self.changed:
            film = pb.Film()
            film.CopyFrom(self.states[name][-1])
            for field, value in fields.items():
                setattr(film, field, value)
            film.sequence += 1
            self.states[name].append(film)
            self.changed.notify_all()
        return film

    def latest(self, name: str) -> pb.Film:
        if name not in self.states:
            raise NotFound("film", name)
        return self.states[name][-1]

    async def CreateFilm(self, request: Any, context: Any) -> pb.CreateFilmResponse:
        self.asked.append(request)
        film = pb.Film(
            name=f"films/film{len(self.states) + 1}",
            tenant_name=current_identity().tenant,
            state=pb.Film.STATE_QUEUED,
            sequence=1,
        )
        self.states[film.name] = [film]
        return pb.CreateFilmResponse(film=film)

    async def PlanFilm(self, request: Any, context: Any) -> pb.PlanFilmResponse:
        self.asked.append(request)
        return pb.PlanFilmResponse(title="planned", batches=[pb.Batch(tasks=["script"])])

    async def GetFilm(self, request: Any, context: Any) -> pb.GetFilmResponse:
        return pb.GetFilmResponse(film=self.latest(request.name))

    async def ListFilms(self, request: Any, context: Any) -> pb.ListFilmsResponse:
        self.asked.append(request)
        return pb.ListFilmsResponse(films=[states[-1] for states in self.states.values()])

    async def WatchFilm(self, request: Any, context: Any) -> AsyncIterator[pb.WatchFilmResponse]:
        self.latest(request.name)
        at = request.after_sequence
        while True:
            for film in self.states[request.name][at:]:
                at = film.sequence
                yield pb.WatchFilmResponse(sequence=at, film=film)
                if film.state in ENDED:
                    return
            async with self.changed:
                while len(self.states[request.name]) <= at:
                    await self.changed.wait()

    async def CancelFilm(self, request: Any, context: Any) -> pb.CancelFilmResponse:
        return pb.CancelFilmResponse(film=self._command(request))

    async def ResumeFilm(self, request: Any, context: Any) -> pb.ResumeFilmResponse:
        return pb.ResumeFilmResponse(film=self._command(request))

    async def RegenerateShot(self, request: Any, context: Any) -> pb.RegenerateShotResponse:
        return pb.RegenerateShotResponse(film=self._command(request))

    async def RestoreCut(self, request: Any, context: Any) -> pb.RestoreCutResponse:
        return pb.RestoreCutResponse(film=self._command(request))

    def _command(self, request: Any) -> pb.Film:
        self.asked.append(request)
        return self.latest(request.name)
