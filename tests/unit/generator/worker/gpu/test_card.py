"""The equipment of a worker over a model process that answers as it is told; no torch here."""

import json
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from services.common.errors import (
    FailedPrecondition,
    Internal,
    InvalidArgument,
    NoDevice,
    Unavailable,
)
from services.generator.catalogue.loader import load_catalogue
from services.generator.domain.gpu_work import Queue, Tier
from services.generator.domain.orders import Priority
from services.generator.domain.tasks import ImageTask, Operation
from services.generator.domain.vram import GIB, Device
from services.generator.engines.local.installed import local_models, source_of, sources
from services.generator.engines.local.popularity import Popularity
from services.generator.engines.local.process import Hello
from services.generator.worker.gpu.card import Card, opened
from services.generator.worker.gpu.running import emptied, own_device, queues_of
from services.generator.worker.gpu.settings import WorkerSettings
from tests.fakes.local_work import local_work

H100 = Device(kind="cuda", name="H100", total_bytes=int(79.6 * GIB), capability=(9, 0))


LOAD, STEP = 40.0, 3.0


class Process:
    """Stands in for `ModelProcess`: notes orders, writes a file for each, and counts the seconds.

    What is not loaded takes LOAD seconds of its `clock` to come.
    """

    def __init__(self, device: Device = H100) -> None:
        self.device = device
        self.orders: list[dict[str, Any]] = []
        self.loaded: list[str] = []
        self.pictures: list[tuple[int, int]] = []
        self.alive = True
        self.clock = 0.0

    async def start(self) -> Hello:
        return Hello(device=self.device, budget=self.device.total_bytes)

    async def make(self, identifier: str, order: Any, path: str, on_progress: Any) -> Any:
        self.orders.append(order)
        if not self.alive:
            raise Internal("out of memory")
        for file in order["files"].values():
            with Image.open(file) as picture:
                self.pictures.append(picture.size)
        Path(path).write_bytes(b"clip")
        shape = {"width": 8, "height": 8, "frames": 8, "fps": 8.0}
        key = str(order["source"]["location"])
        loading = 0.0 if key in self.loaded else LOAD
        self.loaded = sorted({*self.loaded, key})
        self.clock += loading + STEP
        seconds = {"seconds": 1.0, "busy_seconds": STEP, "load_seconds": loading}
        return {"shape": shape, "warnings": [], "method": "cuda", **seconds}

    async def state(self) -> Any:
        if not self.alive:
            raise Unavailable("died")
        return {"loaded": self.loaded, "used": 5, "total": 80}


def settings(folder: Path, **kwargs: Any) -> WorkerSettings:
    return WorkerSettings(data_dir=folder, checkpoints={}, **kwargs)


def card(folder: Path, process: Process, *models: str, **kwargs: Any) -> Card:
    made = settings(folder, **kwargs)
    for name in models:
        (folder / "models" / name / "vae").mkdir(parents=True)
    found = sources({}, made.models)
    return Card(process, process.device, found, made)  # type: ignore[arg-type] # a stand-in


async def test_what_is_to_be_there_from_the_start_is_run_once_in_its_smallest_shape(
    tmp_path: Path,
) -> None:
    process = Process()
    names = ("wan_2_2_5b", "sdxl", "stability_svd")
    made = card(tmp_path, process, *names, preload=names)
    await made.warm_up()
    clip, picture, moved = process.orders
    assert (clip["shape"]["frames"], clip["shape"]["height"]) == (24, 480)
    assert clip["options"] == {"steps": 2}
    assert picture["operation"] == Operation.IMAGE
    assert (clip["files"], list(moved["files"])) == ({}, ["image"])  # it makes none from words
    assert process.pictures == [(1, 1)]
    assert list(settings(tmp_path).scratch.iterdir()) == []
    process.alive = False
    with pytest.raises(Internal, match="out of memory"):
        await made.warm_up()


@pytest.mark.parametrize("name", ["real_esrgan", "whisper", "xtts_v2"])
async def test_what_works_on_a_recording_is_not_preloaded(tmp_path: Path, name: str) -> None:
    with pytest.raises(FailedPrecondition, match=f"{name} cannot be preloaded"):
        await card(tmp_path, Process(), name, preload=(name,)).warm_up()


async def test_what_is_not_installed_is_not_preloaded(tmp_path: Path) -> None:
    with pytest.raises(NoDevice, match="set LOCAL_SDXL_PATH"):
        await card(tmp_path, Process(), "wan_2_2_5b", preload=("sdxl",)).warm_up()


