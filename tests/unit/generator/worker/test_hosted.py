import asyncio
import base64
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path

import httpx
import pytest

from services.common.errors import ProviderRefused, Unavailable
from services.common.fetching import fetching_client
from services.common.url_policy import UrlPolicy
from services.generator.domain.addresses import CallbackAddresses
from services.generator.domain.circuit import Circuits
from services.generator.domain.facts import Cost
from services.generator.domain.ports import Accepted, Lost, Made, Work
from services.generator.domain.tasks import Media, SpeechTask, VideoTask
from services.generator.providers.client import Client
from services.generator.providers.download import Downloader
from services.generator.providers.elevenlabs import ElevenLabs
from services.generator.providers.runway import Runway
from services.generator.providers.upload import Uploader
from services.generator.worker.ear import Ear
from services.generator.worker.hosted import HostedBackend, Vendor
from services.generator.worker.pace import Pacer
from services.generator.worker.spool import SPOOLED, Spool
from tests.fakes.generator_parts import START, entry, paid_model
from tests.unit.generator.providers.raw_server import Request, answer, raw_server

REST = timedelta(seconds=30)


@dataclass
class Replica:
    """One process's view of a vendor: its clock can be moved, its calls are counted."""

    backend: HostedBackend
    circuits: Circuits
    time: datetime = START
    answer: httpx.Response = field(default_factory=lambda: httpx.Response(401, json={}))
    calls: int = 0

    def rested(self) -> frozenset[str]:
        return self.circuits.open(self.time)


@pytest.fixture
async def replica(tmp_path: Path) -> AsyncIterator[Replica]:
    circuits, adapter = Circuits(3, REST), Runway()

    def now() -> datetime:
        return found.time

    def answered(request: httpx.Request) -> httpx.Response:
        found.calls += 1
        return found.answer

    async with httpx.AsyncClient(transport=httpx.MockTransport(answered)) as http:
        at = Vendor(
            provider="runway",
            adapter=adapter,
            client=Client(adapter, http, now=now),
            downloader=Downloader(http, UrlPolicy(), now=now),
            uploader=Uploader(http, UrlPolicy()),
            pacer=Pacer(100.0),
            ear=Ear(http, now=now),
            addresses=CallbackAddresses("", ""),
            now=now,
            circuit=circuits.of("runway"),
            spool=Spool(tmp_path),
        )
        found = Replica(HostedBackend(at), circuits)
        yield found


def work() -> Work:
    row = entry()
    task = VideoTask(prompt="x", aspect_ratio="16:9")
    identity = row.generation.identity
    return Work(
        id="g1", tenant="acme", model=paid_model(), identity=identity, task=task, order=row.order
    )


async def test_a_failing_vendor_is_rested_then_tried_with_one_call(replica: Replica) -> None:
    for _ in range(3):
        with pytest.raises(ProviderRefused):
            await replica.backend.submit(work())
    assert replica.rested() == {"runway"}
    with pytest.raises(Unavailable, match="rested"):
        await replica.backend.submit(work())
    assert replica.calls == 3

    replica.time += REST
    assert replica.rested() == frozenset()  # it is listed as ready: somebody has to try
    with pytest.raises(ProviderRefused):
        await replica.backend.submit(work())
    assert replica.calls == 4
    assert replica.rested() == {"runway"}

    replica.time += REST
    replica.answer = httpx.Response(200, json={"id": "j1"})
    assert isinstance(await replica.backend.submit(work()), Accepted)
    assert isinstance(await replica.backend.submit(work()), Accepted)
    assert replica.calls == 6
    assert replica.rested() == frozenset()


