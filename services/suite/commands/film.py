"""``reelmesh film``: a film of shots or a script."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from reelmesh.orchestrator.v1.film_service_pb2 import Consistency, Film, PlanFilmRequest
from services.common.ids import new_id
from services.suite.commands.film_display import show_plan
from services.suite.commands.films import Watch, finish_film, follow_film, save_film
from services.suite.commands.session import EXIT_CODES, Address, ApiKey, AsJson, print_json, run
from services.suite.commands.styling import (
    Look,
    Pack,
    Template,
    Values,
    template_name,
    template_values,
)
from services.suite.film_client import film_request, films_at

if TYPE_CHECKING:
    from collections.abc import Mapping

Source = Annotated[
    Path, typer.Argument(help="Shots as JSON (see docs/schemas), or a script in any form.")
]
Preset = Annotated[
    str, typer.Option(help="auto, basic, budget, premium, news, cartoon or offline.")
]

# Options that the request calls by the same name.
_AS_THEY_ARE = (
    *("budget_limit", "image_provider", "video_provider", "audio_provider", "preset", "title"),
    *("project", "language", "visual_approach", "style_preset", "mode", "concurrency"),
    *("resolution", "aspect_ratio", "fps", "transition", "music", "captions", "upscale"),
    "thumbnail",
)


def film(
    file: Source,
    film_id: Annotated[str, typer.Option(help="Your own id for the film.")] = "",
    budget_limit: Annotated[str, typer.Option(help="Most that it may cost, in dollars.")] = "",
    image_provider: Annotated[str, typer.Option(help="Model that makes pictures.")] = "",
    video_provider: Annotated[str, typer.Option(help="Model that makes clips.")] = "",
    audio_provider: Annotated[str, typer.Option(help="Model that speaks.")] = "",
    preset: Preset = "",
    title: Annotated[str, typer.Option(help="Its title; unset is the script's own.")] = "",
    project: Annotated[str, typer.Option(help="The project that it is accounted to.")] = "",
    language: Annotated[str, typer.Option(help="Of voices and messages: en or sw.")] = "",
    visual_approach: Annotated[
        str, typer.Option(help="stock_only, ai_only, hybrid_stock_first or hybrid_ai_first.")
    ] = "",
    style_preset: Look = "",
    template: Template = "",
    values: Values = None,
    pack: Pack = None,
    mode: Annotated[str, typer.Option(help="sequential, parallel or adaptive.")] = "",
    concurrency: Annotated[int, typer.Option(min=0, max=10, help="Tasks at once; 0 is 3.")] = 0,
    resolution: Annotated[str, typer.Option(help='Such as "720p" or "1080p".')] = "",
    aspect_ratio: Annotated[str, typer.Option(help='Such as "16:9" or "9:16".')] = "",
    fps: Annotated[int, typer.Option(min=0, max=60, help="Frames a second; 0 is 24.")] = 0,
    transition: Annotated[
        str, typer.Option(help="Between shots: cut, crossfade, fade_black, wipe_left, slide_up …")
    ] = "",
    music: Annotated[str, typer.Option(help='What it is like, such as "calm, harp", or off.')] = "",
    upscale: Annotated[
        bool, typer.Option("--upscale", help="Make smaller clips and enlarge them here.")
    ] = False,
    captions: Annotated[str, typer.Option(help="burn, attach or off.")] = "",
    thumbnail: Annotated[
        bool, typer.Option("--thumbnail", help="Keep a still of its cut.")
    ] = False,
    placeholders: Annotated[
        bool | None,
        typer.Option("--placeholders/--no-placeholders", help="Whether drawings may stand in."),
    ] = None,
    least_likeness: Annotated[
        float | None,
        typer.Option(
            min=0, max=1, help="Make again what looks less like its character's picture; 0 never."
        ),
    ] = None,
    retries: Annotated[
        int | None, typer.Option(min=0, max=3, help="How often at most; the best is kept.")
    ] = None,
    start: Annotated[
        datetime | None,
        typer.Option(
            "--start", help="Begin nothing before, in local time.", formats=["%Y-%m-%dT%H:%M"]
        ),
    ] = None,
    start_by: Annotated[
        datetime | None,
        typer.Option(
            "--start-by",
            help="Begin nothing after; what could not begin fails.",
            formats=["%Y-%m-%dT%H:%M"],
        ),
    ] = None,
    approve: Annotated[
        bool, typer.Option("--ask", help="Wait for `reelmesh films resume --approve`.")
    ] = False,
    no_cache: Annotated[bool, typer.Option("--no-cache", help="Make every clip anew.")] = False,
    plan: Annotated[bool, typer.Option("--plan", help="Only say what it would be.")] = False,
    watch: Watch = False,
    output: Annotated[Path | None, typer.Option(help="Write the film to this file.")] = None,
    as_json: AsJson = False,
    address: Address = "",
    api_key: ApiKey = "",
) -> None:
    """Make a film of shots or a script, from pictures to sound and captions.

    Example: reelmesh film examples/five_shots.json --watch --output film.mp4

    In Swahili, upright, with hard cuts: reelmesh film hadithi.txt --language sw --aspect-ratio 9:16
    --transition cut --music "ngoma, lively"

    With a look and a culture: reelmesh film scene.fountain --style-preset anime --pack kenya

    Every shot in a template's {prompt}: reelmesh film shots.json --template 01m8 --set who=Asha
    """
    given = _fields(locals())

    async def work() -> Film | None:
        request = film_request(file, {**given, "request_id": new_id()})
        async with films_at(address, api_key) as films:
            if plan:
                found = await films.PlanFilm(PlanFilmRequest(request=request))
                print_json(found) if as_json else show_plan(found)
                return None
            made = (await films.CreateFilm(request)).film
            if not approve and (watch or output is not None):
                made = await follow_film(films, made.name, as_json=as_json)
                await save_film(made, output)
            return made

    if (made := run(work, address)) is not None:
        finish_film(made, as_json=as_json, told=not approve and (watch or output is not None))


def _fields(given: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of the request, and the names of models, for the command's options."""
    start, start_by = given["start"], given["start_by"]
    return {name: given[name] for name in _AS_THEY_ARE} | {
        "creative_id": given["film_id"],
        "template": template_name(given["template"]),
        "template_values": template_values(given["values"]),
        "packs": given["pack"],
        "allow_placeholder": given["placeholders"],
        "consistency": _consistency(given["least_likeness"], given["retries"]),
        "start_time": start.astimezone(UTC) if start else None,
        "latest_start_time": start_by.astimezone(UTC) if start_by else None,
        "require_approval": given["approve"],
        "use_cache": not given["no_cache"],
    }


def _consistency(least: float | None, retries: int | None) -> Consistency | None:
    """What was asked for; None for as the deployment has it."""
    wanted = least is not None or retries is not None
    return Consistency(least=least, retries=retries) if wanted else None


def register(app: typer.Typer) -> None:
    """Add the command to ``app``."""
    app.command(epilog=EXIT_CODES, rich_help_panel="Jobs")(film)
