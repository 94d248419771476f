"""A worker dies with whoever it works for, and what it said is in the log."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from services.common.errors import Internal, Unavailable
from services.generator.engines.media_room import MODULE
from services.generator.engines.workers import Worker, Workers
from tests.fakes.logs import logged

CHECK = {"kind": "check", "task": {"media": {"url": "https://example.com/any"}}}
_PARENT = """
import asyncio, json, sys
from services.generator.engines.workers import Worker

async def main():
    worker = await Worker.start(sys.argv[1])
    print(worker.pid, flush=True)
    await worker.ask(json.loads(sys.argv[2]), lambda _: None)

asyncio.run(main())
"""


def order(media: Path) -> dict[str, object]:
    files = {"media": [str(media)], "captions": [None], "alike": [None]}
    return {**CHECK, "files": files, "path": str(media.with_suffix(".json"))}


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux signals the death of a parent")
def test_a_worker_that_reports_nothing_dies_with_a_generator_that_is_killed(tmp_path: Path) -> None:
    """It reads from a pipe that gives nothing: no answer would ever meet a broken one."""
    pipe = tmp_path / "media"
    os.mkfifo(pipe)
    argv = [sys.executable, "-c", _PARENT, MODULE, json.dumps(order(pipe))]
    with subprocess.Popen(argv, stdout=subprocess.PIPE) as parent:
        assert parent.stdout is not None
        pid = int(parent.stdout.readline())
        with _killed_at_last(pid), _opened(pipe):
            assert _runs(pid)
            parent.kill()
            parent.wait()
            _until_gone(pid)


async def test_why_a_worker_could_not_do_it_is_in_the_log(tmp_path: Path) -> None:
    workers = Workers(MODULE, 1)
    with logged() as events, pytest.raises(Internal):
        async with workers.one() as worker:
            await worker.ask({**order(tmp_path / "gone"), "kind": "of no kind"}, lambda _: None)
    await workers.close()
    assert [line["event"] for line in events] == ["a worker failed"]
    assert "in carry_out" in events[0]["trace"]


async def test_what_a_worker_said_before_it_died_is_in_the_log_and_not_for_callers(
    tmp_path: Path,
) -> None:
    worker = await Worker.start("tests.fakes.no_such_module")
    with logged() as events, pytest.raises(Unavailable) as told:
        await worker.ask(order(tmp_path / "any"), lambda _: None)
    await worker.kill()
    assert "No module named" in events[0]["stderr"]
    assert str(told.value).startswith("the worker died ")
    assert "no_such_module" not in str(told.value)


@contextmanager
def _opened(pipe: Path) -> Iterator[None]:
    """The writing end, held open from when somebody reads."""
    deadline = time.monotonic() + 40
    while True:
        try:
            end = os.open(pipe, os.O_WRONLY | os.O_NONBLOCK)
            break
        except OSError:  # nobody reads yet
            assert time.monotonic() < deadline
            time.sleep(0.02)
    try:
        yield
    finally:
        os.close(end)


@contextmanager
def _killed_at_last(pid: int) -> Iterator[None]:
    try:
        yield
    finally:
        if _runs(pid):
            os.kill(pid, signal.SIGKILL)


def _until_gone(pid: int) -> None:
    deadline = time.monotonic() + 20
    while _runs(pid):
        assert time.monotonic() < deadline, "the worker goes on"
        time.sleep(0.02)


def _runs(pid: int) -> bool:
    try:
        status = Path(f"/proc/{pid}/stat").read_text(encoding="ascii")
    except (ProcessLookupError, FileNotFoundError):
        return False
    return status.rpartition(")")[2].split()[0] != "Z"
