"""What runs are predicted to need, against runs of the real sizes on fake tensors (bfloat16)."""

import pytest

from services.generator.domain.shapes import Shape
from services.generator.domain.vram import GIB
from services.generator.engines.local.families import recognise
from services.generator.engines.local.probe import CheckpointFacts, ComponentFacts


def checkpoint(class_name, heads=0, size=0, denoiser="transformer", **config):
    if heads:
        config |= {"num_attention_heads": heads, "attention_head_dim": size}
    parts = {
        denoiser: ComponentFacts(class_name="Denoiser", parameters=1, config=config),
        "text_encoder": ComponentFacts(class_name="Encoder", parameters=1),
        "vae": ComponentFacts(class_name="Vae", parameters=1),
    }
    flags = {"expand_timesteps": True} if class_name.endswith("+") else {}
    return CheckpointFacts(
        class_name=class_name.rstrip("+"), components=parts, index=flags, digest=""
    )


UNET = {"denoiser": "unet", "block_out_channels": [320, 640, 1280]}
CHECKPOINTS = {
    "ltx_2b": checkpoint("LTXPipeline", 32, 64),
    "ltx_13b": checkpoint("LTXPipeline", 32, 128),
    "ltx_2": checkpoint("LTX2Pipeline", 32, 128),
    "wan_1_3b": checkpoint("WanPipeline", 12, 128, ffn_dim=8960),
    "wan_14b": checkpoint("WanPipeline", 40, 128, ffn_dim=13824),
    "wan_5b": checkpoint("WanPipeline+", 24, 128, ffn_dim=14336),
    "hunyuan": checkpoint("HunyuanVideoPipeline", 24, 128),
    "hunyuan_1_5": checkpoint("HunyuanVideo15Pipeline", 16, 128),
    "cogvideox": checkpoint("CogVideoXPipeline", 48, 64),
    "svd": checkpoint("StableVideoDiffusionPipeline", **UNET),
    "flux": checkpoint("FluxPipeline", 24, 128),
    "sdxl": checkpoint("StableDiffusionXLPipeline", **UNET),
}
# Name, frames, width, height, and GiB: at a step, decoded whole, decoded in tiles (None: unknown).
MEASURED = [
    ("ltx_2b", 121, 768, 512, 0.76, 4.44, 2.96),
    ("ltx_13b", 121, 1216, 704, 3.28, 9.67, 3.14),
    ("ltx_2", 121, 768, 512, 4.2, 3.78, 1.01),
    ("ltx_2", 121, 1920, 1088, 22.0, 20.0, 5.38),
    ("wan_1_3b", 81, 832, 480, 1.51, 3.95, 0.86),
    ("wan_14b", 81, 832, 480, 3.5, 3.95, 0.86),
    ("wan_14b", 81, 1280, 720, 8.0, 9.12, 1.96),
    ("wan_5b", 121, 1280, 704, 2.1, 9.65, 2.86),
    ("hunyuan", 129, 960, 544, 7.0, 19.6, 2.9),
    ("hunyuan", 129, 1280, 720, 12.4, 34.6, 3.3),
    ("hunyuan_1_5", 121, 848, 480, None, 13.6, 13.6),  # it always tiles: 82.4 otherwise
    ("cogvideox", 49, 720, 480, 2.64, 14.7, 3.8),
    ("svd", 25, 1024, 576, 7.7, None, None),
    ("flux", 1, 1024, 1024, 0.46, 1.5, None),
    ("sdxl", 1, 1024, 1024, 0.31, 3.0, None),
]


@pytest.mark.parametrize(("name", "frames", "width", "height", "step", "whole", "tiled"), MEASURED)
def test_what_a_run_needs_is_predicted_within_fifteen_percent(
    name, frames, width, height, step, whole, tiled
):
    facts = CHECKPOINTS[name]
    shape = Shape(width=width, height=height, frames=frames, fps=24.0)
    found = recognise(facts).footprint(facts, shape)
    for predicted, measured in (
        (found.denoise, step), (found.decode, whole), (found.decode_tiled, tiled),
    ):  # fmt: skip
        if measured is not None:
            assert predicted / GIB == pytest.approx(measured, rel=0.15)


def test_the_encoder_and_the_denoiser_are_named_so_that_they_can_be_put_away():
    for facts in CHECKPOINTS.values():
        found = recognise(facts).footprint(facts, Shape(width=512, height=512, frames=9, fps=8.0))
        assert set(found.encoders) <= {"text_encoder"}
        assert found.denoisers in {("transformer",), ("unet",)}
        assert found.decode_tiled <= found.decode
