"""A host in this process with a tiny LTX-Video: what a card would do, on the processor."""

import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from services.common.errors import InvalidArgument, NoDevice
from services.generator.domain.shapes import Shape
from services.generator.domain.tasks import Operation
from services.generator.domain.vram import GIB, Device, Rung
from services.generator.engines.local import families, memory
from services.generator.engines.local.asks import Ask
from services.generator.engines.local.families.ltx_video import LtxVideo
from services.generator.engines.local.family import Stopped
from services.generator.engines.local.host import Host
from services.generator.engines.local.order import Watch
from services.generator.engines.local.probe import Source
from services.generator.engines.local.residency import Residency
from tests.fakes.checkpoints import Shelf

pytestmark = [
    pytest.mark.xdist_group("torch"),
    pytest.mark.timeout(300),  # imports torch
    # diffusers' scheduler on NumPy 2
    pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning"),
]
SMALL = Shape(width=64, height=64, frames=9, fps=8.0, seconds=9 / 8)


class Kept:
    """Takes the place of the writer: keeps the frames by the name of the file."""

    def __init__(self) -> None:
        self.films: dict[str, np.ndarray] = {}

    def __call__(self, path: Path, output, asked: Shape) -> Shape:
        film = np.concatenate(list(output.chunks))[: asked.frames]
        self.films[path.name] = film
        return replace(asked, frames=len(film))


class Fixture:
    def __init__(
        self, folder: Path, *, family=None, budget: int = GIB, kind=Host, **kwargs
    ) -> None:
        self.folder = folder
        self.kept = Kept()
        self.budget = budget
        self.residency = Residency(lambda: self.budget, let_go=memory.let_go)
        known = families.FAMILIES if family is None else (family,)
        self.host = kind(
            Device(total_bytes=GIB),
            self.residency,
            budget=lambda: self.budget,
            families=known,
            write=self.kept,
            **kwargs,
        )

    def ask(self, name: str = "a", *, steps: int = 2, seed: int = 7, **kwargs) -> Ask:
        options = {"steps": steps, **kwargs.pop("options", {})}
        values = {
            "identifier": name,
            "operation": Operation.VIDEO,
            "source": Source(model="ltx_video", location=str(self.folder)),
            "shape": SMALL,
            "prompt": "a fox runs",
            "seed": seed,
            "options": options,
            **kwargs,
        }
        return Ask(**values)

    def made(self, name: str = "a", *, watch: Watch | None = None, **kwargs):
        made = self.host.carry_out(self.ask(name, **kwargs), Path(name), watch or Watch())
        return made, self.kept.films[name]


@pytest.fixture
def ltx(shelf: Shelf) -> Path:
    folder: Path = shelf.get("ltx_video")
    return folder


def test_the_seed_alone_decides_and_the_second_request_loads_nothing(ltx) -> None:
    fixture = Fixture(ltx)
    first, film = fixture.made("a")
    again, same = fixture.made("b")
    _, other = fixture.made("c", seed=8)
    assert film.shape == (9, 64, 64, 3)
    assert np.array_equal(film, same)
    assert not np.array_equal(film, other)
    assert first.load_seconds > 0 == again.load_seconds
    assert len(fixture.residency.loaded) == 1


def test_two_at_once_give_what_one_after_the_other_gives(ltx) -> None:
    fixture = Fixture(ltx)
    alone = {seed: fixture.made(str(seed), seed=seed)[1] for seed in (1, 2, 3, 4)}
    with ThreadPoolExecutor(4) as threads:
        asked = {s: threads.submit(fixture.made, f"again {s}", seed=s) for s in alone}
        together = {seed: each.result(60)[1] for seed, each in asked.items()}
    assert all(np.array_equal(alone[seed], together[seed]) for seed in alone)


def test_progress_is_told_at_every_step_and_never_goes_back(ltx) -> None:
    told: list[float] = []
    Fixture(ltx).made(steps=4, watch=Watch(told.append))
    assert told == sorted(told)
    assert len(set(told)) == 5


