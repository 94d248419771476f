"""What is said of a clip's origin, from the engine that made it to the file in storage."""

import asyncio
import hashlib
import io
import wave
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from reelmesh.storage.v1 import asset_pb2
from reelmesh.storage.v1 import storage_service_pb2 as pb
from reelmesh.storage.v1.storage_service_pb2_grpc import StorageServiceStub
from services.common.channels import Channel
from services.common.identity import Identity, IdentitySigner
from services.generator.adapters.storage_client import StorageClient
from services.generator.catalogue.loader import load_catalogue
from services.generator.domain.compositions import Clip, ComposeTask, Role, Track
from services.generator.domain.orders import asset_media
from services.generator.domain.ports import Entry, Made, Work
from services.generator.domain.storage_port import Stored
from services.generator.domain.tasks import (
    Edit,
    ImageTask,
    MusicTask,
    SoundTask,
    SpeechTask,
    Task,
    UpscaleTask,
    VideoTask,
)
from services.generator.engines.engine import Product
from services.generator.usecases.storing import Storing
from services.generator.worker.local import LocalBackend
from services.generator.worker.spool import Spool
from services.storage.__main__ import running
from services.storage.settings import Settings
from tests.fakes.generator_parts import entry, order
from tests.unit.storage.clips import mp4
from tests.unit.storage.recordings import KINDS
from tests.unit.storage.test_media_finisher import SIGNATURES

pytestmark = pytest.mark.timeout(60)
CATALOGUE = load_catalogue()
KEY = "the signing key of the tests"
STRIPPED = "what it was made from carried a signed manifest (C2PA), and this file does not"


class Writes:
    """An engine that is done at once with what it was given."""

    def __init__(self, data: bytes, content_type: str) -> None:
        self._data, self._type = data, content_type

    def suffix(self, work: Work) -> str:
        return ".made"

    async def make(self, work: Work, destination: Path, *, on_progress: object) -> Product:
        await asyncio.to_thread(destination.write_bytes, self._data)
        digest = hashlib.sha256(self._data).hexdigest()
        return Product(content_type=self._type, sha256=digest, size_bytes=len(self._data))


class Studio:
    """The engines of this process and the storage that they hand over to."""

    def __init__(self, channel: Channel, scratch: Path) -> None:
        self.stub: Any = StorageServiceStub(channel)
        self._scratch = scratch
        self._storing = Storing(StorageClient(channel), CATALOGUE.get)

    async def make(
        self, number: int, model: str, task: Task, data: bytes, kind: str = "video/mp4"
    ) -> Stored:
        """Make `data` by a model and store it, as the generator does."""
        ordered = self._ordered(number, model, task)
        work = Work(
            id=ordered.generation.id,
            tenant="acme",
            model=CATALOGUE.get(model),
            identity=ordered.generation.identity,
            task=task,
            order=ordered.order,
        )
        backend = LocalBackend(Writes(data, kind), self._scratch, limit=1)
        await backend.submit(work)
        result = [each async for each in backend.updates(work, work.id)][-1]
        assert isinstance(result, Made)
        return await self._storing.store(ordered, result)

    async def answered(self, number: int, model: str, task: Task, data: bytes) -> Stored:
        """Store what a vendor has given in its answer."""
        ordered = self._ordered(number, model, task)
        made = await Spool(self._scratch / "results").keep(ordered.generation.id, data)
        return await self._storing.store(ordered, made)

    def _ordered(self, number: int, model: str, task: Task) -> Entry:
        identifier, row = f"g{number}", CATALOGUE.get(model)
        made = entry(identifier).generation
        generation = replace(made, model=model, placeholder=row.placeholder)
        return Entry(generation, order(f"r-{identifier}", task=task))

    async def asset(self, stored: Stored) -> asset_pb2.Asset:
        found: asset_pb2.Asset = (
            await self.stub.GetAsset(pb.GetAssetRequest(name=stored.asset))
        ).asset
        return found

    async def data(self, stored: Stored) -> bytes:
        request = pb.DownloadAssetRequest(name=stored.asset)
        return b"".join([part.chunk async for part in self.stub.DownloadAsset(request)])


@pytest.fixture
async def studio(tmp_path: Path) -> AsyncIterator[Studio]:
    settings = Settings(
        address="127.0.0.1:0", data_dir=tmp_path, signing_key=KEY, min_free_bytes=0, derive=""
    )
    async with (
        running(settings) as address,
        Channel(address, IdentitySigner(KEY), identity=Identity("acme")) as channel,
    ):
        yield Studio(channel, tmp_path / "scratch")


def shot(**kwargs: Any) -> VideoTask:
    return VideoTask(prompt="a fox", duration_seconds=5, **kwargs)


def cut(*clips: Stored, music: Stored | None = None) -> ComposeTask:
    sound = (Track(media=asset_media(music.asset[7:]), role=Role.MUSIC),) if music else ()
    return ComposeTask(
        clips=tuple(Clip(media=asset_media(each.asset[7:])) for each in clips), tracks=sound
    )


def _silence() -> bytes:
    told = io.BytesIO()
    with wave.open(told, "wb") as recording:
        recording.setparams((1, 2, 8000, 0, "NONE", ""))
        recording.writeframes(bytes(1600))
    return told.getvalue()


async def test_what_a_model_of_this_process_made_is_finished_and_labelled(studio: Studio) -> None:
    clip = mp4(faststart=False)
    stored = await studio.make(1, "ltx_video", shot(), clip)
    data = await studio.data(stored)
    assert data.find(b"moov") < data.find(b"mdat")
    assert b"digitalsourcetype/trainedAlgorithmicMedia" in data
    assert stored.output.sha256 == hashlib.sha256(data).hexdigest()
    again = await studio.make(1, "ltx_video", shot(), clip)
    assert again == stored, "a later life announces the same"


