"""What is fast on a card may break there: it is made without it, and that is remembered."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from PIL import Image

from services.common.errors import InvalidArgument
from services.generator.domain.shapes import Shape
from services.generator.domain.vram import GIB, Device, Rung
from services.generator.engines.local import run
from services.generator.engines.local.asks import Ask
from services.generator.engines.local.host import Host
from services.generator.engines.local.order import Watch
from services.generator.engines.local.probe import Source
from services.generator.engines.local.residency import Residency
from tests.fakes.model_family import Pictures, checkpoint

pytestmark = [
    pytest.mark.xdist_group("torch"),
    pytest.mark.timeout(300),  # imports torch
]
H200 = Device(kind="cuda", name="card", total_bytes=139 * GIB, capability=(9, 0))
CPU = Device(total_bytes=139 * GIB)


class Refusing(Pictures):
    """Breaks in a step wherever the model was tuned for a card."""

    error: Exception = RuntimeError("no kernel image is available")

    def run(self, resident, order, on_step):
        if resident.plan.settings.get("attention") or resident.plan.device.kind == "cpu":
            raise self.error
        return super().run(resident, order, on_step)


class Fixture:
    def __init__(self, folder: Path, monkeypatch, device: Device = H200) -> None:
        self.family, self.folder = Refusing(), folder
        self.tuned: list[str] = []
        monkeypatch.setattr(run, "tuned", self._tuned)
        self.source = Source(
            model="a", location=str(checkpoint(folder / "a", "PicturePipeline", 100))
        )
        self.residency = Residency(lambda: 139 * GIB)
        self.host = Host(device, self.residency, budget=lambda: 139 * GIB, families=(self.family,))

    def made(self, name: str):
        ask = Ask(
            identifier=name,
            operation=self.family.operation,
            source=self.source,
            shape=Shape(width=32, height=32),
            prompt="grey",
            seed=7,
        )
        return self.host.carry_out(ask, self.folder / f"{name}.png", Watch())

    def _tuned(self, model):
        self.tuned.append(model.plan.load)
        if model.plan.device.kind == "cuda" and not model.plan.plain:
            settings = {**model.plan.settings, "attention": "new"}
            model.plan = replace(model.plan, settings=settings)
        return model


@pytest.mark.parametrize("kind", [RuntimeError, torch.AcceleratorError])
def test_what_breaks_a_model_on_a_card_is_left_out_and_that_is_remembered(
    tmp_path, monkeypatch, kind
) -> None:
    fixture = Fixture(tmp_path, monkeypatch)
    fixture.family.error = kind("no kernel image is available")
    first, second = fixture.made("first"), fixture.made("second")
    assert fixture.tuned == ["resident", "resident-plain"]  # the second finds it loaded
    assert "speed=plain because=no kernel image is available" in first.method
    assert first.method == second.method
    assert len(fixture.residency.loaded) == 1
    assert (tmp_path / "second.png").stat().st_size


@pytest.mark.parametrize(
    "error",
    [
        InvalidArgument("image", "is needed"),
        OSError(28, "no room"),
        Image.DecompressionBombError("Image size exceeds limit"),
        torch.AcceleratorError("CUDA error: an illegal memory access was encountered"),
    ],
)
def test_what_has_nothing_to_do_with_speed_is_not_tried_again(tmp_path, monkeypatch, error) -> None:
    fixture = Fixture(tmp_path, monkeypatch)
    fixture.family.error = error
    with pytest.raises(type(error)):
        fixture.made("first")
    assert fixture.tuned == ["resident"]


def test_what_runs_out_of_memory_while_it_runs_plainly_does_not_stay_on_the_card(
    tmp_path, monkeypatch
) -> None:
    class Full(Refusing):
        def run(self, resident, order, on_step):
            if resident.plan.plain and resident.plan.rung is Rung.RESIDENT:
                raise torch.OutOfMemoryError("CUDA out of memory")
            return super().run(resident, order, on_step)

    fixture = Fixture(tmp_path, monkeypatch)
    fixture.made("first")
    assert fixture.tuned == ["resident", "resident-plain"]
    fixture.family.run = Full().run  # type: ignore[method-assign]  # as a card would break it
    made = fixture.made("second")
    assert "memory ran out resident" in made.warnings[0]
    assert fixture.tuned == ["resident", "resident-plain", "resident-plain"]  # it was let go of
    assert len(fixture.residency.loaded) == 1


def test_a_processor_has_nothing_to_leave_out(tmp_path, monkeypatch) -> None:
    fixture = Fixture(tmp_path, monkeypatch, CPU)
    with pytest.raises(RuntimeError, match="no kernel image"):
        fixture.made("first")
    assert fixture.tuned == ["resident"]


def test_what_breaks_it_either_way_is_not_held_against_the_speed(tmp_path, monkeypatch) -> None:
    class Broken(Refusing):
        def run(self, resident, order, on_step):
            raise ValueError("not at all")

    fixture = Fixture(tmp_path, monkeypatch)
    fixture.family.run = Broken().run  # type: ignore[method-assign]  # as a card would break it
    for name in ("first", "second", "third"):
        with pytest.raises(ValueError, match="not at all"):
            fixture.made(name)
    assert fixture.tuned == ["resident", "resident-plain", "resident"]  # the third unloads nothing
