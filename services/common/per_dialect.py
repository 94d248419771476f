"""Statements with words that standard SQL has not, built for the dialect that is in use."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

S = TypeVar("S")


class PerDialect(dict[str, S], Generic[S]):
    """By a dialect's name what ``build`` makes of its ``insert``, built when it is first asked for.

    A dialect that is not in use stays out of memory: PostgreSQL's takes 2 MiB.
    """

    def __init__(self, build: Callable[[Any], S]) -> None:
        super().__init__()
        self._build = build

    def __missing__(self, dialect: str) -> S:
        insert = import_module(f"sqlalchemy.dialects.{dialect}").insert
        self[dialect] = built = self._build(insert)
        return built