@pytest.mark.parametrize("tier", ["lossless", "standard"])
def test_a_cancelled_run_stops_at_the_next_step_and_does_not_taint_the_next(ltx, tier) -> None:
    fixture = Fixture(ltx)
    options = {"tier": tier}
    _, film = fixture.made("before", steps=6, options=options)
    watch = Watch()
    steps: list[float] = []

    def stop_after_three(fraction: float) -> None:
        steps.append(fraction)
        if len(steps) == 4:  # the first is told before any step
            watch.stop.set()

    watch.on_progress = stop_after_three
    with pytest.raises(Stopped):
        fixture.made("stopped", steps=6, seed=5, options=options, watch=watch)
    assert len(steps) == 4
    _, after = fixture.made("after", steps=6, options=options)
    assert np.array_equal(film, after)


def test_the_standard_tier_leaves_nothing_on_the_model(ltx) -> None:
    fixture = Fixture(ltx)
    _, before = fixture.made("a", steps=8)
    _, cached = fixture.made("b", steps=8, options={"tier": "standard"})
    _, after = fixture.made("c", steps=8)
    assert np.array_equal(before, after)
    assert cached.shape == before.shape


def test_a_long_clip_is_made_of_runs_and_has_exactly_its_frames(ltx) -> None:
    family = LtxVideo()
    family.longest = 17
    fixture = Fixture(ltx, family=family)
    made, film = fixture.made(shape=replace(SMALL, frames=40))
    assert film.shape == (40, 64, 64, 3)
    assert "made in 4 runs of up to 17 frames, blended" in made.warnings
    steps = np.abs(np.diff(film.astype(int), axis=0)).mean(axis=(1, 2, 3))
    assert steps[16] <= steps.max()


class ShortOfMemory(LtxVideo):
    """Runs out of memory at one stage, as long as the plan has not given in far enough."""

    def __init__(self, stage: str, until: Rung) -> None:
        self.stage = stage
        self.until = until
        self.failed: list[Rung] = []

    def _fail(self, stage: str, plan) -> None:
        import torch

        if stage == self.stage and plan.rung < self.until:
            self.failed.append(plan.rung)
            raise torch.OutOfMemoryError("CUDA out of memory")

    def load(self, source, plan):
        resident = super().load(source, plan)
        self._fail("load", plan)
        return resident

    def run(self, resident, order, on_step):
        def step(done: int, total: int) -> None:
            on_step(done, total)
            if done == 1:
                self._fail("denoise", resident.plan)

        return super().run(resident, order, step)


@pytest.mark.parametrize("stage", ["load", "denoise"])
def test_memory_that_runs_out_leads_one_rung_down_and_the_next_job_is_well(ltx, stage) -> None:
    family = ShortOfMemory(stage, Rung.TILED)
    fixture = Fixture(ltx, family=family)
    made, film = fixture.made()
    assert family.failed == [Rung.RESIDENT]
    assert "memory ran out resident; made tiled instead" in made.warnings
    assert "tiled" in made.method
    assert len(fixture.residency.loaded) == 1
    family.stage = "none"
    _, after = fixture.made("after")
    assert np.array_equal(after, Fixture(ltx).made()[1])
    assert film.shape == after.shape


def test_memory_that_runs_out_on_every_rung_fails_typed_and_the_next_job_is_well(ltx) -> None:
    family = ShortOfMemory("denoise", Rung.OFFLOADED)
    fixture = Fixture(ltx, family=family)
    with pytest.raises(NoDevice, match=r"memory ran out on every rung.*resident, tiled"):
        fixture.made()
    assert (fixture.residency.used, fixture.residency.loaded) == (0, ())
    family.stage = "none"
    fixture.made("after")