async def test_after_the_warm_up_the_first_work_takes_no_longer_than_the_next(
    tmp_path: Path,
) -> None:
    process = Process()
    made = card(tmp_path, process, "sdxl", preload=("sdxl",))
    await made.warm_up()
    work = [local_work(ImageTask(prompt="a heron"), "sdxl", name) for name in ("g1", "g2")]
    took = []
    for each in work:
        before = process.clock
        path = tmp_path / f"{each.id}.png"
        product = await made.engine.make(each, path, on_progress=lambda _: None)
        took.append((process.clock - before, product.load_seconds))
    assert took == [(STEP, 0.0)] * 2
    cold = card(tmp_path / "cold", Process(), "sdxl")
    product = await cold.engine.make(work[0], tmp_path / "c.png", on_progress=lambda _: None)
    assert product.load_seconds == LOAD


async def test_what_was_asked_for_most_is_loaded_at_the_next_start(tmp_path: Path) -> None:
    names = ("wan_2_2_5b", "sdxl", "flux_dev", "whisper")
    first = card(tmp_path, Process(), *names)
    for number, name in enumerate(["sdxl", "sdxl", "sdxl", "flux_dev", "flux_dev"]):
        work = local_work(ImageTask(prompt="a heron"), name, f"g{number}")
        await first.engine.make(work, tmp_path / f"{number}.png", on_progress=lambda _: None)
    process = Process()
    again = Card(process, H100, sources({}, tmp_path / "models"), settings(tmp_path))  # type: ignore[arg-type]  # a stand-in
    await again.warm_up()
    assert process.orders == []  # it is ready without them
    await again.left()
    assert [order["source"]["model"] for order in process.orders] == ["sdxl", "flux_dev"]
    process.alive = False
    await again.warm_up()  # nobody relies on them
    await again.left()


@pytest.mark.parametrize(
    ("error", "tried"),
    [
        (Unavailable("the model process 7 died"), ["wan_2_2_5b", "sdxl", "wan_2_2_5b"]),
        (OSError(28, "no room"), ["wan_2_2_5b", "sdxl", "flux_dev"]),
    ],
)
async def test_a_favourite_that_cannot_be_loaded_does_not_cost_what_was_preloaded(
    tmp_path: Path, error: Exception, tried: list[str]
) -> None:
    class Fragile(Process):
        async def make(self, identifier: str, order: Any, path: str, on_progress: Any) -> Any:
            made = await super().make(identifier, order, path, on_progress)
            if order["source"]["model"] == "sdxl":
                raise error
            return made

    uses = Popularity(settings(tmp_path).popularity)
    for name in ("sdxl", "sdxl", "flux_dev"):
        uses.used(name)
    process = Fragile()
    made = card(tmp_path, process, "wan_2_2_5b", "sdxl", "flux_dev", preload=("wan_2_2_5b",))
    await made.warm_up()
    assert len(process.orders) == 1  # ready
    await made.left()
    assert [order["source"]["model"] for order in process.orders] == tried


async def test_what_still_waits_to_be_loaded_by_itself_is_let_go_of_at_the_end(
    tmp_path: Path,
) -> None:
    asked = settings(tmp_path)
    (tmp_path / "models" / "sdxl" / "unet").mkdir(parents=True)
    Popularity(asked.popularity).used("sdxl")
    async with opened(asked, module="tests.fakes.model_process") as made:
        await made.warm_up()
    assert made._following is not None
    assert made._following.cancelled()
    assert made._process.pid == 0


async def test_what_is_made_is_not_lost_with_a_counter_that_cannot_be_written(
    tmp_path: Path,
) -> None:
    made = card(tmp_path, Process(), "sdxl")
    settings(tmp_path).popularity.mkdir()
    work, path = local_work(ImageTask(prompt="a heron"), "sdxl", "g1"), tmp_path / "g1.png"
    await made.engine.make(work, path, on_progress=lambda _: None)
    assert path.read_bytes() == b"clip"


async def test_it_says_which_models_lie_in_memory_and_nothing_when_the_process_died(
    tmp_path: Path,
) -> None:
    process = Process()
    made = card(tmp_path, process, "wan_2_2_5b", "sdxl")
    assert (made.tier, made.device, made.memory().used) == (Tier.CINEMA, "H100", 0)
    process.loaded = [str(tmp_path / "models" / "sdxl")]
    await made.look()
    assert (made.loaded, made.memory().used, made.memory().total) == (("sdxl",), 5, 80)
    process.alive = False
    await made.look()
    assert (made.loaded, made.memory().used) == ((), 0)


