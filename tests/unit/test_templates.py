"""A copied database is the one that the steps make, and only an empty file becomes a copy."""

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from services.common.database import Database
from services.common.migrate import migrate
from services.storage.__main__ import MIGRATIONS
from tests import templates


def held(file: Path) -> list[Any]:
    """The tables of a file as they were declared, and the version that it is at."""
    with closing(sqlite3.connect(file)) as found:
        tables = found.execute("SELECT type, name, sql FROM sqlite_master ORDER BY name").fetchall()
        return [*tables, *found.execute("SELECT version_num FROM alembic_version").fetchall()]


async def migrated(file: Path) -> list[Any]:
    async with Database(f"sqlite:///{file}", schema="storage") as database:
        await migrate(database, MIGRATIONS)
    return held(file)


@pytest.fixture
def steps(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The files that were migrated step by step."""
    files: list[str] = []
    real = templates._MIGRATE

    def noted(database: Database, script_location: str, revision: str) -> None:
        files.append(Path(str(database.url.database)).name)
        real(database, script_location, revision)

    monkeypatch.setattr(templates, "_MIGRATE", noted)
    monkeypatch.setattr(templates, "_templates", {})
    return files


async def test_a_second_file_is_what_the_steps_made_of_the_first(tmp_path: Path, steps: list[str]):
    first = await migrated(tmp_path / "first")
    assert await migrated(tmp_path / "second") == first
    assert len(first) > 10
    assert steps == ["first"]


async def test_a_file_that_holds_something_keeps_it_and_takes_the_steps(
    tmp_path: Path, steps: list[str]
):
    await migrated(tmp_path / "first")
    with closing(sqlite3.connect(tmp_path / "older")) as older:
        older.execute("CREATE TABLE something (of_before)")
    tables = await migrated(tmp_path / "older")
    assert ("table", "something", "CREATE TABLE something (of_before)") in tables
    assert steps == ["first", "older"]


async def test_an_older_revision_is_never_copied(tmp_path: Path, steps: list[str]):
    await migrated(tmp_path / "first")
    async with Database(f"sqlite:///{tmp_path / 'older'}", schema="storage") as database:
        await migrate(database, MIGRATIONS, revision="0001")
    assert steps == ["first", "older"]
    assert held(tmp_path / "older")[-1] == ("0001",)
