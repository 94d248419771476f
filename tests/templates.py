"""Lets a new SQLite file begin as a copy of one that has been migrated, instead of step by step.

A plugin of pytest. A service of a test's own migrates a file of its own, some 700 times in a run:
a tenth of a second of a core each, for the same tables. The first in each process is migrated by
the service's own steps, and whatever is not an empty file is as well.
"""

import sqlite3
import threading
from contextlib import closing
from pathlib import Path

from services.common import alembic_steps
from services.common.database import Database

ROOT = Path(__file__).parents[1]
_MIGRATE = alembic_steps.run
_ONE_AT_A_TIME = threading.Lock()
_templates: dict[str, sqlite3.Connection] = {}


def copied(name: str, file: str) -> bool:
    """Fill an empty file from the template of this name; returns whether it did."""
    template = _templates.get(name)
    if template is None or not is_empty(file):
        return False
    with closing(sqlite3.connect(file, timeout=30)) as target:
        template.backup(target)
    return True


def keep(name: str, file: str) -> None:
    """Make what a file holds the template of this name."""
    template = sqlite3.connect(":memory:", check_same_thread=False)
    with closing(sqlite3.connect(file, timeout=30)) as source:
        source.backup(template)
    _templates[name] = template


def is_empty(file: str) -> bool:
    """Whether a database has no table yet."""
    with closing(sqlite3.connect(file, timeout=30)) as found:
        return not found.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]


def migrate(database: Database, script_location: str, revision: str) -> None:
    """As `alembic_steps.run`, which it stands for."""
    file = str(database.url.database or "")
    ours = Path(script_location).is_relative_to(ROOT / "services") and revision == "head"
    if not (database.is_sqlite and file and ours):
        _MIGRATE(database, script_location, revision)
        return
    with _ONE_AT_A_TIME:
        if copied(script_location, file):
            return
        fresh = is_empty(file)
        _MIGRATE(database, script_location, revision)
        if fresh:
            keep(script_location, file)


alembic_steps.run = migrate
