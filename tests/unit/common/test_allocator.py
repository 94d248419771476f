"""What a process of its own does with memory, counted there."""

import subprocess
import sys

import pytest

from services.common.allocator import HEAPS

FILE_MOVED = """
import resource
from services.common.allocator import use_memory_again

if {told}:
    use_memory_again()
piece = 256 * 1024
for _ in range(20):
    held = [b"x" * piece for _ in range(4)]
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(200):
    del held
    held = [b"x" * piece for _ in range(4)]
print((resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before) / 200)
"""


def faults_for_each_mib(*, told: bool) -> float:
    script = FILE_MOVED.format(told=told)
    child = subprocess.run([sys.executable, "-c", script], capture_output=True, check=True)
    return float(child.stdout)


@pytest.mark.skipif(sys.platform != "linux", reason="other systems have other allocators")
def test_pieces_of_a_file_do_not_cost_new_pages() -> None:
    assert faults_for_each_mib(told=False) > 100, "the C library would do by itself what is asked"
    assert faults_for_each_mib(told=True) < 5


# So many threads, each of which needs memory while all others are there.
_THREADS = 12
_PROGRAM = f"""
import ctypes, threading
from services.common.allocator import share_heaps
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
