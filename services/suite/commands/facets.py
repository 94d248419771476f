"""Facets and labels as a person types them: NAME=VALUE."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

from reelmesh.storage.v1 import asset_pb2

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

AXES = tuple(field.name for field in asset_pb2.Facets.DESCRIPTOR.fields)
OPTION = "--with"


def sorted_out(pairs: Iterable[str]) -> tuple[asset_pb2.Facets, dict[str, str]]:
    """Return the facets among NAME=VALUE pairs, and the rest: a name that is no axis is a label."""
    facets, labels = asset_pb2.Facets(), {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not equals or not name:
            message = f"{pair!r} is not NAME=VALUE"
            raise typer.BadParameter(message, param_hint=OPTION)
        if name not in AXES:
            labels[name] = value
        elif asset_pb2.Facets.DESCRIPTOR.fields_by_name[name].is_repeated:
            getattr(facets, name).append(value)
        else:
            setattr(facets, name, value)
    return facets, labels


def facets_alone(pairs: Iterable[str], instead: str) -> asset_pb2.Facets:
    """Return the facets of NAME=VALUE pairs; one that is none is refused, with ``instead``."""
    facets, labels = sorted_out(pairs)
    if labels:
        message = f"{no_axis(sorted(labels))}; {instead}"
        raise typer.BadParameter(message, param_hint=OPTION)
    return facets


def no_axis(names: Sequence[str]) -> str:
    """Say that these are no facets, and which there are."""
    verb = "are no facets" if len(names) > 1 else "is no facet"
    return f"{', '.join(names)} {verb} (those are {', '.join(AXES)})"
