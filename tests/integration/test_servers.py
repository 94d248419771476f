"""The test servers are real, separate per test, and do not outlive pytest."""

import asyncio
import os
import shutil
import signal
import subprocess
import sys
import textwrap
import time
import urllib.error
import urllib.request
from pathlib import Path

import nats
import nats.js.api
import psutil
import psycopg
import pytest

from tests.servers import Bucket, Nats

pytestmark = pytest.mark.timeout(60)


async def test_nats_keeps_what_was_published_over_a_kill(nats_server: Nats) -> None:
    client = await nats.connect(nats_server.url, max_reconnect_attempts=-1, reconnect_time_wait=0.1)
    stream = client.jetstream()
    await stream.add_stream(nats.js.api.StreamConfig(name="KEPT", subjects=["kept.>"]))
    await stream.publish("kept.one", b"first")
    await client.close()

    await nats_server.restart()

    client = await nats.connect(nats_server.url)
    message = await client.jetstream().get_last_msg("KEPT", "kept.one")
    assert message.data == b"first"
    await client.close()


async def test_nats_is_there_for_the_whole_session(nats_url: str) -> None:
    client = await nats.connect(nats_url)
    subscription = await client.subscribe("hello")
    await client.publish("hello", b"there")
    assert (await subscription.next_msg(timeout=30)).data == b"there"
    await client.close()


def test_postgres_is_version_18_with_vectors(postgres_url: str) -> None:
    with psycopg.connect(postgres_url) as connection:
        connection.execute("CREATE EXTENSION vector")
        row = connection.execute("SELECT current_setting('server_version_num')").fetchone()
        assert row is not None
        assert int(row[0]) >= 180000 or "TEST_DATABASE_URL" in os.environ  # noqa: TID251 - another server


@pytest.mark.parametrize("turn", [1, 2])
def test_each_test_has_an_empty_database(postgres_url: str, turn: int) -> None:
    with psycopg.connect(postgres_url, autocommit=True) as connection:
        connection.execute(f"CREATE TABLE only_mine AS SELECT {turn} AS turn")


def test_a_database_url_names_each_engine(database_url: str) -> None:
    assert database_url.startswith(("sqlite:///", "postgresql://"))


@pytest.mark.parametrize("turn", [1, 2])
def test_each_test_has_an_empty_bucket(s3: Bucket, turn: int) -> None:
    client = s3.client()
    assert "Contents" not in client.list_objects_v2(Bucket=s3.bucket)
    client.put_object(Bucket=s3.bucket, Key="clip.mp4", Body=bytes([turn]) * 100_000)
    assert client.get_object(Bucket=s3.bucket, Key="clip.mp4")["Body"].read(1) == bytes([turn])


def test_s3_refuses_those_who_have_no_key(s3: Bucket) -> None:
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(f"{s3.endpoint_url}/{s3.bucket}?list-type=2", timeout=30)
    assert refused.value.code == 403
    refused.value.close()


def test_s3_over_https_takes_checksum_trailers(s3_tls: Bucket) -> None:
    client = s3_tls.client()
    client.put_object(Bucket=s3_tls.bucket, Key="a", Body=b"bytes", ChecksumAlgorithm="CRC32")
    assert s3_tls.endpoint_url.startswith("https://")
    head = client.head_object(Bucket=s3_tls.bucket, Key="a", ChecksumMode="ENABLED")
    assert head["ChecksumCRC32"]


async def test_no_server_outlives_a_killed_test_run(tmp_path: Path) -> None:
    script = """
        import time
        from tests.servers import Nats, Postgres, SeaweedFS
        from tests.servers.forked import FORKS
        from tests.servers.process import Server
        FORKS.set_forkserver_preload([])
        ours = Server("ours")
        ours.fork(["http.server", "0", "--bind", "127.0.0.1"])
        servers = [Nats(), Postgres(), SeaweedFS(), ours]
        pids, folders = zip(*((each.pid, each.directory) for each in servers))
        print(*pids, *folders, flush=True)
        time.sleep(60)
    """
    parent = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(script)],
        cwd=Path(__file__).parents[2],
        stdout=subprocess.PIPE,
        text=True,
    )
    assert parent.stdout is not None
    words = parent.stdout.readline().split()
    pids, folders = [int(word) for word in words[:4]], words[4:]
    assert all(psutil.pid_exists(pid) for pid in pids)

    parent.send_signal(signal.SIGKILL)
    parent.wait()
    parent.stdout.close()

    deadline = time.monotonic() + 30
    while any(_runs(pid) for pid in pids):
        assert time.monotonic() < deadline, "a server lives on"
        await asyncio.sleep(0.05)
    for folder in folders:
        shutil.rmtree(folder)


def _runs(pid: int) -> bool:
    try:
        return bool(psutil.Process(pid).status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False
