"""Films from Python, over gRPC.

from services.suite.film_client import run_film_pipeline

film = run_film_pipeline("my_film", "examples/five_shots.json", budget_limit="1.00")
print(film.content_url)

Where a loop runs already, as in a notebook: `film = await film_pipeline(…)`, of the same arguments.
"""

from __future__ import annotations

import asyncio
import hashlib
import time
from contextlib import asynccontextmanager
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
from google.type.money_pb2 import Money

from reelmesh.orchestrator.v1.film_service_pb2 import (
    CreateFilmRequest,
    Film,
    FilmSource,
    GetFilmRequest,
    WatchFilmRequest,
)
from reelmesh.orchestrator.v1.film_service_pb2_grpc import FilmServiceStub
from services.common.errors import DataLoss, InvalidArgument, Unavailable
from services.common.ids import new_id
from services.suite.channel import channel_to

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping

    from reelmesh.orchestrator.v1.film_service_pb2_grpc import FilmServiceAsyncStub

ENDED = frozenset({Film.STATE_SUCCEEDED, Film.STATE_FAILED, Film.STATE_CANCELLED})
# What a caller calls a provider, and what the graph calls the work.
KINDS = {"image_provider": "image", "video_provider": "animation", "audio_provider": "audio"}
_PATIENCE = 30.0
_PAUSE = 0.5
_LEFT_OUT: tuple[object, ...] = (None, "", [], {})


@asynccontextmanager
async def films_at(address: str = "", api_key: str = "") -> AsyncIterator[FilmServiceAsyncStub]:
    """Open a channel to the orchestrator; empty arguments are read from the environment."""
    async with channel_to(address, api_key) as channel:
        yield FilmServiceStub(channel)


def dollars(amount: str | Decimal | int) -> Money:
    """An amount of US dollars. Raises InvalidArgument for what is none."""
    try:
        micros = Decimal(str(amount)) * 1_000_000
        whole, rest = divmod(int(micros), 1_000_000)
    except (ArithmeticError, ValueError) as error:
        raise InvalidArgument("budget_limit", f"{amount!r} is no amount of dollars") from error
    if micros < 0 or micros != int(micros):
        raise InvalidArgument("budget_limit", "is negative or finer than a millionth of a dollar")
    return Money(currency_code="USD", units=whole, nanos=rest * 1000)


def film_request(path: Path, options: Mapping[str, Any]) -> CreateFilmRequest:
    """The request for a file: shots where it ends in .json, else a script.

    `options` are fields of CreateFilmRequest and `*_provider`; what is None or empty is left out.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidArgument("file", f"{path} cannot be read: {error}") from error
    shots = path.suffix.lower() == ".json"
    source = FilmSource(shots_json=text) if shots else FilmSource(script=text)
    given = {name: value for name, value in options.items() if value not in _LEFT_OUT}
    providers = {kind: given.pop(name) for name, kind in KINDS.items() if name in given}
    limit = given.pop("budget_limit", None)
    return CreateFilmRequest(
        source=source,
        providers=providers,
        budget_limit=None if limit is None else dollars(limit),
        **given,
    )


async def changes(films: FilmServiceAsyncStub, name: str, after: int = 0) -> AsyncIterator[Film]:
    """The film whenever it has changed, to its end; goes on where a connection broke.

    Raises Unavailable when the suite stays away for half a minute.
    """
    lost_at = 0.0
    while True:
        try:
            async for change in films.WatchFilm(WatchFilmRequest(name=name, after_sequence=after)):
                after, lost_at = change.sequence, 0.0
                yield change.film
                if change.film.state in ENDED:
                    return
        except Unavailable:
            lost_at = lost_at or time.monotonic()
            if time.monotonic() - lost_at > _PATIENCE:
                raise
        await asyncio.sleep(_PAUSE)


async def fetch(film: Film, destination: Path) -> int:
    """Write the newest cut to a file, whole or not at all; returns its bytes.

    Raises DataLoss for bytes that are not those of the cut.
    """
    part = destination.with_name(f"{destination.name}.part")
    try:
        size, digest = await _download(film.content_url, part)
        if digest != film.cuts[-1].sha256:
            raise DataLoss(f"what came from {film.content_url} is not the film's cut")
        part.replace(destination)
    finally:
        part.unlink(missing_ok=True)
    return size


async def _download(url: str, destination: Path) -> tuple[int, str]:
    """Write what is at an address to a file; returns its bytes and their SHA-256."""
    digest, size = hashlib.sha256(), 0
    async with (
        httpx.AsyncClient(trust_env=False, timeout=60.0) as client,
        client.stream("GET", url) as answer,
    ):
        answer.raise_for_status()
        with destination.open("wb") as file:
            async for chunk in answer.aiter_bytes():
                digest.update(chunk)
                size += file.write(chunk)
    return size, digest.hexdigest()


async def make_film(
    request: CreateFilmRequest, *, address: str = "", api_key: str = "", output: Path | None = None
) -> Film:
    """Make a film and wait for its end; the cut is written to `output` where there is one."""
    async with films_at(address, api_key) as films:
        name = (await films.CreateFilm(request)).film.name
        async for _ in changes(films, name):
            pass
        film: Film = (await films.GetFilm(GetFilmRequest(name=name))).film
    if output is not None and film.content_url:
        await fetch(film, output)
    return film


def run_film_pipeline(
    film_id: str,
    shots_json_path: str | Path,
    budget_limit: str | Decimal | int | None = None,
    use_cache: bool = True,
    **options: Any,
) -> Film:
    """Make a film of a file of shots (or a script) and return it as it ended, see `film_pipeline`.

    Raises RuntimeError where a loop runs already.
    """
    if _in_a_loop():
        msg = "a loop runs here already: await film_pipeline(…) instead of run_film_pipeline(…)"
        raise RuntimeError(msg)
    return asyncio.run(film_pipeline(film_id, shots_json_path, budget_limit, use_cache, **options))


def _in_a_loop() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True


async def film_pipeline(
    film_id: str,
    shots_json_path: str | Path,
    budget_limit: str | Decimal | int | None = None,
    use_cache: bool = True,
    **options: Any,
) -> Film:
    """Make a film of a file of shots (or a script) and return it as it ended.

    `film_id` is your own id for it. `options` are `preset`, `image_provider`, `video_provider`,
    `audio_provider`, `output`, `address`, `api_key`, and any field of CreateFilmRequest.
    Raises ServiceError where it is refused; a film that failed is returned with its error.
    """
    place = {name: options.pop(name, "") for name in ("address", "api_key")}
    output = options.pop("output", None)
    request = film_request(
        Path(shots_json_path),
        {
            "creative_id": film_id,
            "budget_limit": budget_limit,
            "use_cache": use_cache,
            "request_id": new_id(),
            **options,
        },
    )
    wanted = Path(output) if output else None
    return await make_film(request, **place, output=wanted)
