"""Tests that were only late pass alone and are named; what is broken fails, with pytest's code."""

import json
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from tests import run

ROOT = Path(__file__).parents[2]
LATE = """
from pathlib import Path
def test_late():
    seen = Path("seen")
    before, _ = seen.exists(), seen.touch()
    assert before
def test_good():
    pass
"""
BROKEN = "def test_broken():\n    assert False\n"
UNREADABLE = "import nothing_of_this_name\n"
LOUD = """
def test_loud():
    for number in range(500):
        print(f"line {number}")
    assert False, "why"
"""


class Pytest:
    """Answers with these exit codes in turn; what failed lies in the cache as pytest leaves it."""

    def __init__(self, failed: Sequence[str], *codes: int) -> None:
        self.runs: list[list[str]] = []
        self._failed = failed
        self._codes: Iterator[int] = iter(codes)

    def __call__(self, arguments: Sequence[str]) -> int:
        self.runs.append(list(arguments))
        file = run.CACHE / "v/cache/lastfailed"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps(dict.fromkeys(self._failed, True)))
        return next(self._codes)


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_when_all_pass_nothing_is_run_again() -> None:
    ran = Pytest([], 0)
    assert run.main(["-x"], ran) == 0
    [arguments] = ran.runs
    assert arguments[-1] == "-x"


def test_what_passes_alone_is_named_and_the_run_has_passed(
    capsys: pytest.CaptureFixture[str],
) -> None:
    ran = Pytest(["a.py::one[x::y]", "b.py::two"], 1, 0)
    assert run.main([], ran) == 0
    assert ran.runs[1][-2:] == ["a.py::one[x::y]", "b.py::two"]
    assert ran.runs[1][:2] == ["-n", "0"]
    written = capsys.readouterr().out.splitlines()
    assert written[-2:] == [
        "failed under load, passed alone: a.py::one[x::y]",
        "failed under load, passed alone: b.py::two",
    ]


@pytest.mark.parametrize("code", [1, 2, 4, 5])
def test_what_does_not_pass_alone_either_fails_the_run(
    code: int, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run.main([], Pytest(["a.py::one"], 1, code)) == code
    assert "passed alone" not in capsys.readouterr().out


def test_more_than_five_failures_are_no_accident() -> None:
    ran = Pytest([f"a.py::test_{number}" for number in range(6)], 1)
    assert run.main([], ran) == 1
    assert len(ran.runs) == 1


@pytest.mark.parametrize("failed", [["a.py", "b.py::two"], []])
def test_a_file_that_cannot_be_read_and_a_failure_without_a_test_fail(failed: list[str]) -> None:
    ran = Pytest(failed, 1)
    assert run.main([], ran) == 1
    assert len(ran.runs) == 1


@pytest.mark.parametrize("code", [2, 3, 4, 5])
def test_a_run_that_did_not_end_in_order_is_not_tried_again(code: int) -> None:
    ran = Pytest(["a.py::one"], code)
    assert run.main([], ran) == code
    assert len(ran.runs) == 1


def test_failures_of_an_earlier_run_are_not_taken_for_this_ones() -> None:
    Pytest(["old.py::one"], 1)([])
    assert "--cache-clear" in run.BESIDE_OTHERS
    assert "--cache-clear" not in run.ALONE


@pytest.mark.parametrize(
    ("files", "code", "told"),
    [
        ({"test_late.py": LATE}, 0, "failed under load, passed alone: test_late.py::test_late"),
        ({"test_late.py": LATE, "test_broken.py": BROKEN}, 1, "failed again"),
        ({"test_good.py": "def test_good(): ...", "test_a.py": UNREADABLE}, 1, "test_a.py"),
    ],
    ids=["late", "broken", "unreadable"],
)
def test_the_real_pytest_is_understood(
    files: dict[str, str], code: int, told: str, tmp_path: Path
) -> None:
    ended = run_tree(tmp_path, files)
    assert (ended.returncode != 0) == (code != 0), ended.stdout
    assert told in ended.stdout
    assert ("passed alone" in ended.stdout) == (code == 0)


def test_a_failure_ends_the_output_with_its_last_lines_and_leaves_the_whole_in_a_file(
    tmp_path: Path,
) -> None:
    hook = "from tests.failure_reports import pytest_runtest_makereport\n"
    written = run_tree(tmp_path, {"conftest.py": hook, "test_loud.py": LOUD}).stdout
    beside = written.partition("once more")[0]
    assert beside.count("line 4") >= 60  # 440 to 499
    assert "line 439" not in beside
    assert beside.index("test_loud.py::test_loud - AssertionError: why") > beside.index("line 499")
    [file] = (tmp_path / "build/failures").iterdir()
    assert f"the whole is in build/failures/{file.name}" in beside
    assert "line 0\nline 1\n" in file.read_text()


def run_tree(folder: Path, files: dict[str, str]) -> subprocess.CompletedProcess[str]:
    """Run small tests as `make test` runs ours, one worker being enough."""
    for name, text in {"pytest.ini": "[pytest]\n", **files}.items():
        (folder / name).write_text(text)
    command = [sys.executable, "-m", "tests.run", "-n", "1", "-ra"]
    # Of pytest's plugins the one that these need: the others take longer to load than the tests.
    quick = {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "PYTEST_PLUGINS": "xdist.plugin"}
    env = {"PYTHONPATH": str(ROOT), **quick}
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, env=env)
