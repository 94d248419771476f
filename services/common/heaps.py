"""How much memory the C library keeps for threads that need it no longer."""

import ctypes

HEAPS = 2
# From glibc's malloc.h, see mallopt(3).
_M_ARENA_MAX = -8


def share_heaps() -> None:
    """Hold all threads of this process to a few heaps; for ``main``, before there are threads.

    As it comes, glibc gives up to eight heaps to every core, and what is freed in one serves none
    of the others: a service with twenty threads kept 20 MiB of that, and more the longer it ran.
    Other C libraries do not do so, and are left alone.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_M_ARENA_MAX, HEAPS)
