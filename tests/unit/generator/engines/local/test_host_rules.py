"""What a host promises of any family, on families that need no library and no time."""

import itertools
import random
import threading
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import cast

import av
import pytest
from PIL import Image

from services.common.errors import InvalidArgument, NoDevice
from services.generator.domain.shapes import Shape
from services.generator.domain.tasks import Operation
from services.generator.domain.vram import Device
from services.generator.engines.local.asks import Ask
from services.generator.engines.local.family import Family, Stopped
from services.generator.engines.local.host import Host
from services.generator.engines.local.order import Watch
from services.generator.engines.local.probe import Source
from services.generator.engines.local.residency import Residency
from tests.fakes.model_family import Clips, Pictures, checkpoint

MIB = 2**20
STILL = Shape(width=32, height=32)


class Fixture:
    def __init__(self, folder: Path, family: Clips, *, budget: int = 64 * MIB) -> None:
        self.family = family
        self.folder = folder
        self.freed: list[object] = []
        self.residency = Residency(lambda: budget, let_go=self.freed.append)
        self.host = Host(
            Device(total_bytes=budget),
            self.residency,
            budget=lambda: budget,
            families=cast("tuple[Family, ...]", (family,)),
        )

    def source(self, model: str = "a", parameters: int = 4 * MIB) -> Source:
        """A checkpoint of four bytes for each parameter."""
        folder = self.folder / model
        if not folder.exists():
            checkpoint(folder, next(iter(self.family.classes)), parameters)
        return Source(model=model, location=str(folder))

    def ask(self, model: str = "a", *, shape: Shape = STILL, seed: int = 7, **kwargs) -> Ask:
        return Ask(
            identifier=f"{model}-{seed}",
            operation=self.family.operation,
            source=self.source(model),
            shape=shape,
            prompt=kwargs.pop("prompt", "grey"),
            seed=seed,
            **kwargs,
        )


def until(there: Callable[[], bool]) -> None:
    """Wait for a condition; the test's own limit ends it."""
    while not there():
        time.sleep(0.002)


def numbers(path: Path) -> tuple[list[int], float]:
    """How grey each frame of a file is, and its rate."""
    with av.open(str(path)) as film:
        rate = film.streams.video[0].average_rate
        grey = [int(frame.to_ndarray(format="gray")[8, 8]) for frame in film.decode(video=0)]
    assert rate
    return grey, float(rate)


def test_a_minute_is_made_of_runs_and_not_one_frame_is_lost(tmp_path) -> None:
    fixture = Fixture(tmp_path, Clips())
    shape = Shape(width=32, height=32, frames=60 * 16, fps=16.0, seconds=60.0)
    made = fixture.host.carry_out(fixture.ask(shape=shape), tmp_path / "a.mp4", Watch())
    assert len(fixture.family.runs) == 12
    grey, rate = numbers(tmp_path / "a.mp4")
    assert (len(grey), rate, made.seconds) == (960, 16.0, 60.0)
    # Each run goes on where the one before it ended: the numbers rise over every seam.
    rising = [after - before for before, after in itertools.pairwise(grey)]
    assert all(step >= -2 or step < -150 for step in rising)


class Pinned(Clips):
    """Tells of each run whether it was given a picture to end with."""

    def __init__(self) -> None:
        super().__init__()
        self.pinned: list[bool] = []

    def run(self, resident, order, on_step):
        self.pinned.append("last_image" in order.files)
        return super().run(resident, order, on_step)


def test_of_a_clip_in_several_runs_only_the_last_ends_with_the_last_picture(tmp_path) -> None:
    family = Pinned()
    fixture = Fixture(tmp_path, family)
    shape = Shape(width=32, height=32, frames=200, fps=16.0, seconds=12.5)
    asked = fixture.ask(shape=shape, files={"last_image": str(tmp_path / "last.png")})
    fixture.host.carry_out(asked, tmp_path / "a.mp4", Watch())
    assert family.pinned == [False, False, True]


@pytest.mark.parametrize(("fps", "frames"), [(24.0, 48), (30.0, 60), (60.0, 120)])
def test_any_rate_has_exactly_its_frames(tmp_path, fps, frames) -> None:
    fixture = Fixture(tmp_path, Clips())
    shape = Shape(width=64, height=64, frames=frames, fps=fps, seconds=2.0)
    made = fixture.host.carry_out(fixture.ask(shape=shape), tmp_path / "a.mp4", Watch())
    grey, rate = numbers(tmp_path / "a.mp4")
    assert (len(grey), rate) == (frames, fps)
    assert (made.shape.frames, made.seconds) == (frames, 2.0)


