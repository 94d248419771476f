"""What only a card gets, put on the real modules of tiny checkpoints: it must not break them."""

from dataclasses import replace

import numpy as np
import pytest

from services.generator.domain.shapes import Shape
from services.generator.domain.vram import GIB, Device, Plan
from services.generator.engines.local import attention, speed
from services.generator.engines.local.attention import Mask
from services.generator.engines.local.families import recognise
from services.generator.engines.local.family import Frames, Picture, Resident, RunOrder
from services.generator.engines.local.probe import Source, folder_of, probe
from services.generator.engines.local.tiers import Tier, caching

pytestmark = [
    pytest.mark.xdist_group("torch"),
    pytest.mark.timeout(300),  # imports torch and diffusers
]

CPU = Device(total_bytes=GIB)
H200 = Device(kind="cuda", name="card", total_bytes=139 * GIB, capability=(9, 0))
CLIP = Shape(width=64, height=64, frames=9, fps=24.0)
STILL = Shape(width=64, height=64)
DECODERS = (
    "wan_2_1", "wan_2_2_5b", "ltx_video", "ltx_2", "hunyuan_video", "hunyuan_video_1_5",
    "cogvideox", "stability_svd", "flux_dev", "sdxl",
)  # fmt: skip
COMPILED = ("wan_2_1", "wan_2_2_5b", "ltx_video", "hunyuan_video", "flux_dev", "sdxl")


def loaded(folder) -> Resident:
    """A checkpoint as its family loads it on a processor, for its least shape."""
    family = recognise(probe(folder))
    asked = STILL if family.longest == 1 else CLIP
    plan = Plan(device=CPU, shape=family.snap(asked))
    return family.load(Source(model=folder.name, location=str(folder)), plan)


def made(model: Resident, tier: Tier = Tier.LOSSLESS):
    """Pixels of four steps."""
    family = recognise(probe(folder_of(model.source)))
    order = RunOrder(prompts=("a fox",), seeds=(7,), shape=model.plan.shape, steps=4)
    with caching(model.pipeline, tier):
        [output] = family.run(model, order, lambda _done, _total: None)
        if isinstance(output, Frames):
            return np.concatenate([*output.chunks]).astype(np.int16)
    assert isinstance(output, Picture)
    return output.pixels.astype(np.int16)


@pytest.fixture
def tuned(monkeypatch):
    """Do to a model what is done on a card; the kernels and the compiler are those of here."""
    import torch

    plain = torch.nn.Module.compile
    monkeypatch.setattr(speed, "attention_for", lambda _part, _device: "native")
    monkeypatch.setattr(speed, "compiles", lambda _device: "")
    monkeypatch.setattr(
        torch.nn.Module, "compile", lambda self, **how: plain(self, **how, backend="eager")
    )

    def on_card(model: Resident) -> Resident:
        model.plan = replace(model.plan, device=H200)
        return speed.tuned(model)

    yield on_card
    torch._dynamo.reset()


@pytest.mark.parametrize("name", DECODERS)
def test_every_decoder_takes_the_layout_of_a_card(shelf, name) -> None:
    """Decoders of clips mix convolutions over pictures and over time: each has its own layout."""
    import diffusers
    import torch

    decoder = diffusers.AutoModel.from_pretrained(str(shelf.get(name)), subfolder="vae")
    assert speed._channels_last(decoder) == {"channels": "last"}
    for weight in decoder.parameters():
        if weight.dim() == 5:
            assert weight.is_contiguous(memory_format=torch.channels_last_3d)
        if weight.dim() == 4:
            assert weight.is_contiguous(memory_format=torch.channels_last)


def test_the_layout_changes_no_pixel_by_more_than_a_level(shelf) -> None:
    model = loaded(shelf.get("wan_2_2_5b"))
    before = made(model)
    speed._channels_last(model.pipeline.vae)
    assert abs(made(model) - before).max() <= 1


@pytest.mark.parametrize(
    ("name", "mask"), [("ltx_video", Mask.BIAS), ("hunyuan_video", Mask.PADDING)]
)
def test_a_trial_hides_words_as_the_denoiser_does(shelf, monkeypatch, name, mask) -> None:
    """What a step hands to the kernels, beside what the trial hands to them."""
    from diffusers.models import attention_dispatch

    seen: set[tuple[str, int]] = set()
    kernels = attention_dispatch._AttentionBackendRegistry._backends
    native = attention_dispatch.AttentionBackendName.NATIVE
    kept = kernels[native]

    def told(*, attn_mask=None, **more):
        if attn_mask is not None:
            seen.add((str(attn_mask.dtype), attn_mask.dim()))
        return kept(attn_mask=attn_mask, **more)

    monkeypatch.setitem(kernels, native, told)
    made(loaded(shelf.get(name)))
    real = set(seen)
    seen.clear()
    attention.trial_on(CPU, mask, tokens=64)
    assert seen == real != set()


@pytest.mark.stress
@pytest.mark.parametrize("name", COMPILED)
@pytest.mark.timeout(900)
def test_every_tier_works_on_compiled_blocks(shelf, tuned, name) -> None:
    """The hooks of step caches leave the graph in the middle, which one whole graph forbids."""
    model = loaded(shelf.get(name))
    before = [made(model, tier) for tier in (Tier.LOSSLESS, Tier.STANDARD, Tier.FAST)]
    assert tuned(model).plan.settings["compiled"] == "blocks"
    for tier, pixels in zip((Tier.LOSSLESS, Tier.STANDARD, Tier.FAST), before, strict=True):
        assert abs(made(model, tier) - pixels).max() <= 1
