"""Tenants bring keys of their own: who uses which, while keys come and go under running work."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from google.protobuf.duration_pb2 import Duration
from pydantic import SecretStr
from typer.testing import CliRunner, Result

from reelmesh.generator.v1 import generation_pb2, model_pb2
from reelmesh.generator.v1 import generator_service_pb2 as pb
from reelmesh.generator.v1 import vendor_key_service_pb2 as keys_pb
from reelmesh.generator.v1.generator_service_pb2_grpc import GeneratorServiceStub
from reelmesh.generator.v1.vendor_key_service_pb2_grpc import VendorKeyServiceStub
from services.common.channels import Channel
from services.common.errors import FailedPrecondition, InvalidArgument, NotFound
from services.common.identity import Identity, IdentitySigner
from services.generator.__main__ import running
from services.generator.adapters.fernet_sealing import FernetSealing
from services.generator.settings import Settings
from services.storage.__main__ import running as storage_running
from services.storage.settings import Settings as StorageSettings
from services.suite.cli import app
from services.suite.data_dir import new_vendor_keys_secret
from tests.fakes.counting_vendor import KEY, CountingVendor
from tests.fakes.waiting import until

pytestmark = pytest.mark.timeout(60)
State = generation_pb2.Generation.State
SIGNING = "a signing key for the tests alone"
SEALING = new_vendor_keys_secret()
ENDS = (State.STATE_SUCCEEDED, State.STATE_FAILED)
MODEL = "runway_gen4_5"


class Tenant:
    """One tenant's view of the generator."""

    def __init__(self, channel: Channel) -> None:
        self.generator: Any = GeneratorServiceStub(channel)
        self.keys: Any = VendorKeyServiceStub(channel)

    async def bring(self, secret: str, vendor: str = "runway", **more: Any) -> Any:
        request = keys_pb.CreateVendorKeyRequest(vendor=vendor, secrets={"api_key": secret}, **more)
        return (await self.keys.CreateVendorKey(request)).vendor_key

    async def held(self) -> list[Any]:
        found = await self.keys.ListVendorKeys(keys_pb.ListVendorKeysRequest())
        return list(found.vendor_keys)

    async def begin(self, request_id: str) -> Any:
        task = generation_pb2.VideoTask(
            prompt="a heron", duration=Duration(seconds=5), aspect_ratio="16:9", resolution="720p"
        )
        request = pb.CreateGenerationRequest(
            request_id=request_id, model=MODEL, task=generation_pb2.Task(video=task)
        )
        return (await self.generator.CreateGeneration(request)).generation.name

    async def end(self, name: str) -> Any:
        async for told in self.generator.WatchGeneration(pb.WatchGenerationRequest(name=name)):
            if told.generation.state in ENDS:
                return told.generation
        raise AssertionError("the watch ended first")

    async def availability(self, model: str = MODEL) -> str:
        rows = (await self.generator.ListModels(pb.ListModelsRequest())).models
        [row] = [row for row in rows if row.id == model]
        word = model_pb2.Model.Availability.Name(row.availability)
        return word.removeprefix("AVAILABILITY_")


@asynccontextmanager
async def tenant(address: str, name: str) -> AsyncIterator[Tenant]:
    async with Channel(address, IdentitySigner(SIGNING), identity=Identity(name)) as channel:
        yield Tenant(channel)


@pytest.fixture
async def vendor() -> AsyncIterator[CountingVendor]:
    async with CountingVendor(good_keys={KEY, "acme-first", "acme-second"}).serving() as found:
        yield found


@pytest.fixture
async def storage_address(tmp_path: Path) -> AsyncIterator[str]:
    settings = StorageSettings(
        address="127.0.0.1:0", data_dir=tmp_path / "storage", signing_key=SecretStr(SIGNING)
    )
    async with storage_running(settings) as address:
        yield address


