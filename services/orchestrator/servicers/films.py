"""`FilmService`: in the contract, not served yet."""

from typing import Any

from reelmesh.orchestrator.v1 import film_service_pb2_grpc
from services.common.errors import Unimplemented


def _later(service: str) -> Any:
    async def refuse(self: Any, request: Any, context: Any) -> Any:
        raise Unimplemented(f"{service} is part of the contract and not served by this version")

    return refuse


class Films(film_service_pb2_grpc.FilmServiceServicer):
    """`FilmService`: in the contract, not served yet."""

    CreateFilm = PlanFilm = GetFilm = ListFilms = WatchFilm = _later("FilmService")
    CancelFilm = RegenerateShot = ResumeFilm = _later("FilmService")
