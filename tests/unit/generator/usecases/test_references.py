from dataclasses import replace
from typing import Any

import pytest

from services.common.errors import InvalidArgument
from services.generator.domain.facts import Identity
from services.generator.domain.models import Inputs, Need
from services.generator.domain.orders import asset_media
from services.generator.domain.ports import Work
from services.generator.domain.tasks import Edit, Media, SpeechTask, VideoTask
from services.generator.usecases.references import References
from tests.fakes.generator_parts import (
    START,
    MemoryLedger,
    MemoryStorage,
    ScriptedBackend,
    entry,
    paid_model,
)

ASSET, ADDRESS = asset_media("abc"), Media(url="https://example.com/a.png")
BYTES = Media(data=b"png")
SIGNED = Media(url="https://signed.example/acme/assets/abc")
READ = Media(data=b"acme:assets/abc", media_type="image/webp")
UPLOADED = Media(url="runway://1", placed=True)
LOCAL = "http://127.0.0.1:8080/media"


def work(image: Media, *forms: str, **limits: Any) -> Work:
    made = entry()
    return Work(
        id="g1",
        tenant="acme",
        model=paid_model(inputs=Inputs(image=Need.OPTIONAL, image_forms=forms, **limits)),
        identity=made.generation.identity,
        task=VideoTask(prompt="x", image=image),
        order=made.order,
    )


async def sent(storage: MemoryStorage, wanted: Work) -> Media | None:
    ready = await References(storage).ready(wanted, ScriptedBackend().take_in)
    assert isinstance(ready, VideoTask)
    return ready.image


@pytest.mark.parametrize(
    ("given", "forms", "travels"),
    [
        (ASSET, ("url", "data_uri"), SIGNED),
        (ASSET, ("url",), SIGNED),
        (ASSET, (), SIGNED),
        (ASSET, ("base64",), READ),
        (ASSET, ("upload",), UPLOADED),
        (ADDRESS, ("url", "bytes"), ADDRESS),
        (BYTES, ("url", "data_uri", "upload"), BYTES),
        (BYTES, ("upload",), UPLOADED),
    ],
)
async def test_a_picture_travels_in_the_form_that_the_model_takes(given, forms, travels) -> None:
    assert await sent(MemoryStorage(), work(given, *forms)) == travels


async def test_bytes_for_a_model_that_takes_addresses_alone_are_stored_and_signed() -> None:
    storage = MemoryStorage()
    found = await sent(storage, work(BYTES, "url"))
    assert storage.assets == {"g1-image": b"png"}
    assert found == Media(url="https://signed.example/acme/assets/g1-image")


async def test_an_address_that_no_vendor_can_reach_is_sent_as_bytes() -> None:
    assert await sent(MemoryStorage(host=LOCAL), work(ASSET, "url", "data_uri")) == READ


async def test_what_is_too_big_for_a_request_is_uploaded() -> None:
    wanted = work(ASSET, "url", "data_uri", "upload", image_inline_max_bytes=3)
    assert await sent(MemoryStorage(host=LOCAL), wanted) == UPLOADED
    assert await sent(MemoryStorage(), wanted) == SIGNED


@pytest.mark.parametrize(
    ("limits", "words"),
    [
        ({"image_max_bytes": 5}, "at most 5"),
        ({"image_types": ("image/png",)}, "image/webp"),
        ({"image_inline_max_bytes": 5}, "too many for a request"),
    ],
)
async def test_a_stored_picture_that_the_model_cannot_take_is_refused(limits, words) -> None:
    with pytest.raises(InvalidArgument, match=words) as caught:
        await sent(MemoryStorage(host=LOCAL), work(ASSET, "data_uri", **limits))
    assert caught.value.violations[0].field == "image"


async def test_a_foreign_address_is_fetched_by_storage_where_the_model_wants_bytes() -> None:
    storage = MemoryStorage()
    found = await sent(storage, work(ADDRESS, "bytes"))
    assert storage.taken_in == [(ADDRESS.url, "g1-image")]
    assert found == Media(data=b"acme:assets/taken", media_type="image/webp")


async def test_a_task_without_pictures_is_left_alone() -> None:
    spoken = replace(work(BYTES), task=SpeechTask(text="habari"))
    assert await References(MemoryStorage()).ready(spoken) is spoken.task


