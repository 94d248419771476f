"""Spares the tests what a long process with thousands of clients would pay again and again.

A plugin of pytest. Nothing here changes what a test sees.
"""

import functools
import gc
import ssl
from collections.abc import Collection, Generator, Sequence
from typing import Any

import certifi
import pytest

from tests.run import WORKERS

# Session fixtures that are many processes, and have a method `rest`.
KEPT = ("kept_stack", "kept_suite")

_load = ssl.create_default_context


@functools.cache
def _trusted() -> ssl.SSLContext:
    return _load(cafile=certifi.where())


def _context(
    purpose: ssl.Purpose = ssl.Purpose.SERVER_AUTH, *, cafile: Any = None, **more: Any
) -> ssl.SSLContext:
    if purpose is ssl.Purpose.SERVER_AUTH and cafile == certifi.where() and not more:
        return _trusted()
    return _load(purpose, cafile=cafile, **more)


# Reading the authorities that everybody trusts takes 30 ms of each HTTP client: read them once.
ssl.create_default_context = _context


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Spare the garbage collector what 7,000 tests have loaded.

    It walks 650,000 objects that stay, again and again while they come; later each walk takes half
    a second and more in which a server of this process answers nobody.
    """
    gc.disable()
    try:
        return (yield)
    finally:
        gc.collect()
        gc.freeze()
        gc.enable()


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Let tests of one kept group of processes follow each other, each group in another worker.

    A worker begins with a third of all tests in a row, and loses some of its last to idle ones.
    """
    items[:] = gathered(items, KEPT)


def gathered(items: Sequence[pytest.Item], kept: Sequence[str]) -> list[pytest.Item]:
    """The same tests; those that use the first fixture of `kept` at the beginning, and so on."""
    groups = [[item for item in items if name in fixtures(item)] for name in kept]
    taken = {id(item) for group in groups for item in group}
    found = [item for item in items if id(item) not in taken]
    for number, group in enumerate(groups):
        place = number * len(items) // WORKERS
        found[place:place] = group
    return found


def fixtures(item: pytest.Item | None) -> Collection[str]:
    """Names of the fixtures that a test uses."""
    return getattr(item, "fixturenames", ())


@pytest.hookimpl(trylast=True)
def pytest_runtest_teardown(item: pytest.Item, nextitem: pytest.Item | None) -> None:
    """Stop kept processes that the next test of this worker is not about.

    They cost some hundredths of a core each while they stand; who needs them again starts them.
    """
    values = getattr(item, "funcargs", {})
    for name in KEPT:
        if name in values and name not in fixtures(nextitem):
            values[name].rest()
