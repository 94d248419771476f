"""Speech, music and effects, a film of them, over gRPC with a real storage service beside it."""

import base64
import io
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from google.protobuf.json_format import MessageToDict, ParseDict
from PIL import Image

from reelmesh.generator.v1 import generation_pb2
from reelmesh.generator.v1 import generator_service_pb2 as pb
from reelmesh.generator.v1.generator_service_pb2_grpc import GeneratorServiceStub
from reelmesh.storage.v1 import storage_service_pb2
from services.common.channels import Channel
from services.generator.__main__ import running
from services.generator.settings import Settings
from tests.fakes.clips import RED, decoded, heard, make_clip, number_of

pytestmark = pytest.mark.timeout(90)
State = generation_pb2.Generation.State


@pytest.fixture
async def stub(tmp_path: Path, storage_address: str) -> AsyncIterator[Any]:
    settings = Settings(
        address="127.0.0.1:0",
        data_dir=tmp_path,
        database_url="",
        storage_address=storage_address,
        cpu_slots=1,
        drain_grace=2,
    )
    async with running(settings) as address, Channel(address) as channel:
        yield GeneratorServiceStub(channel)
    assert [path.name for path in (tmp_path / "scratch").iterdir()] == []


async def made(stub: Any, request_id: str, model: str, **work: Any) -> Any:
    task = ParseDict(work, generation_pb2.Task())
    request = pb.CreateGenerationRequest(request_id=request_id, model=model, task=task)
    name = (await stub.CreateGeneration(request)).generation.name
    watch = stub.WatchGeneration(pb.WatchGenerationRequest(name=name))
    return [response.generation async for response in watch][-1]


async def content(storage: Any, asset: str, path: Path) -> Path:
    request = storage_service_pb2.DownloadAssetRequest(name=asset)
    path.write_bytes(b"".join([part.chunk async for part in storage.DownloadAsset(request)]))
    return path


async def test_a_film_is_made_of_parts_that_were_made_before(
    stub: Any, storage: Any, tmp_path: Path
) -> None:
    words = {"text": "Habari ya asubuhi.", "language": "sw"}
    speech = await made(stub, "s", "espeak", speech=words)
    music = await made(stub, "m", "music_bed", music={"prompt": "calm", "duration": "2s"})
    drops = {"prompt": "rain", "duration": "1s", "seed": 7}
    rain = await made(stub, "r", "sound_effects", sound=drops)
    for each in (speech, music, rain):
        assert each.state == State.STATE_SUCCEEDED, each
        assert (each.cost.units, each.cost.nanos, each.cost_source) == (0, 0, "free")
    assert [word.text for word in speech.output.words] == ["Habari", "ya", "asubuhi."]
    assert rain.output.seed == 7
    clip = {"media": {"data": _clip(tmp_path)}}
    film = await made(
        stub,
        "f",
        "compose",
        compose={
            "clips": [clip, {**clip, "transition": "TRANSITION_CROSSFADE"}],
            "tracks": [
                {"media": {"asset": speech.asset}, "role": "ROLE_DIALOGUE", "at": "0.5s"},
                {"media": {"asset": music.asset}, "role": "ROLE_MUSIC", "loop": True},
                {"media": {"asset": rain.asset}, "role": "ROLE_EFFECT", "at": "1s"},
            ],
        },
    )
    assert film.state == State.STATE_SUCCEEDED, film
    assert film.output.method == "smart"
    assert film.output.quality.score == 1.0, film.output.quality
    path = await content(storage, film.asset, tmp_path / "film.mp4")
    frames = list(decoded(path))
    assert len(frames) == 2 * 48 - 12
    assert number_of(frames[20]) == 20
    assert abs(heard(path)[:, 24_000:48_000]).max() > 0.05


async def test_captions_follow_the_speech_and_a_check_explains_its_score(
    stub: Any, storage: Any, tmp_path: Path
) -> None:
    text = "Habari ya asubuhi."
    speech = await made(stub, "s", "espeak", speech={"text": text, "language": "sw"})
    line: dict[str, Any] = {"text": text, "start": "1s", "words": []}
    line["words"] = [MessageToDict(word) for word in speech.output.words]
    task = {"lines": [line], "format": "vtt", "language": "sw"}
    captions = await made(stub, "c", "captions", captions=task)
    assert captions.state == State.STATE_SUCCEEDED, captions
    path = await content(storage, captions.asset, tmp_path / "c.vtt")
    assert "00:00:01.000 -->" in path.read_text()
    assert text in path.read_text()
    media = {"media": {"data": _clip(tmp_path)}, "captions": {"asset": captions.asset}}
    checked = await made(stub, "k", "media_check", check={**media, "expectedDuration": "9s"})
    assert checked.state == State.STATE_SUCCEEDED, checked
    found = {each.kind for each in checked.output.quality.findings}
    assert found == {"too_short", "no_sound", "captions_beyond_end"}
    assert checked.output.quality.score < 0.6
    still = {"media": {"data": _still()}, "alike": {"data": _still()}, "silentExpected": True}
    alike = (await made(stub, "a", "media_check", check=still)).output.quality
    assert not alike.HasField("likeness")
    assert alike.not_measured == ["likeness"], "no model for it is installed here"
    report = json.loads((await content(storage, checked.asset, tmp_path / "r.json")).read_text())
    assert {each["kind"] for each in report["findings"]} == found


def _still() -> str:
    picture = io.BytesIO()
    Image.new("RGB", (64, 36), "red").save(picture, "PNG")
    return base64.b64encode(picture.getvalue()).decode()


async def test_what_cannot_be_used_fails_by_its_fields_name(stub: Any, tmp_path: Path) -> None:
    clip = {"media": {"data": _clip(tmp_path)}}
    bad = {"media": {"data": "bm90IGEgY2xpcA=="}}
    film = await made(stub, "f", "compose", compose={"clips": [clip, bad]})
    assert film.state == State.STATE_FAILED
    assert "clips[1].media" in film.error.message


async def test_a_clip_that_is_not_there_fails_the_film(stub: Any) -> None:
    clip = {"media": {"asset": "assets/01aaaaaaaaaaaaaaaaaaaaaaaa"}}
    film = await made(stub, "f", "compose", compose={"clips": [clip, clip]})
    assert film.state == State.STATE_FAILED
    assert (film.error.code, "assets/01aaaaaaaaaaaaaaaaaaaaaaaa" in film.error.message) == (5, True)


def _clip(folder: Path) -> str:
    return base64.b64encode(make_clip(folder / "c.mp4", color=RED).read_bytes()).decode()
