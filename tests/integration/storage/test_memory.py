"""What the service has in memory while it works: little, and nothing that it does not need."""

import pytest

from benchmarks.imports import Memory, not_of, through_us
from services.storage.__main__ import running
from services.storage.settings import Settings
from tests.fakes.file_server import FileServer
from tests.integration.storage.conftest import client_of
from tests.integration.storage.service_process import process
from tests.unit.storage.clips import mp4
from tests.unit.storage.test_start import NEEDLESS

MIB = 1024 * 1024


@pytest.mark.parametrize("settings", ["s3"], indirect=True)
async def test_it_works_where_nothing_else_can_be_loaded_and_an_import_adds_little(
    settings: Settings,
) -> None:
    async with FileServer(data=bytes(MIB), repeat=32).serving() as vendor:
        hosts = frozenset({f"127.0.0.1:{vendor.port}"})
        facts = {name: getattr(settings, name) for name in settings.model_fields_set}
        allowing = Settings(**facts, import_allowed_hosts=hosts)
        async with running(allowing):
            """The first start brings the schema up to date, for which more is loaded."""
        hidden = [*not_of("storage"), *NEEDLESS]
        async with process(allowing, hidden=hidden) as service, client_of(service.address) as acme:
            clip = await acme.upload(mp4(), "a clip")
            assert await acme.download(clip.name) == mp4()
            memory = Memory(service.pid)
            before = memory.own
            with memory.watching():
                await through_us(service, vendor.url, "large")
    assert memory.own - before < 8
    assert memory.own < 72, "64 as this was written, in MiB: what is loaded now?"
