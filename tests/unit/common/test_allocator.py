"""What a process of its own does with memory that it has freed."""

import subprocess
import sys

import pytest

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
