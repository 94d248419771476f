"""Drives the generator's own adapters against the simulator: submit, poll, fetch."""

import asyncio
from datetime import UTC, datetime, timedelta
from urllib.parse import urlsplit

import httpx

from services.common.fetching import fetching_client
from services.common.url_policy import UrlPolicy
from services.generator.domain.limits import validate_request
from services.generator.domain.models import Model, Need
from services.generator.domain.tasks import (
    ImageTask,
    Media,
    MusicTask,
    Operation,
    SoundTask,
    SpeechTask,
    Task,
    VideoTask,
)
from services.generator.providers import Providers, configured
from services.generator.providers.adapter import (
    Accepted,
    Adapter,
    Failed,
    Output,
    Running,
    Submission,
    Succeeded,
)
from services.generator.providers.client import Client
from services.generator.providers.connections import vendor_http
from services.generator.providers.download import Downloader
from services.suite.simulator.exports import variables
from services.suite.simulator.media import Clip, Kind, _plain
from tests.fakes.simulator import Simulated

PATIENCE = timedelta(seconds=25)


def now() -> datetime:
    return datetime.now(UTC)


def providers(sim: Simulated) -> Providers:
    """Return every provider, set up by the lines that the simulator prints."""
    return configured(variables(sim.world))


def picture(model: Model) -> Media:
    """Return a reference picture in the form that the model takes."""
    if "url" in model.inputs.image_forms:
        return Media(url="https://pictures.example/a.png")
    return Media(data=png(1024, 576), media_type="image/png")


def png(width: int, height: int) -> bytes:
    """Return a PNG of this size."""
    small = _plain(Kind.IMAGE, 0, Clip().size)
    head = bytearray(small)
    head[16:24] = width.to_bytes(4, "big") + height.to_bytes(4, "big")
    return bytes(head)


def task(model: Model, words: str = "A lighthouse in the fog", *, pictured: bool = False) -> Task:
    """Return the plainest task that the model takes, its own defaults filled in."""
    if model.operation is Operation.VIDEO:
        prompt = "" if model.inputs.text is Need.NONE else words
        plain: Task = VideoTask(prompt=prompt, image=picture(model) if pictured else None)
    elif model.operation is Operation.IMAGE:
        plain = ImageTask(prompt=words, image=picture(model) if pictured else None)
    elif model.operation is Operation.SPEECH:
        plain = SpeechTask(text=words)
    elif model.operation is Operation.MUSIC:
        plain = MusicTask(prompt=words)
    else:
        plain = SoundTask(prompt=words)
    return validate_request(model, plain).task


def submission(model: Model, wanted: Task) -> Submission:
    """Return the submission that the machine makes of a task."""
    return Submission(
        vendor_model=model.vendor_model(wanted),
        task=wanted,
        generation="gen-1",
        wire=model.wire,
    )


class Drive:
    """One adapter at work."""

    def __init__(self, sim: Simulated, adapter: Adapter) -> None:
        self.sim = sim
        self.adapter = adapter
        self.http = vendor_http()
        self.client = Client(adapter, self.http, now=now)

    async def __aenter__(self) -> "Drive":
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.http.aclose()

    async def finish(self, outcome: Accepted | Succeeded | Failed) -> Succeeded | Failed:
        """Poll until the job has ended."""
        if not isinstance(outcome, Accepted):
            return outcome
        until = now() + PATIENCE
        while now() < until:
            update = await self.client.poll(outcome.job)
            if not isinstance(update, Running):
                return update
            await asyncio.sleep(0.02)
        raise AssertionError("it never ended")

    async def make(self, wanted: Submission) -> Succeeded | Failed:
        """Submit and poll."""
        return await self.finish(await self.client.submit(wanted))

    async def fetch(self, output: Output) -> bytes:
        """Download a result as the machine does."""
        hosts = frozenset({urlsplit(self.sim.world.media_url).netloc})
        policy = UrlPolicy(allowed_hosts=hosts)
        async with fetching_client(timeout=httpx.Timeout(25)) as http:
            downloader = Downloader(http, policy, now=now)
            async with downloader.open(output, self.adapter) as found:
                return b"".join([chunk async for chunk in found.chunks])