def test_memory_that_runs_out_in_decoding_costs_no_step(ltx, monkeypatch) -> None:
    import torch
    from diffusers import AutoencoderKLLTXVideo

    whole = AutoencoderKLLTXVideo.decode
    tiled: list[bool] = []
    short = True

    def decode(self, *given, **more):
        tiled.append(self.use_tiling)
        if short and not self.use_tiling:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return whole(self, *given, **more)

    fixture = Fixture(ltx)
    _, before = fixture.made("before")
    told: list[float] = []
    monkeypatch.setattr(AutoencoderKLLTXVideo, "decode", decode)
    made, film = fixture.made("short", steps=3, watch=Watch(told.append))
    assert tiled == [False, True]
    assert "memory ran out while decoding; decoded in tiles" in made.warnings
    assert len(told) == 4  # once before the steps, once after each: none was made again
    assert film.shape == before.shape
    short = False
    after, same = fixture.made("after")
    assert np.array_equal(before, same)
    assert after.warnings == ()
    assert tiled == [False, True, False]  # the tiles were for the one that was short


def test_what_does_not_fit_is_refused_before_anything_is_loaded(ltx) -> None:
    fixture = Fixture(ltx, budget=2 * 2**20)
    with pytest.raises(NoDevice, match="GiB at least"):
        fixture.made(shape=replace(SMALL, width=1280, height=704))
    assert fixture.residency.loaded == ()


def test_where_memory_is_short_the_runs_are_shorter_and_no_frame_is_lost(ltx) -> None:
    fixture = Fixture(ltx, budget=20 * 2**20)
    shape = Shape(width=64, height=64, frames=81, fps=24.0, seconds=81 / 24)
    made, film = fixture.made(shape=shape)
    assert len(film) == 81
    assert any("runs of up to" in warning for warning in made.warnings)


def test_an_unknown_wish_is_refused_by_its_name(ltx) -> None:
    fixture = Fixture(ltx)
    with pytest.raises(InvalidArgument, match=r"local\.tier.*lossless, standard, fast, dist"):
        fixture.made(options={"tier": "best"})
    with pytest.raises(InvalidArgument, match=r"options\.local\.steps"):
        fixture.made(options={"steps": 0.5})
    with pytest.raises(InvalidArgument, match="makes video, not image"):
        fixture.made(operation=Operation.IMAGE)


