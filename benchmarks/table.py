"""The printed table."""

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class Row:
    """One figure beside what it is measured against."""

    name: str
    value: str
    against: str


def markdown(rows: Iterable[Row]) -> str:
    """The rows as a table that README.md can hold."""
    lines = ["| what | measured | against |", "| --- | --- | --- |"]
    return "\n".join([*lines, *(f"| {r.name} | {r.value} | {r.against} |" for r in rows)])
