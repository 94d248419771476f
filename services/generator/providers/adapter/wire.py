"""Spells a task as a JSON body by the catalogue's `wire` words, for vendors that host many models.

`fields` maps our words to the vendor's; `duration` is "int", "number", "str" or "seconds" ("5s");
`aspect_ratio` maps ratios to the vendor's names; `always` holds constants.
"""

from collections.abc import Mapping

from services.common.errors import InvalidArgument
from services.generator.domain.tasks import Json, Media, Task

_SAME = (
    *("prompt", "negative_prompt", "resolution", "seed", "audio", "count", "lyrics", "loop"),
    *("text", "voice", "language", "speed", "instrumental", "fps"),
)


UNSET: tuple[Json, ...] = (None, "", {})


def spell(task: Task, wire: Mapping[str, Json]) -> dict[str, Json]:
    """Return the vendor's body for `task`. Only what `fields` names and is set is sent."""
    values = _values(task, wire)
    always, names = wire.get("always"), wire.get("fields")
    body: dict[str, Json] = dict(always) if isinstance(always, dict) else {}
    for name, key in (names if isinstance(names, dict) else {}).items():
        if values.get(name) not in UNSET:
            body[str(key)] = values[name]
    for key in task.options:
        if key in body:
            raise InvalidArgument(f"options.{key}", "is set by the request itself")
    return body | dict(task.options)


def merged(body: dict[str, Json], options: Mapping[str, Json]) -> dict[str, Json]:
    """Return what is set in `body` (None, "" and {} are not) with the caller's own options added.

    Raises InvalidArgument where an option would overwrite what the request itself says.
    """
    for key in options:
        if key in body:
            raise InvalidArgument(f"options.{key}", "is set by the request itself")
    return {key: value for key, value in body.items() if value not in UNSET} | dict(options)


def _values(task: Task, wire: Mapping[str, Json]) -> dict[str, Json]:
    values: dict[str, Json] = {name: getattr(task, name, None) for name in _SAME}
    for name in ("image", "last_image", "video"):
        media = getattr(task, name, None)
        values[name] = media.uri if isinstance(media, Media) else None
    ratio, names = getattr(task, "aspect_ratio", ""), wire.get("aspect_ratio")
    values["aspect_ratio"] = names.get(ratio) if isinstance(names, dict) else ratio
    values["duration"] = _duration(getattr(task, "duration_seconds", None), wire.get("duration"))
    return values


def _duration(seconds: float | None, kind: Json) -> Json:
    if seconds is None:
        return None
    if kind == "int":
        return int(seconds)
    if kind == "seconds":
        return f"{seconds:g}s"
    return f"{seconds:g}" if kind == "str" else seconds
