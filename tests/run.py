"""Runs tests on three workers; what failed beside others is tried once more, alone.

`python -m tests.run [options of pytest]`, as `make test` does; docs/decisions/0027 says why. The
exit code is pytest's: 0 only when every test has passed, beside others or alone.
"""

import json
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

# A cache of its own, emptied by every run: it then names the failures of this run and no others.
CACHE = Path("build/pytest")
KEPT_IN = ["-o", f"cache_dir={CACHE}"]
WORKERS = 3
BESIDE_OTHERS = ["-n", f"{WORKERS}", "--dist", "worksteal", "-q", *KEPT_IN, "--cache-clear"]
ALONE = ["-n", "0", "-q", *KEPT_IN]
# More than this is no accident of a busy machine.
MOST = 5


def main(options: Sequence[str], run: Callable[[Sequence[str]], int]) -> int:
    """Test, and test again what may only have been late; returns the exit code.

    Args:
        options: further options of pytest for the first run, or paths.
        run: runs pytest with the arguments given and returns its exit code.
    """
    code = run([*BESIDE_OTHERS, *options])
    failed = failures() if code == pytest.ExitCode.TESTS_FAILED else []
    if not 0 < len(failed) <= MOST or not all("::" in name for name in failed):
        return code  # all passed, or too many failed, or a file could not be read
    print(f"\n{len(failed)} failed beside others: once more, alone", flush=True)
    code = run([*ALONE, *failed])
    outcome = "failed again alone, or another did" if code else "failed under load, passed alone"
    for name in failed:
        print(f"{outcome}: {name}", flush=True)
    return code


def failures() -> list[str]:
    """What failed in the last run: tests, and files that could not be read (without `::`)."""
    file = CACHE / "v/cache/lastfailed"
    return sorted(json.loads(file.read_text())) if file.exists() else []


def run_pytest(arguments: Sequence[str]) -> int:
    """Run pytest in a process of its own; returns its exit code."""
    return subprocess.run([sys.executable, "-m", "pytest", *arguments], check=False).returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], run_pytest))
