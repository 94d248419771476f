"""Requests for films as domain values."""

from collections.abc import Sequence

from reelmesh.orchestrator.v1 import film_service_pb2 as pb
from services.common.errors import InvalidArgument
from services.orchestrator.adapters.wire import from_money, from_timestamp
from services.orchestrator.convert.shot_list import character_sheets, shot_source
from services.orchestrator.domain.films.brief import FilmBrief
from services.orchestrator.domain.films.characters import CharacterSheet
from services.orchestrator.domain.films.likeness import LikenessWish
from services.orchestrator.usecases.films.plan import FilmSource

MAX_SCRIPT = 2_000_000
_SHEET = ("name", "description", "reference")


def film_brief(message: pb.CreateFilmRequest) -> FilmBrief:
    """The film's settings. Raises InvalidArgument naming the field."""
    limited = message.HasField("budget_limit")
    limit = from_money("budget_limit", message.budget_limit) if limited else None
    same = "title preset mode visual_approach concurrency creative_id require_approval project"
    same += " upscale thumbnail"
    given = "aspect_ratio resolution fps transition music captions language template style_preset"
    return FilmBrief(
        providers=dict(message.providers),
        budget_limit_micros=limit,
        start_time=from_timestamp(message.start_time),
        latest_start_time=from_timestamp(message.latest_start_time),
        use_cache=message.use_cache if message.HasField("use_cache") else True,
        placeholder=message.allow_placeholder if message.HasField("allow_placeholder") else None,
        template_values=dict(message.template_values),
        packs=tuple(message.packs),
        characters=_sheets(message.characters),
        consistency=_rule(message),
        **{name: getattr(message, name) for name in same.split()},
        # What is left out keeps the brief's own default.
        **{n: getattr(message, n) for n in given.split() if getattr(message, n)},
    )


def _rule(message: pb.CreateFilmRequest) -> LikenessWish | None:
    if not message.HasField("consistency"):
        return None
    given = message.consistency
    return LikenessWish(**{field.name: value for field, value in given.ListFields()})


def _sheets(given: Sequence[pb.CharacterSheet]) -> tuple[CharacterSheet, ...]:
    rows = ((each.name, each.description, each.reference) for each in given)
    return character_sheets(dict(zip(_SHEET, row, strict=True)) for row in rows)


def film_source(message: pb.FilmSource) -> FilmSource:
    """Shots or a script. Raises InvalidArgument with every fault of a bad file."""
    match message.WhichOneof("source"):
        case "shots_json":
            return shot_source(message.shots_json)
        case "script" if len(message.script) <= MAX_SCRIPT:
            return FilmSource(script=message.script)
        case "script":
            raise InvalidArgument(
                "source.script", "is too long", allowed=(f"{MAX_SCRIPT} characters",)
            )
        case _:
            raise InvalidArgument("source", "is empty", allowed=("shots_json", "script"))
