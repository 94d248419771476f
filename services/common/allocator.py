"""How the C library keeps memory in a process that moves large files through many threads."""

from __future__ import annotations

import ctypes

# glibc's <malloc.h>
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD, _M_ARENA_MAX = -1, -3, -8
_KEPT_BYTES = 2 * 1024 * 1024
_LARGE_BYTES = 1024 * 1024


def use_memory_again() -> None:
    """Let pieces of a file be taken from memory that others have just left; for ``main`` alone.

    By itself glibc gives what is freed back to the kernel at every chance, which then clears it
    page by page: 256 faults for each MiB received. And it opens up to eight heaps for each core,
    one for every thread that comes, each with room of its own. Other C libraries are left alone.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_M_ARENA_MAX, 1)
        mallopt(_M_MMAP_THRESHOLD, _LARGE_BYTES)
        mallopt(_M_TRIM_THRESHOLD, _KEPT_BYTES)
