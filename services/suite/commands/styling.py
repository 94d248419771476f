"""Options for templates, presets and culture packs, which several commands share."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from collections.abc import Iterable

_PREFIX = "templates/"

Template = Annotated[
    str,
    typer.Option(
        metavar="NAME[@VERSION]", help="A template of yours; without a version its newest."
    ),
]
Values = Annotated[
    list[str] | None,
    typer.Option(
        "--set", metavar="HOLE=TEXT", help="What a hole of the template holds; may be repeated."
    ),
]
Look = Annotated[str, typer.Option(metavar="NAME", help='A look, such as "news" or "anime".')]
Pack = Annotated[
    list[str] | None,
    typer.Option(
        metavar="NAME", help='A culture that enriches the words, such as "kenya"; may be repeated.'
    ),
]


def template_name(given: str) -> str:
    """``templates/{id}``, with its version, for an id or a name; "" for none."""
    return given if not given or given.startswith(_PREFIX) else f"{_PREFIX}{given}"


def template_values(given: Iterable[str] | None) -> dict[str, str]:
    """The texts by the holes that they are for; wrong usage where a hole is missing or twice."""
    values: dict[str, str] = {}
    for each in given or ():
        hole, equals, text = each.partition("=")
        if not (equals and hole):
            message = f"{each!r} must look like animal=lion"
            raise typer.BadParameter(message, param_hint="--set")
        if hole in values:
            raise typer.BadParameter(f"{hole!r} is set twice", param_hint="--set")
        values[hole] = text
    return values
