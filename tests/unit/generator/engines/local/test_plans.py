"""Where the real models end up on real cards, from their published sizes; nothing is loaded."""

from collections.abc import Mapping
from typing import Any

import pytest

from services.common.errors import NoDevice
from services.generator.domain.planning import Room, plans
from services.generator.domain.shapes import Shape
from services.generator.domain.vram import GIB, Device, Plan, Rung
from services.generator.engines.local.families import recognise
from services.generator.engines.local.probe import CheckpointFacts, ComponentFacts

H200, H100, A6000, A100_40, RTX_4090, SMALL = 139.8, 79.6, 47.5, 39.4, 23.6, 11.6
HEADS: Mapping[str, Any] = {"num_attention_heads": 24, "attention_head_dim": 128}
# Weights in GiB at two bytes for a parameter, and what the denoiser's config says.
MODELS: dict[str, tuple[str, dict[str, float], dict[str, Any]]] = {
    "hunyuan_video": (
        "HunyuanVideoPipeline",
        {"transformer": 23.9, "text_encoder": 14.0, "text_encoder_2": 0.24, "vae": 0.46},
        {**HEADS},
    ),
    "wan_14b": (
        "WanPipeline",
        {"transformer": 26.6, "text_encoder": 10.58, "vae": 0.24},
        {"num_attention_heads": 40, "attention_head_dim": 128, "ffn_dim": 13824},
    ),
    "ltx_13b": (
        "LTXPipeline",
        {"transformer": 24.3, "text_encoder": 8.9, "vae": 2.3},
        {"num_attention_heads": 32, "attention_head_dim": 128},
    ),
    "flux": (
        "FluxPipeline",
        {"transformer": 22.17, "text_encoder": 0.23, "text_encoder_2": 8.9, "vae": 0.16},
        {**HEADS, "guidance_embeds": True},
    ),
    "sdxl": (
        "StableDiffusionXLPipeline",
        {"unet": 4.78, "text_encoder": 0.23, "text_encoder_2": 1.3, "vae": 0.16},
        {},
    ),
}
HD = Shape(width=1280, height=720, frames=129, fps=24.0)
WAN_HD = Shape(width=1280, height=720, frames=81, fps=16.0)
STILL = Shape(width=1024, height=1024)


def facts(name: str) -> CheckpointFacts:
    class_name, weights, config = MODELS[name]
    parts = {
        part: ComponentFacts(
            class_name=part,
            parameters=round(gib * GIB / 2),
            config=config if part in {"transformer", "unet"} else {},
        )
        for part, gib in weights.items()
    }
    return CheckpointFacts(class_name=class_name, components=parts, index={}, digest=name)


def first(name: str, gib: float, shape: Shape) -> Plan:
    card = Device(kind="cuda", name="card", total_bytes=int(gib * GIB), capability=(9, 0))
    room = Room(device=card, budget=card.total_bytes, dtype="bfloat16")
    found = facts(name)
    family = recognise(found)
    return next(plans(room, lambda each: family.footprint(found, each), family.snap(shape)))


@pytest.mark.parametrize(
    ("name", "shape", "card", "rung"),
    [
        ("hunyuan_video", HD, H200, Rung.RESIDENT),
        ("hunyuan_video", HD, H100, Rung.RESIDENT),
        ("hunyuan_video", HD, A6000, Rung.ENCODER_OFF),
        ("hunyuan_video", HD, RTX_4090, Rung.OFFLOADED),
        ("wan_14b", WAN_HD, H100, Rung.RESIDENT),
        ("wan_14b", WAN_HD, A6000, Rung.TILED),
        ("wan_14b", WAN_HD, A100_40, Rung.ENCODER_OFF),
        ("wan_14b", WAN_HD, RTX_4090, Rung.QUANTISED),
        ("ltx_13b", HD, H100, Rung.RESIDENT),
        ("ltx_13b", HD, A100_40, Rung.ENCODER_OFF),
        ("ltx_13b", HD, RTX_4090, Rung.QUANTISED),
        ("flux", STILL, A100_40, Rung.RESIDENT),
        ("flux", STILL, RTX_4090, Rung.ENCODER_OFF),
        ("sdxl", STILL, SMALL, Rung.RESIDENT),
    ],
)
def test_a_real_model_gives_in_as_far_as_its_card_asks(name, shape, card, rung) -> None:
    plan = first(name, card, shape)
    assert plan.rung is rung
    assert plan.peak <= card * GIB


def test_what_no_rung_brings_below_the_card_is_refused_before_it_is_loaded() -> None:
    with pytest.raises(NoDevice, match=r"129 frames of 1280x720 need 1\d\.\d GiB at least"):
        first("hunyuan_video", SMALL, HD)


def test_the_published_peak_of_hunyuan_is_within_fifteen_per_cent() -> None:
    """Its makers say 60 GB for 129 frames at 720p, in tiles, with the encoder on the card."""
    card = Device(kind="cuda", name="card", total_bytes=200 * GIB, capability=(9, 0))
    room = Room(device=card, budget=200 * GIB, dtype="bfloat16", least=Rung.TILED)
    found = facts("hunyuan_video")
    family = recognise(found)
    plan = next(plans(room, lambda each: family.footprint(found, each), family.snap(HD)))
    assert plan.peak == pytest.approx(60e9, rel=0.15)
