"""The printed table, and which of its figures miss their marks."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from operator import ge, gt, le, lt

_MARK = re.compile(r"^(<=|<|>=|>) ([\d.]+)")
_NUMBER = re.compile(r"-?[\d.]*\d")
_HOLDS = {"<": lt, "<=": le, ">": gt, ">=": ge}


@dataclass(frozen=True)
class Row:
    """One figure beside what it is measured against.

    A mark begins with how the first number of ``value`` must stand to it: ``< 10 ms``, ``>= 2.2``.
    Anything else in ``against`` is only told.
    """

    name: str
    value: str
    against: str

    @property
    def missed(self) -> bool:
        """Whether there is a mark that the figure does not meet; one without a number does not."""
        mark = _MARK.match(self.against)
        if mark is None:
            return False
        figure = _NUMBER.search(self.value.replace(",", ""))
        return figure is None or not _HOLDS[mark[1]](float(figure[0]), float(mark[2]))


def markdown(rows: Iterable[Row]) -> str:
    """The rows as a table that README.md can hold."""
    lines = ["| what | measured | against |", "| --- | --- | --- |"]
    return "\n".join([*lines, *(f"| {r.name} | {r.value} | {r.against} |" for r in rows)])
