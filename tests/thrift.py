"""Spares the tests what a long process with thousands of clients would pay again and again.

A plugin of pytest. Nothing here changes what a test sees.
"""

import functools
import gc
import ssl
from collections.abc import Generator
from typing import Any

import certifi
import pytest

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