@pytest.fixture(scope="session")
def adapters(shelf: Shelf, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with one tiny adapter for LTX."""
    from diffusers import DiffusionPipeline
    from peft import LoraConfig
    from peft.utils import get_peft_model_state_dict

    folder = tmp_path_factory.mktemp("loras")
    pipeline = DiffusionPipeline.from_pretrained(shelf.get("ltx_video"))
    names = ["to_q", "to_k", "to_v", "to_out.0"]
    config = LoraConfig(r=2, lora_alpha=2, target_modules=names, init_lora_weights=False)
    pipeline.transformer.add_adapter(config)
    layers = get_peft_model_state_dict(pipeline.transformer)
    type(pipeline).save_lora_weights(
        folder, transformer_lora_layers=layers, weight_name="noir.safetensors"
    )
    return folder


def test_an_adapter_works_for_its_request_alone(ltx, adapters) -> None:
    fixture = Fixture(ltx, loras=adapters)
    _, plain = fixture.made("a")
    _, noir = fixture.made("b", options={"lora": [{"name": "noir", "weight": 1.0}]})
    _, weak = fixture.made("c", options={"lora": [{"name": "noir", "weight": 0.1}]})
    _, after = fixture.made("d")
    assert np.array_equal(plain, after)
    assert not np.array_equal(plain, noir)
    assert not np.array_equal(noir, weak)
    assert len(fixture.residency.loaded) == 1


def test_the_distilled_tier_makes_few_steps_with_its_adapter(ltx, adapters) -> None:
    fixture = Fixture(ltx, loras=adapters)
    told: list[float] = []
    with pytest.raises(InvalidArgument, match=r"needs the adapter ltx_video-distilled"):
        fixture.made(options={"tier": "distilled"})
    adapter = adapters / "ltx_video-distilled.safetensors"
    adapter.write_bytes((adapters / "noir.safetensors").read_bytes())
    try:
        fixture.made("few", steps=0, options={"tier": "distilled"}, watch=Watch(told.append))
    finally:
        adapter.unlink()
    assert len(told) == 9  # eight steps, and once before them


class Halved(Host):
    def precision(self, family) -> str:
        return "bfloat16"


def test_half_the_bits_change_little(ltx) -> None:
    fixture = Fixture(ltx)
    _, full = fixture.made("full", steps=4)
    halved = fixture.residency.loaded
    half = Fixture(ltx, kind=Halved)
    _, film = half.made("half", steps=4)
    assert "bfloat16" in half.residency.loaded[0]
    assert "bfloat16" not in halved[0]
    assert not np.array_equal(full, film)
    wrong = full.astype(float) - film
    peak_to_noise = 10 * np.log10(255**2 / (wrong**2).mean())
    assert peak_to_noise > 30


def test_an_adapter_of_another_model_is_refused_by_name_and_the_next_job_is_well(
    ltx, adapters
) -> None:
    from safetensors.torch import load_file, save_file

    noir = load_file(adapters / "noir.safetensors")
    wrong = {
        "wide": {name: each.repeat(2, 2) for name, each in noir.items()},
        "strange": {f"unheard_of.{name}": each for name, each in noir.items()},
    }
    fixture = Fixture(ltx, loras=adapters)
    _, before = fixture.made("before")
    for name, weights in wrong.items():
        path = adapters / f"{name}.safetensors"
        save_file(weights, path)
        try:
            with pytest.raises(InvalidArgument, match=f"{name} does not fit this model"):
                fixture.made(options={"lora": [{"name": name}]})
        finally:
            path.unlink()
    assert np.array_equal(fixture.made("after")[1], before)


@pytest.mark.parametrize("name", ["../../etc/passwd", "colour", 7])
def test_an_adapter_that_is_not_installed_is_refused_and_the_others_named(
    ltx, adapters, name
) -> None:
    fixture = Fixture(ltx, loras=adapters)
    with pytest.raises(InvalidArgument, match=r"lora\.name.*allowed: noir"):
        fixture.made(options={"lora": [{"name": name}]})


def test_a_run_that_nobody_waits_for_leaves_the_line(ltx) -> None:
    fixture = Fixture(ltx)
    fixture.made("load")
    hold, begun = threading.Event(), threading.Event()

    def slowly(_fraction: float) -> None:
        begun.set()
        hold.wait(60)

    gone = Watch()
    with ThreadPoolExecutor(2) as threads:
        first = threads.submit(fixture.made, "first", watch=Watch(slowly))
        assert begun.wait(60)
        second = threads.submit(fixture.made, "second", watch=gone)
        gone.stop.set()
        with pytest.raises(Stopped):
            second.result(60)
        hold.set()
        first.result(60)
    assert "second" not in fixture.kept.films


@pytest.mark.parametrize("rung", [Rung.ENCODER_OFF, Rung.QUANTISED, Rung.OFFLOADED])
def test_every_rung_loads_and_makes_the_same_film(ltx, rung) -> None:
    class Lower(Host):
        """A device on which the rungs above do not fit."""

        def room(self, family, settings):
            return replace(super().room(family, settings), least=rung, moves=True)

    exact = Fixture(ltx)
    _, whole = exact.made("whole")
    lower = Fixture(ltx, kind=Lower)
    made, film = lower.made("lower")
    _, again = lower.made("again")
    assert rung.name.lower() in made.method
    assert np.array_equal(film, again)
    if rung < Rung.QUANTISED:
        assert np.array_equal(film, whole)
        assert made.warnings == ()
    else:
        assert np.abs(film.astype(int) - whole).mean() < 8
        assert "in eight bits" in made.warnings[0]
