"""The object store goes away under jobs: they wait in stage STORING, and end once it is back."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from urllib.parse import urlsplit

import httpx
import pytest

from tests.chaos.test_cancel import begin
from tests.fakes.tcp_proxy import TcpProxy
from tests.servers import Bucket, Nats
from tests.servers.process import free_ports
from tests.stack import Client, Stack
from tests.stack.waiting import until

pytestmark = pytest.mark.timeout(180)


@pytest.fixture
def listening() -> int:
    [port] = free_ports(1)
    return port


@pytest.fixture
def stack(s3: Bucket, listening: int) -> Iterator[Stack]:
    [metrics] = free_ports(1)
    nats = Nats()
    env = {
        "S3_BUCKET_NAME": s3.bucket,
        "AWS_ENDPOINT_URL_S3": f"http://127.0.0.1:{listening}",
        "AWS_ACCESS_KEY_ID": s3.access_key,
        "AWS_SECRET_ACCESS_KEY": s3.secret_key,
        "STORAGE_FLUSH_EVERY": "PT0.2S",
        "STORAGE_METRICS_ADDRESS": f"127.0.0.1:{metrics}",
    }
    stack = Stack(nats, env=env)
    try:
        # There is no store yet: the spool stands in for it.
        stack.start()
        yield stack
    finally:
        stack.close()
        nats.close()


@pytest.fixture
async def proxy(s3: Bucket, listening: int) -> AsyncIterator[TcpProxy]:
    target = urlsplit(s3.endpoint_url).port
    assert target is not None
    async with TcpProxy(target).serving(listening) as proxy:
        yield proxy


@pytest.fixture
async def client(stack: Stack) -> AsyncIterator[Client]:
    async with stack.client() as client:
        yield client


async def metric(stack: Stack, name: str) -> float:
    address = stack["storage"].env["STORAGE_METRICS_ADDRESS"]
    async with httpx.AsyncClient() as anybody:
        lines = (await anybody.get(f"http://{address}/metrics")).text.splitlines()
    found = [line for line in lines if line.startswith(name)]
    return float(found[0].split()[-1]) if found else -1.0


@pytest.mark.parametrize("count", [1, pytest.param(3, marks=pytest.mark.stress)])
async def test_jobs_wait_to_be_stored_and_nothing_is_lost_or_made_twice(
    stack: Stack, client: Client, proxy: TcpProxy, s3: Bucket, count: int
) -> None:
    proxy.leave()
    names = [await begin(client, 1) for _ in range(count)]

    async def all_wait() -> bool:
        jobs = [await client.get(name) for name in names]
        return all(job.stage == job.STAGE_STORING for job in jobs)

    await until(all_wait, 60)
    jobs = [await client.get(name) for name in names]
    assert {job.state for job in jobs} == {jobs[0].STATE_RUNNING}
    assert all(job.progress_percent < 100 for job in jobs)

    async def told() -> bool:
        up = await metric(stack, "reelmesh_object_store_up")
        return up == 0 and await metric(stack, "reelmesh_spool_bytes") > 0

    await until(told, 30)
    proxy.away = False
    ended = await asyncio.gather(*(client.end(name) for name in names))
    assert {job.state for job in ended} == {ended[0].STATE_SUCCEEDED}
    keys = [item["Key"] for item in s3.client().list_objects_v2(Bucket=s3.bucket)["Contents"]]
    films = [key for key in keys if ".mp4" in key and ".preview" not in key]
    assert len(films) == count
    assert {job.results[0].s3_url for job in ended} == {f"s3://{s3.bucket}/{k}" for k in films}
    for name in names:
        stack.evidence.assert_ended_once(name)
        assert len(stack.evidence.generations(name)) == 1
