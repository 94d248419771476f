"""Commands on films that there are: list, show, cancel, resume, make a shot again, go back."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from reelmesh.orchestrator.v1.film_service_pb2 import (
    CancelFilmRequest,
    Film,
    GetFilmRequest,
    ListFilmsRequest,
    RegenerateShotRequest,
    RestoreCutRequest,
    ResumeFilmRequest,
)
from services.common.ids import new_id
from services.suite.commands.film_display import Reel, show_film, show_films
from services.suite.commands.session import (
    EXIT_CODES,
    EXIT_ENDED_WITHOUT_VIDEO,
    Address,
    ApiKey,
    AsJson,
    err,
    print_json,
    run,
)
from services.suite.film_client import changes, fetch, films_at

if TYPE_CHECKING:
    from reelmesh.orchestrator.v1.film_service_pb2_grpc import FilmServiceAsyncStub

app = typer.Typer(no_args_is_help=True, help="Films that there are.")

Name = Annotated[str, typer.Argument(help="Id or name of a film, as `reelmesh films list` prints.")]
Watch = Annotated[bool, typer.Option("--watch", help="Show every shot while it is made.")]


async def follow_film(films: FilmServiceAsyncStub, name: str, *, as_json: bool) -> Film:
    """Show the film while it is made; returns it as it ended."""
    if as_json:
        async for film in changes(films, name):
            print_json(film)
    else:
        with Reel(err) as reel:
            async for film in changes(films, name):
                reel.show(film)
    return (await films.GetFilm(GetFilmRequest(name=name))).film


async def save_film(film: Film, output: Path | None) -> None:
    """Write the newest cut to a file, where one is wanted and there is a cut."""
    if output is not None and film.content_url:
        size = await fetch(film, output)
        err.print(f"{output} has {size / 1e6:.1f} MB", highlight=False)


def finish_film(film: Film, *, as_json: bool, told: bool = False) -> None:
    """Print a film, unless its changes were told as JSON; exits with 1 when it has no cut."""
    if not as_json:
        show_film(film)
    elif not told:
        print_json(film)
    if film.state in {Film.STATE_FAILED, Film.STATE_CANCELLED}:
        raise typer.Exit(EXIT_ENDED_WITHOUT_VIDEO)


@app.command("list", epilog=EXIT_CODES)
def list_films(
    limit: Annotated[int, typer.Option(min=1, max=200, help="How many, newest first.")] = 20,
    as_json: AsJson = False,
    address: Address = "",
    api_key: ApiKey = "",
) -> None:
    """List films, newest first.

    Example: reelmesh films list --limit 5
    """

    async def work() -> list[Film]:
        async with films_at(address, api_key) as films:
            return [*(await films.ListFilms(ListFilmsRequest(page_size=limit))).films]

    found = run(work, address)
    print_json([*found]) if as_json else show_films(found)


@app.command("show", epilog=EXIT_CODES)
def show(
    name: Name,
    watch: Watch = False,
    output: Annotated[Path | None, typer.Option(help="Write the newest cut to this file.")] = None,
    as_json: AsJson = False,
    address: Address = "",
    api_key: ApiKey = "",
) -> None:
    """Explain one film: its tasks, cuts, cost and what is less than was asked for.

    Example: reelmesh films show 01j9z3k5v7 --output film.mp4
    """

    async def work() -> Film:
        async with films_at(address, api_key) as films:
            found = (await films.GetFilm(GetFilmRequest(name=_name(name)))).film
            if watch:
                found = await follow_film(films, found.name, as_json=as_json)
            await save_film(found, output)
            return found

    found = run(work, address)
    print_json(found) if as_json else show_film(found)


@app.command("cancel", epilog=EXIT_CODES)
def cancel(
    name: Name, as_json: AsJson = False, address: Address = "", api_key: ApiKey = ""
) -> None:
    """Ask a film to stop; finished shots stay.

    Example: reelmesh films cancel 01j9z3k5v7
    """

    async def work() -> Film:
        async with films_at(address, api_key) as films:
            return (await films.CancelFilm(CancelFilmRequest(name=_name(name)))).film

    found = run(work, address)
    print_json(found) if as_json else show_films([found])


@app.command("resume", epilog=EXIT_CODES)
def resume(
    name: Name,
    approve: Annotated[bool, typer.Option("--approve", help="Approve its estimate.")] = False,
    watch: Watch = False,
    as_json: AsJson = False,
    address: Address = "",
    api_key: ApiKey = "",
) -> None:
    """Go on with a film that failed or was cancelled, or approve one that waits for it.

    Example: reelmesh films resume 01j9z3k5v7 --approve --watch
    """

    async def work() -> Film:
        request = ResumeFilmRequest(name=_name(name), approve=approve, request_id=new_id())
        async with films_at(address, api_key) as films:
            found = (await films.ResumeFilm(request)).film
            return await follow_film(films, found.name, as_json=as_json) if watch else found

    finish_film(run(work, address), as_json=as_json, told=watch)


@app.command("remake", epilog=EXIT_CODES)
def remake(
    name: Name,
    shot: Annotated[int, typer.Argument(min=1, help="Number of the shot, from 1.")],
    feedback: Annotated[str, typer.Option(help="What shall be different.")] = "",
    watch: Watch = False,
    as_json: AsJson = False,
    address: Address = "",
    api_key: ApiKey = "",
) -> None:
    """Make one shot again and cut a new version; the other shots stay as they are.

    Example: reelmesh films remake 01j9z3k5v7 2 --feedback "at night" --watch
    """

    async def work() -> Film:
        request = RegenerateShotRequest(
            name=_name(name), shot=shot, feedback=feedback, request_id=new_id()
        )
        async with films_at(address, api_key) as films:
            found = (await films.RegenerateShot(request)).film
            return await follow_film(films, found.name, as_json=as_json) if watch else found

    finish_film(run(work, address), as_json=as_json, told=watch)


@app.command("restore", epilog=EXIT_CODES)
def restore(
    name: Name,
    version: Annotated[int, typer.Argument(min=1, help="Version of the cut to go back to.")],
    as_json: AsJson = False,
    address: Address = "",
    api_key: ApiKey = "",
) -> None:
    """Make an earlier cut the newest one, with its shots as they were. Nothing is made or paid.

    Example: reelmesh films restore 01j9z3k5v7 1
    """

    async def work() -> Film:
        request = RestoreCutRequest(name=_name(name), version=version, request_id=new_id())
        async with films_at(address, api_key) as films:
            return (await films.RestoreCut(request)).film

    finish_film(run(work, address), as_json=as_json)


def _name(identifier: str) -> str:
    return identifier if identifier.startswith("films/") else f"films/{identifier}"


def register(parent: typer.Typer) -> None:
    """Add the commands of this module to ``parent``."""
    parent.add_typer(app, name="films", rich_help_panel="Jobs")
