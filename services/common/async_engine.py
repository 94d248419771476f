"""SQLAlchemy's engine for asyncio, without its mapper of objects, which nothing here uses.

``sqlalchemy.ext.asyncio`` loads both, and every service would keep 6 MiB of mapper for nothing. The
engine is a module of its own that needs none of that. Whoever imports the package itself later gets
all of it, with the same engine.
"""

from __future__ import annotations

import sys
from contextlib import contextmanager
from importlib.util import find_spec, module_from_spec
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def _not_run(package: str) -> Iterator[None]:
    """Let modules of ``package`` be imported in the block without running its ``__init__``."""
    spec = None if package in sys.modules else find_spec(package)
    if spec is None:
        yield
        return
    sys.modules[package] = module_from_spec(spec)
    try:
        yield
    finally:
        del sys.modules[package]


with _not_run("sqlalchemy.ext.asyncio"):
    from sqlalchemy.ext.asyncio.engine import AsyncConnection, AsyncEngine, create_async_engine

__all__ = ["AsyncConnection", "AsyncEngine", "create_async_engine"]