def test_two_hundred_mixed_requests_over_room_for_two_models(tmp_path) -> None:
    fixture = Fixture(tmp_path, Pictures(), budget=40 * MIB)
    for model in "abc":
        fixture.source(model)
    lot = random.Random(8)
    asks = [fixture.ask(lot.choice("abc"), seed=number) for number in range(200)]

    def one(ask: Ask) -> None:
        path = tmp_path / f"{ask.identifier}.png"
        fixture.host.carry_out(ask, path, Watch())
        with Image.open(path) as picture:
            assert picture.getpixel((0, 0)) == (ask.seed % 256,) * 3
        assert fixture.residency.used <= 40 * MIB

    with ThreadPoolExecutor(8) as threads:
        for each in [threads.submit(one, ask) for ask in asks]:
            each.result(60)
    assert sum(fixture.family.runs) == 200
    assert len(fixture.residency.loaded) == 2
    assert len(fixture.family.loads) - len(fixture.freed) == 2
    assert len(fixture.family.loads) < 200
    assert set(Counter(fixture.family.loads)) == {"a", "b", "c"}


def test_alike_requests_share_a_run_and_different_ones_do_not(tmp_path) -> None:
    fixture = Fixture(tmp_path, Pictures())
    hold, begun = threading.Event(), threading.Event()

    def wait(_fraction: float) -> None:
        begun.set()
        hold.wait(60)

    def one(seed: int, watch: Watch, **kwargs):
        path = tmp_path / f"{seed}.png"
        return fixture.host.carry_out(fixture.ask(seed=seed, **kwargs), path, watch)

    with ThreadPoolExecutor(8) as threads:
        first = threads.submit(one, 1, Watch(wait))
        assert begun.wait(60)
        alike = [threads.submit(one, seed, Watch(), prompt=str(seed)) for seed in (2, 3, 4, 5)]
        other = threads.submit(one, 6, Watch(), negative_prompt="red")
        until(lambda: fixture.residency.waiting == 2 and fixture.host.gathered == 5)
        hold.set()
        made = [each.result(60) for each in alike]
        assert first.result(60).served == other.result(60).served == 1
    assert [each.served for each in made] == [4, 4, 4, 4]
    assert sorted(fixture.family.runs) == [1, 1, 4]
    for seed in (2, 3, 4, 5):  # each has its own
        with Image.open(tmp_path / f"{seed}.png") as picture:
            assert picture.getpixel((0, 0)) == (seed,) * 3


def test_who_is_called_off_takes_nobody_along_who_joined(tmp_path) -> None:
    fixture = Fixture(tmp_path, Pictures())
    hold, begun, gone = threading.Event(), threading.Event(), Watch()

    def wait(_fraction: float) -> None:
        begun.set()
        hold.wait(60)

    def one(seed: int, watch: Watch):
        return fixture.host.carry_out(fixture.ask(seed=seed), tmp_path / f"{seed}.png", watch)

    with ThreadPoolExecutor(8) as threads:
        first = threads.submit(one, 1, Watch(wait))
        assert begun.wait(60)
        leader = threads.submit(one, 2, gone)
        until(lambda: fixture.host.gathered == 1)
        joined = [threads.submit(one, seed, Watch()) for seed in (3, 4)]
        until(lambda: fixture.host.gathered == 3)
        gone.stop.set()
        with pytest.raises(Stopped):
            leader.result(60)
        until(lambda: fixture.host.gathered == 2)
        hold.set()
        assert first.result(60).served == 1
        made = [each.result(60) for each in joined]
    assert [each.served for each in made] == [2, 2]
    assert sorted(each.name for each in tmp_path.glob("*.png")) == ["1.png", "3.png", "4.png"]


def test_no_more_are_made_at_once_than_memory_was_planned_for(tmp_path) -> None:
    """Weights of 16 MiB and a mebibyte of scratch for each: two fit beside them, four do not."""
    family = Pictures()
    shape = Shape(width=1024, height=1024)
    fixture = Fixture(tmp_path, family, budget=16 * MIB + round(2.5 * 1.12 * MIB))
    hold, begun = threading.Event(), threading.Event()

    def wait(_fraction: float) -> None:
        begun.set()
        hold.wait(60)

    def one(seed: int, watch: Watch):
        ask = fixture.ask(seed=seed, shape=shape)
        return fixture.host.carry_out(ask, tmp_path / f"{seed}.png", watch)

    with ThreadPoolExecutor(8) as threads:
        first = threads.submit(one, 1, Watch(wait))
        assert begun.wait(60)
        others = [threads.submit(one, seed, Watch()) for seed in (2, 3, 4, 5)]
        until(lambda: fixture.residency.waiting == 2)
        hold.set()
        assert first.result(60).served == 1
        assert [each.result(60).served for each in others] == [2, 2, 2, 2]
    assert sorted(family.runs) == [1, 2, 2]