@pytest.fixture
def settings(tmp_path: Path, storage_address: str, vendor: CountingVendor) -> Settings:
    return Settings(
        address="127.0.0.1:0",
        data_dir=tmp_path,
        database_url="",
        storage_address=storage_address,
        signing_key=SecretStr(SIGNING),
        vendor_keys_secret=SecretStr(SEALING),
        vendors={"RUNWAY_BASE_URL": vendor.url},
        poll_seconds=0.05,
        heartbeat_seconds=0.2,
        lease_seconds=1,
        drain_grace=1,
        circuit_failures=1,
        result_allowed_hosts=frozenset({vendor.url.removeprefix("http://")}),
    )


async def test_a_key_opens_models_for_the_tenant_who_brought_it_alone(settings) -> None:
    async with (
        running(settings) as address,
        tenant(address, "acme") as acme,
        tenant(address, "globex") as globex,
    ):
        assert await acme.availability() == "NO_CREDENTIALS"
        key = await acme.bring("acme-first", display_name="until June")
        assert (key.vendor, key.display_name) == ("runway", "until June")
        assert await acme.availability() == "READY"
        assert await globex.availability() == "NO_CREDENTIALS"
        assert [one.name for one in await acme.held()] == [key.name]
        assert await globex.held() == []
        with pytest.raises(NotFound):
            await globex.keys.DeleteVendorKey(keys_pb.DeleteVendorKeyRequest(name=key.name))
        done = await acme.end(await acme.begin("r1"))
        assert done.state == State.STATE_SUCCEEDED, done.error
        await acme.keys.DeleteVendorKey(keys_pb.DeleteVendorKeyRequest(name=key.name))
        assert await acme.held() == []
        assert await acme.availability() == "NO_CREDENTIALS"


async def test_running_work_ends_with_the_key_that_it_began_with(settings, vendor) -> None:
    vendor.looks_until_done = 10**9
    async with running(settings) as address, tenant(address, "acme") as acme:
        first = await acme.bring("acme-first")
        name = await acme.begin("r1")
        await until(lambda: vendor.jobs and next(iter(vendor.jobs.values())).looks)
        second = await acme.bring("acme-second")
        await acme.keys.DeleteVendorKey(keys_pb.DeleteVendorKeyRequest(name=first.name))
        held = {one.name: one.HasField("revoke_time") for one in await acme.held()}
        assert held == {second.name: False, first.name: True}
        assert vendor.keys_seen == {"Bearer acme-first"}
    # The generator is restarted in between: the key is found again by its name in the row.
    vendor.looks_until_done = 1
    async with running(settings) as address, tenant(address, "acme") as acme:
        done = await acme.end(name)
        assert done.state == State.STATE_SUCCEEDED, done.error
        assert vendor.keys_seen == {"Bearer acme-first"}
        other = await acme.end(await acme.begin("r2"))
        assert other.state == State.STATE_SUCCEEDED, other.error
        assert vendor.keys_seen == {"Bearer acme-first", "Bearer acme-second"}
    assert len(vendor.bill) == 2


async def test_a_bad_key_of_one_tenant_rests_the_vendor_for_nobody_else(settings, vendor) -> None:
    shared = settings.model_copy(update={"vendors": {**settings.vendors, "RUNWAY_API_KEY": KEY}})
    async with (
        running(shared) as address,
        tenant(address, "acme") as acme,
        tenant(address, "globex") as globex,
    ):
        await acme.bring("no-such-key")
        failed = await acme.end(await acme.begin("r1"))
        assert failed.state == State.STATE_FAILED
        assert await acme.availability() == "CIRCUIT_OPEN"
        assert await globex.availability() == "READY"
        done = await globex.end(await globex.begin("r1"))
        assert done.state == State.STATE_SUCCEEDED, done.error
    assert vendor.keys_seen == {"Bearer no-such-key", f"Bearer {KEY}"}