MADE_HERE: list[tuple[str, Task, str]] = [
    ("flux_schnell", ImageTask(prompt="a fox"), "png"),
    ("sdxl", ImageTask(prompt="a fox"), "jpeg"),
    ("kokoro", SpeechTask(text="a fox"), "wav"),
    ("xtts_v2", SpeechTask(text="a fox"), "mp3"),
    ("musicgen", MusicTask(prompt="calm"), "flac"),
    ("audiogen", SoundTask(prompt="rain"), "opus"),
    ("real_esrgan", UpscaleTask(media=asset_media("01clip")), "mp4"),
]
ANSWERED: list[tuple[str, Task, str]] = [
    ("fal_flux", ImageTask(prompt="a fox"), "jpeg"),
    ("huggingface_image", ImageTask(prompt="a fox"), "png"),
    ("elevenlabs", SpeechTask(text="a fox"), "mp3"),
    ("huggingface_speech", SpeechTask(text="a fox"), "wav"),
    ("elevenlabs_music", MusicTask(prompt="calm"), "bare mp3"),
    ("elevenlabs_sound", SoundTask(prompt="rain"), "mp3 of id3 2.3"),
]
WITHOUT_A_MODEL: list[tuple[str, Task, str]] = [
    ("storyboard_still", ImageTask(prompt="a fox"), "png"),
    ("espeak", SpeechTask(text="a fox"), "wav"),
    ("music_bed", MusicTask(prompt="calm"), "flac"),
    ("sound_effects", SoundTask(prompt="rain"), "opus"),
]


async def test_pictures_voices_music_and_sounds_of_a_model_are_labelled_too(studio: Studio) -> None:
    for number, (model, task, kind) in enumerate([*MADE_HERE, *ANSWERED]):
        content_type, data = KINDS[kind][0], KINDS[kind][1]()
        if number < len(MADE_HERE):
            stored = await studio.make(number, model, task, data, content_type)
        else:
            stored = await studio.answered(number, model, task, data)
        found = await studio.data(stored)
        assert b"digitalsourcetype/trainedAlgorithmicMedia" in found, model
        assert stored.output.sha256 == hashlib.sha256(found).hexdigest()
        assert (await studio.asset(stored)).provenance.labelled


async def test_what_was_made_without_a_model_is_said_to_be_nothing_else(studio: Studio) -> None:
    for number, (model, task, kind) in enumerate(WITHOUT_A_MODEL):
        data = KINDS[kind][1]()
        stored = await studio.make(number, model, task, data, KINDS[kind][0])
        assert await studio.data(stored) == data, model


async def test_a_cut_of_sketches_that_a_models_voice_speaks_to_is_labelled(studio: Studio) -> None:
    sketch = await studio.make(1, "storyboard", shot(), mp4(seed=1))
    voice = await studio.make(2, "kokoro", SpeechTask(text="a fox"), _silence(), "audio/wav")
    film = await studio.make(3, "compose", cut(sketch, music=voice), mp4(seed=3))
    assert b"/compositeWithTrainedAlgorithmicMedia" in await studio.data(film)


async def test_a_film_of_nothing_but_placeholders_is_not_said_to_be_a_models(
    studio: Studio,
) -> None:
    sketches = [await studio.make(n, "storyboard", shot(), mp4(seed=n)) for n in range(2)]
    bed = await studio.make(3, "music_bed", MusicTask(prompt="calm"), _silence(), "audio/wav")
    film = await studio.make(4, "compose", cut(*sketches, music=bed), mp4(seed=4))
    for each in (*sketches, film):
        assert b"lgorithmicMedia" not in await studio.data(each)
    cut_again = await studio.make(5, "compose", cut(film), mp4(seed=5))
    assert not (await studio.asset(cut_again)).provenance.labelled


async def test_a_cut_with_one_models_clip_in_it_is_labelled_and_a_cut_of_that_cut(
    studio: Studio,
) -> None:
    sketch = await studio.make(1, "storyboard", shot(), mp4(seed=1))
    clip = await studio.make(2, "ltx_video", shot(), mp4(seed=2))
    film = await studio.make(3, "compose", cut(sketch, clip), mp4(seed=3))
    shorter = await studio.make(4, "compose", cut(film), mp4(seed=4))
    for each in (film, shorter):
        found = await studio.asset(each)
        assert found.provenance.labelled
        assert b"/compositeWithTrainedAlgorithmicMedia" in await studio.data(each)
    assert (await studio.asset(film)).lineage.parents == [sketch.asset, clip.asset]
    assert (await studio.asset(clip)).reuse_count == 0, "it was made for this cut"


async def test_whoever_ordered_it_is_told_that_a_signature_was_stripped(studio: Studio) -> None:
    signed = await studio.make(1, "ltx_video", shot(), mp4() + SIGNATURES["short"])
    assert signed.warnings == ()
    assert (await studio.data(signed)).endswith(SIGNATURES["short"])
    longer = VideoTask(prompt="on", video=asset_media(signed.asset[7:]), edit=Edit.EXTEND)
    for number, model, task in ((2, "ltx_video", longer), (3, "compose", cut(signed))):
        (told,) = (await studio.make(number, model, task, mp4(seed=number))).warnings
        assert told.startswith(STRIPPED)


async def test_storage_is_told_whether_a_vendor_was_shown_the_words(studio: Studio) -> None:
    made = ((1, "runway_gen4_5", True), (2, "ltx_video", False), (3, "storyboard", False))
    for number, model, shown in made:
        stored = await studio.make(number, model, shot(), mp4(seed=number))
        assert (await studio.asset(stored)).lineage.shown_outside is shown, model
