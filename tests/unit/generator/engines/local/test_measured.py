"""Real configurations on fake tensors, held against figures that others have published."""

import pytest

from services.generator.domain.shapes import Shape, tokens
from services.generator.domain.vram import GIB
from services.generator.engines.local.families.ltx_video import LtxVideo
from services.generator.engines.local.families.wan_animate import WanAnimate
from services.generator.engines.local.measured import _measured, denoise_bytes
from services.generator.engines.local.probe import CheckpointFacts, ComponentFacts

pytestmark = [
    pytest.mark.xdist_group("torch"),
    pytest.mark.timeout(300),  # imports torch
]
LTX = {"in_channels": 128, "out_channels": 128, "caption_channels": 4096, "num_layers": 28}
LTX_2B = {**LTX, "num_attention_heads": 32, "attention_head_dim": 64, "cross_attention_dim": 2048}
LTX_13B = {**LTX, "num_attention_heads": 32, "attention_head_dim": 128, "cross_attention_dim": 4096}
WAN = {"in_channels": 16, "out_channels": 16, "text_dim": 4096, "num_layers": 40}
WAN_14B = {**WAN, "num_attention_heads": 40, "attention_head_dim": 128, "ffn_dim": 13824}
WAN_1_3B = {**WAN, "num_attention_heads": 12, "attention_head_dim": 128, "ffn_dim": 8960}
WAN_5B = {
    **WAN, "in_channels": 48, "out_channels": 48, "num_attention_heads": 24,
    "attention_head_dim": 128, "ffn_dim": 14336,
}  # fmt: skip
ANIMATE: dict[str, object] = {
    "num_attention_heads": 40, "attention_head_dim": 128, "ffn_dim": 13824, "num_layers": 40,
    "in_channels": 36, "latent_channels": 16, "out_channels": 16, "text_dim": 4096,
    "image_dim": 1280, "motion_encoder_size": 512, "inject_face_latents_blocks": 5,
}  # fmt: skip
HUNYUAN = {
    "in_channels": 16, "out_channels": 16, "text_embed_dim": 4096, "pooled_projection_dim": 768,
    "num_layers": 20, "num_single_layers": 40, "guidance_embeds": True,
}  # fmt: skip
FLUX = {
    "in_channels": 64, "joint_attention_dim": 4096, "pooled_projection_dim": 768,
    "num_layers": 19, "num_single_layers": 38, "guidance_embeds": True,
}  # fmt: skip


def measured(kind: str, config: dict[str, object], frames: int, width: int, height: int) -> float:
    shape = Shape(width=width, height=height, frames=frames)
    found = denoise_bytes(kind, config, shape, "bfloat16")
    assert found is not None
    return found / GIB


@pytest.mark.parametrize(
    ("kind", "config", "size", "gib"),
    [
        # The LTX figures are for one half of the guidance; both run at once.
        ("LTXVideoTransformer3DModel", LTX_2B, (121, 768, 512), 2 * 0.38),
        ("WanTransformer3DModel", WAN_14B, (81, 1280, 720), 8.0),
    ],
)
def test_a_step_needs_what_was_published(kind, config, size, gib) -> None:
    assert measured(kind, config, *size) == pytest.approx(gib, rel=0.05)


@pytest.mark.stress
@pytest.mark.parametrize(
    ("kind", "config", "size", "gib"),
    [
        ("LTXVideoTransformer3DModel", LTX_13B, (121, 1216, 704), 2 * 1.64),
        ("WanTransformer3DModel", WAN_1_3B, (81, 832, 480), 1.51),
        ("WanTransformer3DModel", WAN_14B, (81, 832, 480), 3.5),
        ("WanTransformer3DModel", WAN_5B, (121, 1280, 704), 2.1),
        ("HunyuanVideoTransformer3DModel", HUNYUAN, (129, 960, 544), 7.0),
        ("HunyuanVideoTransformer3DModel", HUNYUAN, (129, 1280, 720), 12.4),
        ("FluxTransformer2DModel", FLUX, (1, 1024, 1024), 0.46),
    ],
)
def test_every_denoiser_needs_what_was_published(kind, config, size, gib) -> None:
    assert measured(kind, config, *size) == pytest.approx(gib, rel=0.05)


def test_a_step_that_nobody_has_published_needs_what_its_family_says() -> None:
    part = ComponentFacts(class_name="x", parameters=1, config=ANIMATE)
    facts = CheckpointFacts(
        class_name="WanAnimatePipeline", components={"transformer": part}, index={}, digest=""
    )
    shape = Shape(frames=77, width=832, height=480)
    step = WanAnimate().footprint(facts, shape).denoise / GIB
    kept = 12 * 77 * 832 * 480 / GIB  # of the frames that are there already, in float32
    found = measured("WanAnimateTransformer3DModel", ANIMATE, 77, 832, 480)
    assert found == pytest.approx(step - kept, rel=0.05)


def test_a_denoiser_that_nobody_knows_how_to_try_is_left_to_its_family() -> None:
    shape = Shape(width=64, height=64)
    assert denoise_bytes("AbacusTransformer", {}, shape, "bfloat16") is None
    assert denoise_bytes("WanTransformer3DModel", {"in_channels": "x"}, shape, "bfloat16") is None


@pytest.mark.parametrize(
    ("config", "size", "denoise", "decode", "tiled"),
    [
        (LTX_2B, (121, 768, 512), 2 * 0.38, 4.44, 2.96),
        (LTX_13B, (121, 1216, 704), 2 * 1.64, 9.67, 3.14),
    ],
)
def test_the_coefficients_of_ltx_are_those_of_the_published_figures(
    config, size, denoise, decode, tiled
) -> None:
    part = ComponentFacts(class_name="LTXVideoTransformer3DModel", parameters=1, config=config)
    facts = CheckpointFacts(
        class_name="LTXPipeline",
        components={
            "transformer": part,
            "text_encoder": ComponentFacts(class_name="T5", parameters=1),
        },
        index={},
        digest="",
    )
    shape = Shape(frames=size[0], width=size[1], height=size[2])
    need = LtxVideo().footprint(facts, shape)
    assert need.denoise / GIB == pytest.approx(denoise, rel=0.05)
    assert need.decode / GIB == pytest.approx(decode, rel=0.05)
    assert need.decode_tiled / GIB == pytest.approx(tiled, rel=0.08)
    assert tokens(shape, time=8, side=32) in {6_144, 13_376}


def test_what_is_remembered_of_shapes_has_an_end_and_goes_by_what_a_step_sees() -> None:
    from torch._subclasses.fake_tensor import FakeTensorMode

    small = {**LTX_2B, "num_attention_heads": 2, "attention_head_dim": 16, "num_layers": 2}
    small |= {"cross_attention_dim": 32, "caption_channels": 32}
    found = set()
    for fps in (8.0, 24.0, 30.0):
        shape = Shape(width=64, height=64, frames=9, fps=fps, seconds=9 / fps)
        found.add(denoise_bytes("LTXVideoTransformer3DModel", small, shape, "bfloat16"))
        told = _measured.cache_info()
    assert len(found) == 1
    assert (told.currsize, told.hits) >= (1, 2)
    assert told.maxsize == 512
    assert FakeTensorMode.cache == {}  # torch's own, for all of the process
