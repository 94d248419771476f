"""How the C library keeps memory: its heaps, and what it does with what was freed.

Only glibc is told; other C libraries do not do what is turned off here, and are left alone.
"""

from __future__ import annotations

import ctypes

HEAPS = 2
# glibc's <malloc.h>, see mallopt(3)
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD, _M_ARENA_MAX = -1, -3, -8
_KEPT_BYTES = 2 * 1024 * 1024
_LARGE_BYTES = 1024 * 1024


def share_heaps(most: int = HEAPS) -> None:
    """Hold all threads of this process to a few heaps; for ``main``, before there are threads.

    By itself glibc gives up to eight heaps to every core, and what is freed in one serves none of
    the others: a service with twenty threads kept 20 MiB of that, and more the longer it ran.
    """
    _tell(_M_ARENA_MAX, most)


def use_memory_again() -> None:
    """Let pieces of a file be taken from memory that others have just left; for ``main`` alone.

    By itself glibc gives what is freed back to the kernel at every chance, which then clears it
    page by page: 256 faults for each MiB received.
    """
    share_heaps(1)
    _tell(_M_MMAP_THRESHOLD, _LARGE_BYTES)
    _tell(_M_TRIM_THRESHOLD, _KEPT_BYTES)


def _tell(option: int, value: int) -> None:
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(option, value)
