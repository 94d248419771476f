"""What is switched on for a card, shown on parts that only remember what they were told."""

import math
import sys
from dataclasses import replace
from types import ModuleType, SimpleNamespace

import pytest

from services.generator.domain.shapes import Shape
from services.generator.domain.vram import GIB, Device, Plan, Rung
from services.generator.engines.local import attention, precision, speed
from services.generator.engines.local.attention import NATIVE, Mask, candidates, fastest
from services.generator.engines.local.compiling import compiles
from services.generator.engines.local.families import FAMILIES
from services.generator.engines.local.family import Resident
from services.generator.engines.local.precision import dtype_for, has_fp8
from services.generator.engines.local.probe import Source


def card(major: int, minor: int) -> Device:
    return Device(kind="cuda", name="card", total_bytes=80 * GIB, capability=(major, minor))


H200, A100, ADA, TURING, PASCAL = card(9, 0), card(8, 0), card(8, 9), card(7, 5), card(6, 1)
CPU = Device(total_bytes=GIB)


@pytest.mark.parametrize(
    ("device", "family", "dtype"),
    [
        (H200, "wan", "bfloat16"),
        (A100, "ltx_video", "bfloat16"),
        (ADA, "sdxl", "bfloat16"),
        (TURING, "sdxl", "float16"),  # no bfloat16 before Ampere
        (TURING, "ltx_video", "float32"),  # T5 overflows float16
        (TURING, "wan_image", "float32"),
        (PASCAL, "sdxl", "float32"),
        (CPU, "wan", "float32"),
    ],
)
def test_a_card_computes_only_in_what_it_has(device, family, dtype) -> None:
    assert dtype_for(device, family) == dtype


def test_families_that_overflow_are_called_by_the_names_that_they_have() -> None:
    families = {family.name for family in FAMILIES}
    wide = {name for name in families if dtype_for(TURING, name) == "float32"}
    assert wide == precision._OVERFLOWING  # a name that nobody has would guard nobody
    words_by_t5 = {"wan", "cogvideox", "ltx"}
    assert {name for name in families if name.split("_")[0] in words_by_t5} <= wide


def test_a_family_overflows_where_the_one_that_it_is_made_of_does() -> None:
    overflowing = {
        type(family) for family in FAMILIES if dtype_for(TURING, family.name) == "float32"
    }
    others = [family for family in FAMILIES if type(family) not in overflowing]
    assert not [family.name for family in others if isinstance(family, tuple(overflowing))]


def test_fp8_is_for_ada_and_later() -> None:
    assert [has_fp8(each) for each in (H200, ADA, A100, TURING, CPU)] == [True, True, *[False] * 3]


@pytest.mark.parametrize("device", [H200, A100])
def test_masks_leave_out_the_kernels_that_refuse_them(device) -> None:
    plain = {"flash_hub", "flash", "_flash_3_hub", "_flash_3"}
    assert plain & set(candidates(device, Mask.NONE))
    assert not plain & set(candidates(device, Mask.PADDING))
    assert "flash_varlen_hub" in candidates(device, Mask.PADDING)
    assert candidates(device, Mask.BIAS) == ("_native_cudnn", NATIVE)
    assert {candidates(device, mask)[-1] for mask in Mask} == {NATIVE}


def test_a_hopper_card_has_a_kernel_of_its_own() -> None:
    assert candidates(H200, Mask.NONE)[0] == "_flash_3_hub"
    assert "_flash_3_hub" not in candidates(A100, Mask.NONE)
    assert candidates(CPU, Mask.PADDING) == candidates(TURING, Mask.NONE) == (NATIVE,)


def test_the_fastest_kernel_that_works_is_taken() -> None:
    seconds = {"broken": math.nan, NATIVE: 3.0, "flash": 1.0, "slow": 2.0}

    def trial(name: str) -> float:
        if name == "broken":
            message = "no such kernel"
            raise RuntimeError(message)
        return seconds[name]

    assert fastest(tuple(seconds), trial) == "flash"
    assert fastest(("broken",), trial) == NATIVE


@pytest.mark.xdist_group("torch")
@pytest.mark.timeout(300)  # imports torch
def test_a_real_trial_runs_what_is_here_and_refuses_what_is_not() -> None:
    plain = attention.trial_on(CPU, Mask.NONE, tokens=64)
    assert plain("_native_math") > 0
    with pytest.raises(RuntimeError):
        plain("flash")
    masked = attention.trial_on(CPU, Mask.PADDING, tokens=64)
    with pytest.raises(ValueError, match="attn_mask"):
        masked("_native_flash")
    assert masked(NATIVE) > 0


class Part:
    """A denoiser or decoder that remembers what it was told."""

    _repeated_blocks = ("Block",)

    def __init__(self, dims: int = 2) -> None:
        import torch

        self.told: list[object] = []
        self.weight = torch.nn.Parameter(torch.empty([2] * dims))

    def set_attention_backend(self, name: str) -> None:
        self.told.append(name)

    def compile_repeated_blocks(self, **kwargs: bool) -> None:
        self.told.append(kwargs)

    def parameters(self):
        return [self.weight]


