"""Memory of many threads, counted by the C library itself in a process of its own."""

import subprocess
import sys

import pytest

from services.common.heaps import HEAPS

# So many threads, each of which needs memory while all others are there.
_THREADS = 12
_PROGRAM = f"""
import ctypes, threading
from services.common.heaps import share_heaps
{{first}}
libc, all_here = ctypes.CDLL(None), threading.Barrier({_THREADS} + 1)
libc.malloc.restype = ctypes.c_void_p
def work():
    libc.malloc(5000)
    all_here.wait()
threads = [threading.Thread(target=work) for _ in range({_THREADS})]
for thread in threads:
    thread.start()
all_here.wait()
libc.malloc_stats()
"""


def heaps(first: str) -> int:
    """How many heaps a process has whose threads came after `first`."""
    command = [sys.executable, "-c", _PROGRAM.format(first=first)]
    said = subprocess.run(command, capture_output=True, text=True, check=True, timeout=50)
    return said.stderr.count("Arena ")


@pytest.mark.skipif(sys.platform != "linux", reason="only glibc has heaps of threads")
def test_threads_share_heaps_that_each_would_have_to_itself() -> None:
    assert heaps("share_heaps()") <= HEAPS < heaps("pass")
