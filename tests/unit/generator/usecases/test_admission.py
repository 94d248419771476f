"""The licence gate where work is taken in: before a row, a card or a cent."""

import pytest

from services.common.errors import LicenceRefused
from services.generator.catalogue.loader import load_catalogue
from services.generator.domain.catalogue import Surroundings
from services.generator.domain.orders import Order
from services.generator.domain.tasks import MusicTask, VideoTask
from services.generator.domain.terms import Terms
from services.generator.usecases.admission import Admission
from tests.fakes.generator_parts import START


def admission(terms: Terms | None) -> Admission:
    around = Surroundings(now=START, device_present=True)
    return Admission(load_catalogue(), lambda _: around, terms)


def music(model: str) -> Order:
    task = MusicTask(prompt="drums at dusk", duration_seconds=10)
    return Order(request_id="r", request_hash="h", model=model, task=task)


def test_weights_that_may_not_be_sold_are_refused_with_an_alternative() -> None:
    with pytest.raises(LicenceRefused) as refused:
        admission(Terms(commercial=True)).admit(music("musicgen"))
    assert refused.value.metadata["alternatives"] == "ace_step,music_bed"
    assert admission(Terms(commercial=False)).admit(music("musicgen")).model.id == "musicgen"
    assert admission(Terms(commercial=True)).admit(music("ace_step")).model.id == "ace_step"


def test_where_a_licence_does_not_hold_its_model_is_refused() -> None:
    task = VideoTask(prompt="a goat", duration_seconds=5, resolution="720p", aspect_ratio="16:9")
    order = Order(request_id="r", request_hash="h", model="hunyuan_video", task=task)
    with pytest.raises(LicenceRefused, match="excludes EU, UK, KR") as refused:
        admission(Terms(territory="DE")).admit(order)
    assert "wan_2_2_5b" in refused.value.metadata["alternatives"]
    assert admission(Terms(territory="KE")).admit(order).model.id == "hunyuan_video"
    assert admission(None).admit(order).model.id == "hunyuan_video"