@pytest.mark.parametrize(
    ("request_", "field"),
    [
        (keys_pb.CreateVendorKeyRequest(vendor="nobody", secrets={"api_key": "k"}), "vendor"),
        (keys_pb.CreateVendorKeyRequest(vendor="runway"), "secrets"),
        (keys_pb.CreateVendorKeyRequest(vendor="runway", secrets={"base_url": "k"}), "secrets"),
        (
            keys_pb.CreateVendorKeyRequest(vendor="runway", secrets={"api_key": "a\nb"}),
            "secrets.api_key",
        ),
        (
            keys_pb.CreateVendorKeyRequest(vendor="runway", secrets={"api_key": "ab "}),
            "secrets.api_key",
        ),
        (
            keys_pb.CreateVendorKeyRequest(
                vendor="runway", secrets={"api_key": "k"}, display_name="x" * 101
            ),
            "display_name",
        ),
    ],
)
async def test_a_key_that_cannot_be_one_is_refused_by_field(settings, request_, field) -> None:
    async with running(settings) as address, tenant(address, "acme") as acme:
        with pytest.raises(InvalidArgument) as caught:
            await acme.keys.CreateVendorKey(request_)
    assert caught.value.violations[0].field == field


async def test_without_an_encryption_key_none_are_taken_in(settings) -> None:
    plain = settings.model_copy(update={"vendor_keys_secret": SecretStr("")})
    async with running(plain) as address, tenant(address, "acme") as acme:
        with pytest.raises(FailedPrecondition, match="GENERATOR_VENDOR_KEYS_SECRET"):
            await acme.bring("acme-first")
        assert await acme.held() == []


def answered(ran: Result) -> Any:
    """The JSON that a command printed, among what the service logs beside it."""
    [line] = [line for line in ran.stdout.splitlines() if line.startswith(("{", "["))]
    return json.loads(line)


async def test_keys_come_and_go_by_the_command_line(settings) -> None:
    async def reelmesh(*words: str, typed: str = "") -> Result:
        environment = {"GENERATOR_ADDRESS": address, "COLUMNS": "200"}
        ran: Result = await asyncio.to_thread(
            CliRunner().invoke, app, ["vendor-keys", *words], input=typed, env=environment
        )
        assert "typed-secret" not in ran.output
        return ran

    plain = settings.model_copy(update={"signing_key": SecretStr("")})
    async with running(plain) as address:
        added = await reelmesh("add", "runway", "--label", "June", "--json", typed="typed-secret\n")
        assert added.exit_code == 0, added.output
        name = answered(added)["name"]
        listed = await reelmesh("list", "--json")
        assert [row["name"] for row in answered(listed)] == [name]
        assert "June" in (await reelmesh("list")).stdout
        assert (await reelmesh("remove", name)).exit_code == 0
        assert answered(await reelmesh("list", "--json")) == []
        assert (await reelmesh("remove", name)).exit_code == 4
        assert (await reelmesh("add", "nobody", typed="typed-secret\n")).exit_code == 4
        made = (await reelmesh("secret")).stdout.split()
        assert any(len(word) == 44 and FernetSealing([word]) for word in made)


async def test_running_work_is_polled_where_it_was_sent_whatever_the_settings_say_now(
    settings: Settings, vendor: CountingVendor
) -> None:
    vendor.looks_until_done = 10**9
    async with running(settings) as address, tenant(address, "acme") as acme:
        await acme.bring("acme-first")
        name = await acme.begin("r1")
        await until(lambda: vendor.jobs and next(iter(vendor.jobs.values())).looks)
    vendor.looks_until_done = 1
    async with CountingVendor(good_keys={"acme-first"}).serving() as elsewhere:
        moved = settings.model_copy(update={"vendors": {"RUNWAY_BASE_URL": elsewhere.url}})
        async with running(moved) as address, tenant(address, "acme") as acme:
            done = await acme.end(name)
        assert done.state == State.STATE_SUCCEEDED, done.error
        assert not elsewhere.keys_seen
    assert len(vendor.bill) == 1
