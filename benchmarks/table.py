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
    Anything else in ``against`` is only told. ``number`` is that number before it was rounded to be
    printed: 2.95 is less than 3 though it reads 3.0.
    """

    name: str
    value: str
    against: str
    number: float | None = None

    @property
    def missed(self) -> bool:
        """Whether there is a mark that the figure does not meet; one without a number does not."""
        mark = _MARK.match(self.against)
        if mark is None:
            return False
        figure = self.number if self.number is not None else self._printed
        return figure is None or not _HOLDS[mark[1]](figure, float(mark[2]))

    @property
    def _printed(self) -> float | None:
        found = _NUMBER.search(self.value.replace(",", ""))
        return None if found is None else float(found[0])


def markdown(rows: Iterable[Row]) -> str:
    """The rows as a table that README.md can hold."""
    lines = ["| what | measured | against |", "| --- | --- | --- |"]
    return "\n".join([*lines, *(f"| {r.name} | {r.value} | {r.against} |" for r in rows)])