class Pipe:
    def __init__(self, dims: int = 5) -> None:
        self.transformer = Part()
        self.vae = Part(dims)


def layout_of(weight) -> str:
    import torch

    for name in ("channels_last", "channels_last_3d"):
        if weight.dim() == (5 if name.endswith("3d") else 4):
            there = weight.is_contiguous(memory_format=getattr(torch, name))
            return name if there else "contiguous"
    return "contiguous"


def resident(device: Device, rung: Rung = Rung.RESIDENT, dims: int = 5) -> Resident:
    plan = Plan(device=device, shape=Shape(), dtype="bfloat16", rung=rung)
    source = Source(model="m", location="owner/name", revision="1")
    return Resident(pipeline=Pipe(dims), source=source, plan=plan)


@pytest.fixture
def one_kernel(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(speed, "attention_for", lambda _part, _device: "flash")
    monkeypatch.setattr(speed, "compiles", lambda _device: "")


@pytest.mark.xdist_group("torch")
@pytest.mark.timeout(300)  # imports torch
@pytest.mark.parametrize(("dims", "layout"), [(5, "channels_last_3d"), (4, "channels_last")])
def test_a_card_gets_its_kernel_compiled_blocks_and_its_layout(one_kernel, dims, layout) -> None:
    model = speed.tuned(resident(H200, dims=dims))
    assert model.pipeline.transformer.told == ["flash", {"fullgraph": False, "dynamic": True}]
    assert layout_of(model.pipeline.vae.weight) == layout
    told = {"attention": "flash", "compiled": "blocks", "channels": "last"}
    assert model.plan == replace(resident(H200).plan, settings=told)


def test_without_a_compiler_nothing_is_compiled_and_the_record_says_why(
    one_kernel, monkeypatch
) -> None:
    monkeypatch.setattr(speed, "compiles", lambda _device: "Failed to find C compiler")
    model = resident(H200)
    model.pipeline.vae = None
    told = speed.tuned(model).plan.settings
    assert told["compiled"] == "no, Failed to find C compiler"
    assert model.pipeline.transformer.told == ["flash"]


@pytest.mark.xdist_group("torch")
@pytest.mark.timeout(300)  # imports torch
def test_compiling_is_tried_before_it_is_relied_on() -> None:
    """There is no card here: whatever torch says of it is the reason, and nothing is raised."""
    assert compiles(CPU) == "a processor gains nothing by it"
    assert compiles(H200) != ""


@pytest.mark.xdist_group("torch")
@pytest.mark.timeout(300)  # imports torch
def test_weights_that_come_and_go_are_not_compiled(one_kernel) -> None:
    model = speed.tuned(resident(A100, Rung.OFFLOADED))
    assert model.pipeline.transformer.told == ["flash"]


@pytest.mark.parametrize(
    ("device", "tier", "rung", "bits"),
    [
        (H200, "fast", Rung.RESIDENT, "fp8"),
        (ADA, "fast", Rung.TILED, "fp8"),
        (A100, "fast", Rung.RESIDENT, "int8"),  # it does not multiply in fp8
        (H200, "standard", Rung.RESIDENT, ""),
        (H200, "fast", Rung.OFFLOADED, ""),
        (CPU, "fast", Rung.RESIDENT, ""),
    ],
)
def test_the_fast_tier_multiplies_in_what_the_card_has(
    monkeypatch, one_kernel, device, tier, rung, bits
) -> None:
    done: list[str] = []
    fake = ModuleType("torchao")
    fake.quantization = SimpleNamespace(  # type: ignore[attr-defined]  # a module made for this test
        Float8DynamicActivationFloat8WeightConfig=lambda: "fp8",
        Int8DynamicActivationInt8WeightConfig=lambda: "int8",
        quantize_=lambda _part, config: done.append(config),
    )
    monkeypatch.setitem(sys.modules, "torchao", fake)
    model = resident(device, rung)
    model.pipeline.vae = None
    model.plan = replace(model.plan, settings={"tier": tier})
    assert speed.tuned(model).plan.settings.get("bits", "") == bits
    assert done == ([bits] if bits else [])


def test_a_missing_torchao_is_told(monkeypatch, one_kernel) -> None:
    monkeypatch.setitem(sys.modules, "torchao", None)
    model = resident(H200)
    model.pipeline.vae = None
    model.plan = replace(model.plan, settings={"tier": "fast"})
    assert speed.tuned(model).plan.settings["bits"] == "16, torchao is not installed"
    assert model.plan.load == "fast" != resident(H200).plan.load  # never shared with the exact one


def test_a_processor_is_left_as_it_is() -> None:
    model = speed.tuned(resident(CPU))
    assert model.pipeline.transformer.told == []
    assert layout_of(model.pipeline.vae.weight) == "contiguous"
