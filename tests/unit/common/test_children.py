"""Children are spoken to through pipes, and none outlives whoever it must die with."""

import asyncio
import os
import signal
import subprocess
import sys
import threading
import time
from typing import Any

import pytest
import uvloop

from services.common.children import dying_with_parent, spawn

_ECHO = "import sys\nfor line in sys.stdin: sys.stdout.write(line.upper()); sys.stdout.flush()"


async def test_a_child_answers_and_leaves_when_its_input_ends() -> None:
    child = await spawn([sys.executable, "-c", _ECHO])
    child.stdin.write(b"one\n" + b"x" * 50_000 + b"\n")
    await child.stdin.drain()
    assert await child.stdout.readline() == b"ONE\n"
    assert len(await child.stdout.readline()) == 50_001
    assert child.alive
    assert await child.wait() == 0
    assert not child.alive
    assert await child.stdout.read() == b""


async def test_a_killed_child_is_dead_at_once_and_its_output_ends() -> None:
    child = await spawn([sys.executable, "-c", _ECHO])
    child.kill()
    assert await child.wait() == -signal.SIGKILL
    child.kill()
    assert await child.stdout.readline() == b""


async def test_the_end_of_what_a_child_said_is_kept_and_never_holds_it_up() -> None:
    """A full pipe that nobody reads would stop it for good."""
    talk = "import sys; sys.stderr.write('x' * 500_000 + '\\nlast words\\n')"
    child = await spawn([sys.executable, "-c", talk])
    assert await child.wait() == 0
    words = await child.last_words()
    assert words.splitlines()[-1] == "last words"
    assert len(words) <= 8 * 1024


async def test_a_program_that_is_not_there_is_told() -> None:
    with pytest.raises(FileNotFoundError):
        await spawn(["/nowhere/program"])


@pytest.mark.parametrize("turns", range(9))
async def test_who_is_cancelled_while_a_child_begins_leaves_none(
    monkeypatch: pytest.MonkeyPatch, turns: int
) -> None:
    """`turns` of the event loop later its pipes are connected, one after the other."""
    begun: list[subprocess.Popen[bytes]] = []

    class Noted(subprocess.Popen[bytes]):
        def __init__(self, *args: Any, **more: Any) -> None:
            super().__init__(*args, **more)
            begun.append(self)

    monkeypatch.setattr(subprocess, "Popen", Noted)
    beginning = asyncio.create_task(spawn([sys.executable, "-c", "import time; time.sleep(60)"]))
    for _ in range(turns):
        await asyncio.sleep(0)
    beginning.cancel()
    try:
        child = await beginning
    except asyncio.CancelledError:
        assert turns == 0 or begun
        assert all(process.returncode is not None for process in begun)
        await asyncio.to_thread(lambda: None)  # its pipes end meanwhile
    else:
        child.kill()
        await child.wait()


_PARENT = """
import subprocess, sys, time
from services.common.children import dying_with_parent
child = subprocess.Popen(dying_with_parent([sys.executable, "-c", "import time; time.sleep(60)"]))
print(child.pid, flush=True)
time.sleep(60)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux signals the death of a parent")
def test_a_child_dies_with_a_parent_that_is_killed() -> None:
    with subprocess.Popen([sys.executable, "-c", _PARENT], stdout=subprocess.PIPE) as parent:
        assert parent.stdout is not None
        pid = int(parent.stdout.readline())
        parent.kill()
    deadline = time.monotonic() + 30
    while _runs(pid):
        assert time.monotonic() < deadline
        time.sleep(0.02)


def _runs(pid: int) -> bool:
    try:
        os.kill(pid, 0)
        with open(f"/proc/{pid}/stat", encoding="ascii") as stat:
            return stat.read().rpartition(")")[2].split()[0] != "Z"
    except (ProcessLookupError, FileNotFoundError):
        return False


def test_the_command_runs_the_program_with_its_arguments() -> None:
    command = dying_with_parent([sys.executable, "-c", "import sys; print(sys.argv[1:])", "a b"])
    assert subprocess.check_output(command, text=True) == "['a b']\n"


def test_a_child_that_ends_closes_no_file_of_another_thread() -> None:
    """uvloop closes a pipe by its number first, and its object when others may have the number."""
    lost, over = list[OSError](), threading.Event()

    def open_and_close() -> None:
        while not over.is_set():
            for number in [os.open(os.devnull, os.O_RDONLY) for _ in range(4)]:
                try:
                    os.close(number)
                except OSError as error:
                    lost.append(error)

    async def children() -> None:
        for _ in range(40):
            child = await spawn([sys.executable, "-S", "-c", "input()"])
            await child.wait()
            await child.stdout.read()
            await child.last_words()

    threads = [threading.Thread(target=open_and_close) for _ in range(3)]
    for thread in threads:
        thread.start()
    try:
        uvloop.run(children())
    finally:
        over.set()
        for thread in threads:
            thread.join()
    assert lost == []
