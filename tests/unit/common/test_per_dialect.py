"""Statements are built for the dialect that is in use, once."""

from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import Column, Integer, MetaData, Table
from sqlalchemy.dialects import postgresql, sqlite

from services.common.per_dialect import PerDialect

NUMBERS = Table("numbers", MetaData(), Column("n", Integer, primary_key=True))


@pytest.mark.parametrize(("name", "dialect"), [("sqlite", sqlite), ("postgresql", postgresql)])
def test_a_statement_is_built_once_with_the_words_of_its_dialect(name: str, dialect: Any) -> None:
    built = []

    def build(insert: Callable[[Table], Any]) -> Any:
        built.append(insert)
        return insert(NUMBERS).on_conflict_do_nothing()

    statements = PerDialect(build)
    assert built == []
    assert "ON CONFLICT DO NOTHING" in str(statements[name].compile(dialect=dialect.dialect()))
    assert statements[name] is statements[name]
    assert built == [dialect.insert]
