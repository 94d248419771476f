"""What the container may use and does use, by control groups of both versions.

Of version 2 the files of the container's own group are read, as the kernel describes them in
Documentation/admin-guide/cgroup-v2.rst; of version 1 those of `cpu`, `cpuacct` and `memory`, see
Documentation/admin-guide/cgroup-v1. What a process outside any container sees there has no limits.
"""

from dataclasses import dataclass
from pathlib import Path

ROOT = Path("/sys/fs/cgroup")
_NANOS = 1_000_000_000
_MICROS = 1_000_000


@dataclass(frozen=True)
class Container:
    """The control group that this process runs in."""

    root: Path = ROOT

    def cores(self) -> float | None:
        """Its quota in cores; None where it has none."""
        new = self._words("cpu.max")
        if new and new[0].isdigit():
            return int(new[0]) / int(new[1])
        quota, period = (self._number(f"cpu/cpu.cfs_{name}_us") for name in ("quota", "period"))
        return quota / period if quota and period else None

    def cpu_seconds(self) -> float | None:
        """CPU time that it has used so far, in seconds; None where nobody counts it."""
        used = self._facts("cpu.stat").get("usage_usec")
        if used is not None:
            return used / _MICROS
        old = self._number("cpuacct/cpuacct.usage")
        return None if old is None else old / _NANOS

    def memory(self) -> tuple[int, int] | None:
        """Bytes in use and bytes allowed; None where it has no limit.

        Pages of files that were not used for a while (`inactive_file`) are not counted: the kernel
        takes them back as soon as somebody needs the room, and writing films leaves many.
        """
        limit, used = self._number("memory.max"), self._number("memory.current")
        idle = self._facts("memory.stat").get("inactive_file", 0)
        if limit is None and used is None:
            limit = self._number("memory/memory.limit_in_bytes")
            used = self._number("memory/memory.usage_in_bytes")
            idle = self._facts("memory/memory.stat").get("total_inactive_file", 0)
        return (max(used - idle, 0), limit) if used is not None and limit else None

    def _number(self, name: str) -> int | None:
        words = self._words(name)
        return int(words[0]) if words and words[0].isdigit() else None

    def _facts(self, name: str) -> dict[str, int]:
        words = self._words(name)
        pairs = zip(words[::2], words[1::2], strict=False)
        return {key: int(value) for key, value in pairs if value.isdigit()}

    def _words(self, name: str) -> list[str]:
        try:
            return (self.root / name).read_text().split()
        except OSError:
            return []
