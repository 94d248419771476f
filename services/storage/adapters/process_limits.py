"""Bounds of a process that reads untrusted media: what asks for more does not get it."""

from __future__ import annotations

import errno
import resource
from contextlib import suppress
from pathlib import Path

# What the kernel says where there is no room for more of a file.
FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})

# Address space of all that the libraries map and of a few of the largest pictures.
_MEMORY_BYTES = 2 * 1024**3
# Longer than anybody waits for one file, on every core: an orphan that spins ends as well.
CPU_SECONDS = 3600


_SCORE = Path("/proc/self/oom_score_adj")
_FIRST_TO_GO = "1000"


def bound_memory() -> None:
    """Let allocations fail beyond the bound, and leave no core file of somebody's film.

    Where the whole machine or container has no memory left, the kernel ends this process first
    (proc_pid_oom_score_adj(5)), and not the service with all that it has under way.
    """
    with suppress(OSError):  # not every container shows it
        _SCORE.write_text(_FIRST_TO_GO)
    resource.setrlimit(resource.RLIMIT_AS, (_MEMORY_BYTES, _MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def allow_time(seconds: int = CPU_SECONDS) -> None:
    """Let the process compute for so long from now on; the kernel ends it after that."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    _, most = resource.getrlimit(resource.RLIMIT_CPU)
    wanted = round(used.ru_utime + used.ru_stime) + seconds
    allowed = wanted if most == resource.RLIM_INFINITY else min(wanted, most)
    resource.setrlimit(resource.RLIMIT_CPU, (allowed, most))