async def test_a_vendor_that_is_not_reached_is_named(replica: Replica) -> None:
    """Else it would be taken for a trouble of our own, which no other model helps against."""

    def unreachable(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("connection refused")

    async with httpx.AsyncClient(transport=httpx.MockTransport(unreachable)) as http:
        at = replica.backend._at
        away = replace(at, client=Client(at.adapter, http, now=at.now))
        with pytest.raises(Unavailable) as never_sent:
            await HostedBackend(away).submit(work())
        with pytest.raises(Unavailable) as never_taken_in:
            await HostedBackend(away).take_in(work(), Media(data=b"GIF"))
    assert never_sent.value.metadata == {"delivered": "no", "provider": "runway"}
    assert never_taken_in.value.metadata == {"provider": "runway"}


async def test_an_answer_that_was_lost_here_is_blamed_on_no_vendor(replica: Replica) -> None:
    """It was paid for: who blamed the vendor would have the next one paid as well."""
    at, adapter = replica.backend._at, ElevenLabs(api_key="key-of-elevenlabs")
    speaking = HostedBackend(replace(at, adapter=adapter))
    lost = await speaking.look(replace(work(), task=SpeechTask(text="Habari")), "j1")
    assert isinstance(lost, Lost)
    assert (lost.failure.reason, lost.failure.metadata) == ("DATA_LOSS", {})
    assert lost.cost == Cost(micros=250_000, source="catalogue")


async def test_a_rate_limit_rests_nobody(replica: Replica) -> None:
    replica.answer = httpx.Response(429, json={"error": "You have reached your daily task limit."})
    for _ in range(5):
        with pytest.raises(Exception, match="daily"):
            await replica.backend.submit(work())
    assert replica.rested() == frozenset()


async def test_a_speech_and_the_times_of_its_words_outlive_the_process(replica: Replica) -> None:
    at, adapter = replica.backend._at, ElevenLabs(api_key="key-of-elevenlabs")
    speaking = replace(at, adapter=adapter, client=Client(adapter, at.client._http, now=at.now))
    alignment = {
        "characters": list("Habari yako"),
        "character_start_times_seconds": [number / 10 for number in range(11)],
        "character_end_times_seconds": [number / 10 + 0.1 for number in range(11)],
    }
    sound = base64.b64encode(b"ID3" + bytes(100)).decode()
    replica.answer = httpx.Response(200, json={"audio_base64": sound, "alignment": alignment})
    asked = replace(work(), task=SpeechTask(text="Habari yako"))
    made = await HostedBackend(speaking).submit(asked)
    assert isinstance(made, Made)

    another_life = HostedBackend(replace(speaking, spool=Spool(at.spool._folder)))
    found = await another_life.look_up(asked)
    assert found is not None
    assert found.job == SPOOLED
    again = await another_life.look(asked, found.job)
    assert isinstance(again, Made)
    assert [word.text for word in again.words] == ["Habari", "yako"]
    assert again.words == made.words
    assert replica.calls == 1
    # Storage takes an upload for another one when these differ.
    async with made.opened() as first, again.opened() as second:
        assert replace(first, chunks=second.chunks) == second
        assert (first.content_type, first.size_bytes) == ("audio/mpeg", 103)


async def test_a_result_is_fetched_again_from_a_new_address_or_the_old_one(
    replica: Replica,
) -> None:
    """A vendor that will not tell a new one, for the key is being changed, has been paid."""
    picture = b"\x89PNG\r\n\x1a\n" + bytes(100)
    refused, looks = answer(b"{}", status="401 Who"), 0

    async def script(request: Request, writer: asyncio.StreamWriter) -> None:
        nonlocal looks
        if "/tasks/" not in request.line:
            writer.write(answer(picture))
            return
        looks += 1
        facts = {"id": "j1", "status": "SUCCEEDED", "output": [f"{server.url}/{looks}.png"]}
        writer.write(refused if looks == 2 else answer(json.dumps(facts).encode()))

    policy = UrlPolicy(allow_http=True, allowed_hosts=frozenset({"127.0.0.1"}))
    async with (
        raw_server(script) as server,
        httpx.AsyncClient(trust_env=False) as http,
        fetching_client(timeout=httpx.Timeout(20)) as fetching,
    ):
        at, adapter = replica.backend._at, Runway(base_url=server.url, api_key="key")
        client = Client(adapter, http, now=at.now)
        loader = Downloader(fetching, policy, now=at.now)
        vendor = replace(at, adapter=adapter, client=client, downloader=loader)
        made = await HostedBackend(vendor).look(work(), "j1")
        assert isinstance(made, Made)
        fetched = []
        for _ in range(3):
            async with made.opened() as content:
                assert b"".join([chunk async for chunk in content.chunks]) == picture
                fetched.append(content.source_url.rpartition("/")[2])
    assert (fetched, looks) == (["1.png", "1.png", "3.png"], 3)
