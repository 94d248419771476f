"""Writes the next state of a generation: a compare and set on `sequence`.

It is what a generator does most, so the statement is built once, and on SQLite, where a commit
costs more than a row, what need not be written at once is written in one go with others.
"""

from collections.abc import Sequence
from functools import cache
from typing import Any

import sqlalchemy as sa

from services.common.database import Database, told_when_away
from services.generator.domain.generation import Generation
from services.generator.ledger.rows import COLUMNS, GENERATIONS, columns_of
from services.generator.ledger.together import Together

_ROW = GENERATIONS.c


@cache
def change(*, owned: bool, release: bool) -> sa.Update:
    """Return the statement; `changed` makes its parameters."""
    update = sa.update(GENERATIONS).where(
        _ROW.id == sa.bindparam("known_id"), _ROW.sequence == sa.bindparam("known_sequence")
    )
    if owned:
        update = update.where(_ROW.owner == sa.bindparam("known_owner"))
    values: dict[str, Any] = {name: sa.bindparam(name) for name in COLUMNS}
    return update.values({**values, "owner": ""} if release else values)


def changed(generation: Generation, owner: str) -> dict[str, Any]:
    """Return the parameters of `change`; `owner` "" where whoever's row it is is changed."""
    known = {"known_id": generation.id, "known_sequence": generation.sequence - 1}
    return {**columns_of(generation), **known, **({"known_owner": owner} if owner else {})}


class Saving:
    """See `domain.ports.Ledger.save`."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._soon = Together(self._save_all)

    async def save(
        self, generation: Generation, *, owner: str = "", release: bool = False, soon: bool = False
    ) -> bool:
        """Write the next state where the row has the one before."""
        if soon and owner and self._database.is_sqlite:
            return await self._soon.add((generation, owner))
        update, values = change(owned=bool(owner), release=release), changed(generation, owner)
        async with told_when_away(), self._database.statement(writes=True) as connection:
            return bool((await connection.execute(update, values)).rowcount)

    async def _save_all(self, changes: Sequence[tuple[Generation, str]]) -> Sequence[bool]:
        """Save all in one transaction, or each by itself where one of them came too late."""
        update, values = change(owned=True, release=False), [changed(*one) for one in changes]
        try:
            async with told_when_away(), self._database.begin() as connection:
                if (await connection.execute(update, values)).rowcount != len(changes):
                    raise _SomeTooLateError
        except _SomeTooLateError:
            return [await self.save(generation, owner=owner) for generation, owner in changes]
        return [True] * len(changes)


class _SomeTooLateError(Exception):
    """Rolls the common transaction back."""
