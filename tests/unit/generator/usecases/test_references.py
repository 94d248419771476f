from dataclasses import replace

import pytest

from services.generator.domain.models import Inputs, Need
from services.generator.domain.orders import asset_media
from services.generator.domain.ports import Work
from services.generator.domain.tasks import Media, SpeechTask, VideoTask
from services.generator.usecases.references import References
from tests.fakes.generator_parts import MemoryStorage, entry, paid_model

ASSET, ADDRESS = asset_media("abc"), Media(url="https://example.com/a.png")
BYTES = Media(data=b"png")
SIGNED = Media(url="https://signed.example/acme/assets/abc")
READ = Media(data=b"acme:assets/abc", media_type="image/webp")


def work(image: Media, *forms: str) -> Work:
    made = entry()
    return Work(
        id="g1",
        tenant="acme",
        model=paid_model(inputs=Inputs(image=Need.OPTIONAL, image_forms=forms)),
        identity=made.generation.identity,
        task=VideoTask(prompt="x", image=image),
        order=made.order,
    )


@pytest.mark.parametrize(
    ("given", "forms", "sent"),
    [
        (ASSET, ("url", "data_uri"), SIGNED),
        (ASSET, ("url",), SIGNED),
        (ASSET, (), SIGNED),
        (ASSET, ("base64",), READ),
        (ADDRESS, ("url", "bytes"), ADDRESS),
        (BYTES, ("url",), BYTES),
    ],
)
async def test_a_picture_travels_in_the_form_that_the_model_takes(given, forms, sent) -> None:
    ready = await References(MemoryStorage()).ready(work(given, *forms))
    assert isinstance(ready, VideoTask)
    assert ready.image == sent


async def test_an_address_that_no_vendor_can_reach_is_sent_as_bytes() -> None:
    storage = MemoryStorage(host="http://127.0.0.1:8080/media")
    ready = await References(storage).ready(work(ASSET, "url", "data_uri"))
    assert isinstance(ready, VideoTask)
    assert ready.image == READ


async def test_a_foreign_address_is_fetched_by_storage_where_the_model_wants_bytes() -> None:
    storage = MemoryStorage()
    ready = await References(storage).ready(work(ADDRESS, "bytes"))
    assert storage.taken_in == [(ADDRESS.url, "g1-image")]
    assert isinstance(ready, VideoTask)
    assert ready.image == Media(data=b"acme:assets/taken", media_type="image/webp")


async def test_a_task_without_pictures_is_left_alone() -> None:
    spoken = replace(work(BYTES), task=SpeechTask(text="habari"))
    assert await References(MemoryStorage()).ready(spoken) is spoken.task
