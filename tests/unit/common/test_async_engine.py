"""The engine for asyncio comes alone, and is the same one for whoever loads the rest of it too."""

import subprocess
import sys

ALONE = """
import sys
import services.common.database
print("sqlalchemy.orm" in sys.modules, "sqlalchemy.ext.asyncio" in sys.modules)
"""
LATER = """
import services.common.async_engine as ours
import sqlalchemy.ext.asyncio as theirs
from sqlalchemy.ext.asyncio import AsyncSession
print(ours.AsyncConnection is theirs.AsyncConnection, AsyncSession.__module__)
"""
EARLIER = "import sqlalchemy.ext.asyncio as theirs" + LATER


def told(program: str) -> list[str]:
    """What it prints, in a process of its own."""
    made = [sys.executable, "-W", "error", "-c", program]
    return subprocess.run(made, capture_output=True, check=True, text=True).stdout.split()


def test_a_database_does_not_load_the_mapper_of_objects() -> None:
    assert told(ALONE) == ["False", "False"]


def test_whoever_loads_all_of_it_before_or_after_gets_the_same_engine() -> None:
    for program in (LATER, EARLIER):
        assert told(program) == ["True", "sqlalchemy.ext.asyncio.session"]
