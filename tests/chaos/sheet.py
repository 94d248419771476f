"""The fault matrix as people read it: a row for each fault, a column for each place of death."""

from collections.abc import Mapping, Sequence

from rich.console import Console
from rich.table import Table

from services.generator.domain.generation import Generation
from services.suite.simulator.world import Charge
from tests.chaos.hosted import Audit, Cell

LEGEND = (
    "kept: the clip is stored, and paid once · free: no clip, no charge · paid: the vendor bills "
    "what it did not deliver, and the ledger says so · +: an operator said what the vendor's "
    "dashboard shows · !: wrong"
)


def verdict(row: Generation, charges: Sequence[Charge], *, wrong: bool, asked: bool) -> str:
    """Return a word for how one generation ended."""
    if wrong:
        return "!"
    missed = "paid" if charges else "free"
    word = "kept" if row.asset else missed
    return f"{word}+" if asked else word


def show(provider: str, words: Mapping[Cell, str], audit: Audit) -> None:
    """Print the matrix of one vendor and what it adds up to."""
    points = list(dict.fromkeys(str(cell.point) for cell in words))
    table = Table("fault", *points, title=provider, caption=f"{audit}\n{LEGEND}")
    rows: dict[str, list[str]] = {}
    for cell, word in words.items():
        rows.setdefault(str(cell.fault or "none"), []).append(word)
    for fault, told in rows.items():
        table.add_row(fault, *told)
    Console(width=132).print(table)