def test_beside_a_pinned_model_a_run_is_planned_for_what_is_left(tmp_path) -> None:
    """The clip would fit the device alone; beside the other it is made in shorter runs."""
    fixture = Fixture(tmp_path, Clips(), budget=33 * MIB)
    fixture.residency = Residency(
        lambda: 33 * MIB, pinned=lambda key: key.split()[0].endswith("/a")
    )
    fixture.host.residency = fixture.residency
    shape = Shape(width=128, height=128, frames=81, fps=16.0, seconds=5.0)
    alone = fixture.host.carry_out(fixture.ask("b", shape=shape), tmp_path / "b.mp4", Watch())
    assert alone.warnings == ()
    small = Shape(width=32, height=32, frames=5, fps=16.0)
    fixture.host.carry_out(fixture.ask("a", shape=small), tmp_path / "a.mp4", Watch())
    beside = fixture.host.carry_out(fixture.ask("c", shape=shape), tmp_path / "c.mp4", Watch())
    assert "made in" in beside.warnings[0]
    assert beside.shape == alone.shape
    assert any(key.split()[0].endswith("/a") for key in fixture.residency.loaded)


def test_who_is_called_off_before_it_begins_loads_nothing(tmp_path) -> None:
    fixture, gone = Fixture(tmp_path, Pictures()), Watch()
    gone.stop.set()
    with pytest.raises(Stopped):
        fixture.host.carry_out(fixture.ask(), tmp_path / "a.png", gone)
    assert fixture.family.loads == []


def test_a_picture_is_cut_to_what_was_asked_for(tmp_path) -> None:
    fixture = Fixture(tmp_path, Pictures())
    fixture.host.carry_out(
        fixture.ask(shape=Shape(width=50, height=20)), tmp_path / "a.png", Watch()
    )
    with Image.open(tmp_path / "a.png") as picture:
        assert picture.size == (50, 20)


def test_fewer_frames_are_made_only_where_that_is_let(tmp_path) -> None:
    family = Clips()
    family.overlap = 0  # it cannot be continued
    fixture = Fixture(tmp_path, family, budget=18 * MIB)
    shape = Shape(width=256, height=256, frames=64, fps=16.0, seconds=4.0)
    with pytest.raises(NoDevice, match="frames of 256x256 need"):
        fixture.host.carry_out(fixture.ask(shape=shape), tmp_path / "a.mp4", Watch())
    assert family.loads == []
    asked = fixture.ask(shape=shape, may_shorten=True)
    made = fixture.host.carry_out(asked, tmp_path / "a.mp4", Watch())
    grey, _ = numbers(tmp_path / "a.mp4")
    assert len(grey) == made.shape.frames < 64
    assert made.seconds == len(grey) / 16
    assert made.warnings == (f"{len(grey)} of 64 frames: the rest needs more than processor has",)


def test_too_long_for_a_model_that_cannot_go_on_is_refused(tmp_path) -> None:
    family = Clips()
    family.overlap = 0
    fixture = Fixture(tmp_path, family)
    shape = Shape(width=32, height=32, frames=200, fps=16.0, seconds=12.5)
    with pytest.raises(InvalidArgument, match="at most 81 frames"):
        fixture.host.carry_out(fixture.ask(shape=shape), tmp_path / "a.mp4", Watch())
    asked = fixture.ask(shape=shape, may_shorten=True)
    made = fixture.host.carry_out(asked, tmp_path / "a.mp4", Watch())
    assert made.warnings == ("81 of 200 frames: the model makes no more",)


def test_a_file_that_cannot_be_written_is_removed_and_tells_why(tmp_path) -> None:
    fixture = Fixture(tmp_path, Clips())
    shape = Shape(width=33, height=32, frames=9, fps=16.0, seconds=0.5)  # H.264 wants even sides
    with pytest.raises(RuntimeError, match="the encoder failed"):
        fixture.host.carry_out(fixture.ask(shape=shape), tmp_path / "a.mp4", Watch())
    assert not (tmp_path / "a.mp4").exists()


def test_a_task_of_another_kind_is_refused(tmp_path) -> None:
    fixture = Fixture(tmp_path, Clips())
    ask = Ask(
        identifier="x", operation=Operation.MUSIC, source=fixture.source(), shape=STILL,
        prompt="p", seed=1,
    )  # fmt: skip
    with pytest.raises(InvalidArgument, match="makes video, not music"):
        fixture.host.carry_out(ask, tmp_path / "a.flac", Watch())