def test_queues_are_taken_by_urgency_and_then_by_size_as_far_as_the_card_goes(
    tmp_path: Path,
) -> None:
    made = card(tmp_path, Process(), "wan_2_1_14b", "wan_2_2_5b", "sdxl")
    catalogue = load_catalogue()
    every = queues_of(settings(tmp_path), made, catalogue)
    assert [(queue.engine, queue.priority) for queue in every] == [
        (name, priority)
        for priority in (Priority.INTERACTIVE, Priority.BATCH)
        for name in ("wan_2_1_14b", "wan_2_2_5b", "sdxl")
    ]
    small = queues_of(settings(tmp_path, tier=Tier.FAST), made, catalogue)
    assert {queue.engine for queue in small} == {"sdxl"}
    one = queues_of(settings(tmp_path, engines=("wan_2_2_5b",)), made, catalogue)
    assert one[0] == Queue("wan_2_2_5b", Tier.BALANCED, Priority.INTERACTIVE)
    with pytest.raises(FailedPrecondition, match="sdxl, wan_2_1_14b"):
        queues_of(settings(tmp_path, tier=Tier.CPU), made, catalogue)


async def test_a_device_has_one_worker(tmp_path: Path) -> None:
    async with AsyncExitStack() as first, AsyncExitStack() as second:
        own_device(settings(tmp_path), first)
        own_device(settings(tmp_path, device=1), second)
        with pytest.raises(FailedPrecondition, match="another worker has device 0"):
            own_device(settings(tmp_path), second)
    async with AsyncExitStack() as after:
        own_device(settings(tmp_path), after)


async def test_a_machine_without_models_says_how_to_install_one(tmp_path: Path) -> None:
    with pytest.raises(FailedPrecondition, match="reelmesh models pull"):
        async with opened(settings(tmp_path)):
            raise AssertionError


def test_checkpoints_are_named_by_variable_or_lie_where_they_were_pulled(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "models" / "sdxl" / "unet").mkdir(parents=True)
    (tmp_path / "models" / "empty").mkdir()
    named = {"LOCAL_LTX_VIDEO_PATH": str(tmp_path / "mine"), "LOCAL_WAN_2_2_5B_PATH": "a/b@c0ffee"}
    found = sources(named, tmp_path / "models", offline=True)
    assert sorted(found) == ["ltx_video", "sdxl", "wan_2_2_5b"]
    assert (found["wan_2_2_5b"].location, found["wan_2_2_5b"].revision) == ("a/b", "c0ffee")
    assert found["sdxl"].offline
    [wan] = [model for model in local_models() if model.id == "wan_2_2_5b"]
    with pytest.raises(InvalidArgument, match="needs @revision"):
        source_of(wan, "somebody/model")


async def test_what_is_preloaded_is_never_evicted_and_adapters_are_found(
    tmp_path: Path,
) -> None:
    (tmp_path / "models" / "sdxl" / "unet").mkdir(parents=True)
    asked = settings(tmp_path, preload=("sdxl",), loras=tmp_path / "loras")
    async with opened(asked, module="tests.fakes.model_process") as made:
        order = json.loads(made._process._argv[-1])
    assert order["pinned"] == [str(tmp_path / "models" / "sdxl")]
    assert order["loras"] == str(tmp_path / "loras")


async def test_a_card_that_is_not_there_is_not_shared_with_its_neighbour(tmp_path: Path) -> None:
    (tmp_path / "models" / "sdxl" / "unet").mkdir(parents=True)
    asked = settings(tmp_path, device=3, loras=tmp_path / "on a card")  # has the process say so
    with pytest.raises(FailedPrecondition, match="no GPU 3 here, the last is 0"):
        async with opened(asked, module="tests.fakes.model_process"):
            raise AssertionError


def test_what_a_killed_worker_left_is_gone_and_its_neighbours_work_is_not(tmp_path: Path) -> None:
    mine, other = settings(tmp_path, name="n/1").scratch, settings(tmp_path, device=1).scratch
    for folder in (mine, other):
        (folder / "g1.work").mkdir(parents=True)
    emptied(mine)
    assert list(mine.iterdir()) == []
    assert mine.parent == other.parent == tmp_path / "scratch"  # a name is one folder, not two
    assert [path.name for path in other.iterdir()] == ["g1.work"]