async def test_a_clip_to_work_on_is_signed_for_this_attempt() -> None:
    wanted = replace(work(BYTES), task=VideoTask(prompt="on", video=ASSET, edit=Edit.EXTEND))
    ready = await References(MemoryStorage()).ready(wanted)
    assert isinstance(ready, VideoTask)
    assert ready.video == SIGNED


OWN = Identity(provider="vendor", endpoint="https://v", credential="VENDOR_KEY")


@pytest.mark.parametrize(
    "maker",
    [
        OWN,
        replace(OWN, vendor_model="other-model"),
        replace(OWN, credential="vendorKeys/1"),
        replace(OWN, provider="another"),
        replace(OWN, endpoint="https://elsewhere"),
        None,
    ],
)
async def test_a_vendor_that_works_on_its_own_clips_is_told_its_own_name_of_them(
    maker: Identity | None,
) -> None:
    storage, ledger = MemoryStorage(), MemoryLedger()
    if maker is not None:
        storage.makers["acme:assets/abc"] = "g7"
        begun = entry("g7", identity=maker).generation.submitting(START)
        made = begun.accepted("job:v1_a", "v1_a", at=START)
        await ledger.open(replace(entry("g7"), generation=made), "local/1")
    inputs = Inputs(video=Need.REQUIRED, video_forms=("job",))
    wanted = replace(
        work(BYTES),
        model=paid_model(inputs=inputs, edits=(Edit.EXTEND,)),
        task=VideoTask(prompt="on", video=ASSET, edit=Edit.EXTEND),
    )
    references = References(storage, known=ledger.get)
    if maker is None or replace(maker, vendor_model="") != OWN:
        with pytest.raises(InvalidArgument, match="its vendor has made"):
            await references.ready(wanted)
        return
    ready = await references.ready(wanted)
    assert isinstance(ready, VideoTask)
    assert ready.video == Media(url="v1_a", placed=True)
    elsewhere = replace(wanted, task=replace(ready, video=Media(url="https://e.com/a.mp4")))
    for other in (elsewhere, replace(wanted, tenant="globex")):
        with pytest.raises(InvalidArgument, match="its vendor has made"):
            await references.ready(other)


@pytest.mark.parametrize(
    ("maker", "job", "taken"),
    [("omni", "v1_a", True), ("veo", "v1_a", False), ("omni", "", False)],
)
async def test_a_vendor_goes_on_from_no_clip_that_its_model_does_not_know_by_name(
    maker: str, job: str, taken: bool
) -> None:
    storage, ledger = MemoryStorage(), MemoryLedger()
    storage.makers["acme:assets/abc"] = "g7"
    begun = entry("g7", identity=replace(OWN, vendor_model=maker)).generation.submitting(START)
    made = begun.accepted("job:v1_a", job, at=START)
    await ledger.open(replace(entry("g7"), generation=made), "local/1")
    inputs = Inputs(video=Need.REQUIRED, video_forms=("job",), video_makers=("omni",))
    wanted = replace(
        work(BYTES),
        identity=replace(OWN, vendor_model="omni"),
        model=paid_model(inputs=inputs, edits=(Edit.EXTEND,)),
        task=VideoTask(prompt="on", video=ASSET, edit=Edit.EXTEND),
    )
    references = References(storage, known=ledger.get)
    if taken:
        ready = await references.ready(wanted)
        assert isinstance(ready, VideoTask)
        assert ready.video == Media(url="v1_a", placed=True)
        return
    with pytest.raises(InvalidArgument, match="its vendor has made"):
        await references.ready(wanted)


@pytest.mark.parametrize(
    ("size", "refused"), [((1024, 576), False), ((1000, 576), True), (None, True)]
)
async def test_a_picture_of_a_size_that_the_model_does_not_take_is_refused(
    size: tuple[int, int] | None, refused: bool
) -> None:
    wanted = work(READ, "bytes", image_sizes=("1024x576",))
    asked: list[bytes] = []

    def measure(data: bytes) -> tuple[int, int] | None:
        asked.append(data)
        return size

    references = References(MemoryStorage(), measure)
    if refused:
        with pytest.raises(InvalidArgument, match="allowed: 1024x576"):
            await references.ready(wanted)
    else:
        assert await references.ready(wanted) == wanted.task
    assert asked == [READ.data]
