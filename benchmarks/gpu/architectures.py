"""Checkpoints of the published architectures with random weights: time and memory are real.

The words' encoder is one thin layer of the right width, for it runs once and is not what is
measured. Where a card is present the weights are drawn on it: a processor would take minutes.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from diffusers import (
    AutoencoderKLLTXVideo,
    AutoencoderKLWan,
    FlowMatchEulerDiscreteScheduler,
    LTXPipeline,
    LTXVideoTransformer3DModel,
    UniPCMultistepScheduler,
    WanPipeline,
    WanTransformer3DModel,
)
from transformers import T5Config, T5EncoderModel, UMT5Config, UMT5EncoderModel

from tests.fakes.checkpoints import Shelf, encoders

WIDTH = 4096


@dataclass(frozen=True)
class Case:
    """A model as it is measured: the shape, and whether it has guidance (two passes a step)."""

    name: str
    width: int
    height: int
    frames: int
    fps: float
    build: Callable[[Any], Any]
    parameters: float  # of the denoiser, in billions, as its makers publish it


def _drawn(make: Callable[..., Any], device: str, **config: Any) -> Any:
    """A module in bfloat16 with small random weights, first laid out without any."""
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.bfloat16)
    try:
        with torch.device("meta"):
            module = make(**config)
        module = module.to_empty(device=device)
        for tensor in (*module.parameters(), *module.buffers()):
            if tensor.is_floating_point():
                tensor.data.normal_(0, 0.02)
    finally:
        torch.set_default_dtype(before)
    return module.eval().to("cpu")


def _umt5(device: str) -> dict[str, Any]:
    tokenizer = encoders.umt5()[1]
    config = UMT5Config(
        vocab_size=len(tokenizer), d_model=WIDTH, d_kv=64, d_ff=64, num_layers=1, num_heads=4
    )
    return {
        "tokenizer": tokenizer,
        "text_encoder": _drawn(UMT5EncoderModel, device, config=config),
    }


def _wan(device: str, transformer: dict[str, Any], vae: dict[str, Any], **more: Any) -> Any:
    scheduler = UniPCMultistepScheduler(
        prediction_type="flow_prediction", use_flow_sigmas=True, flow_shift=3.0
    )
    return WanPipeline(
        transformer=_drawn(WanTransformer3DModel, device, **transformer),
        vae=_drawn(AutoencoderKLWan, device, **vae),
        scheduler=scheduler,
        **_umt5(device),
        **more,
    )


WAN_14B = {"num_layers": 40, "num_attention_heads": 40, "attention_head_dim": 128, "ffn_dim": 13824}
WAN_5B = {
    "num_layers": 30, "num_attention_heads": 24, "attention_head_dim": 128, "ffn_dim": 14336,
    "in_channels": 48, "out_channels": 48,
}  # fmt: skip
WAN_5B_VAE = {
    "base_dim": 160, "decoder_base_dim": 256, "z_dim": 48, "in_channels": 12, "out_channels": 12,
    "is_residual": True, "patch_size": 2, "latents_mean": [0.0] * 48, "latents_std": [1.0] * 48,
    "scale_factor_spatial": 16, "scale_factor_temporal": 4,
}  # fmt: skip
LTX_13B = {
    "num_layers": 48, "num_attention_heads": 32, "attention_head_dim": 128,
    "cross_attention_dim": 4096, "caption_channels": WIDTH,
}  # fmt: skip


def _ltx(device: str) -> Any:
    tokenizer = encoders.t5()[1]
    config = T5Config(
        vocab_size=len(tokenizer), d_model=WIDTH, d_kv=64, d_ff=64, num_layers=1, num_heads=4
    )
    return LTXPipeline(
        transformer=_drawn(LTXVideoTransformer3DModel, device, **LTX_13B),
        vae=_drawn(AutoencoderKLLTXVideo, device),
        scheduler=FlowMatchEulerDiscreteScheduler(shift=1.0),
        tokenizer=tokenizer,
        text_encoder=_drawn(T5EncoderModel, device, config=config),
    )


def _wan_5b(device: str) -> Any:
    return _wan(device, WAN_5B, WAN_5B_VAE, expand_timesteps=True)


CASES = {
    "wan_2_1_14b": Case("wan_2_1_14b", 1280, 720, 81, 16.0, lambda d: _wan(d, WAN_14B, {}), 14.3),
    "wan_2_2_5b": Case("wan_2_2_5b", 1280, 704, 121, 24.0, _wan_5b, 5.0),
    "ltx_video": Case("ltx_video", 1216, 704, 121, 24.0, _ltx, 13.0),
}
TINY = {
    name: Case(name, 64, 64, 9, 24.0, lambda _: None, 0.0) for name in ("wan_2_2_5b", "ltx_video")
}


def checkpoint(case: Case, folder: Path, device: str, *, tiny: bool) -> Path:
    """The case's checkpoint on the disk, written at the first call."""
    if tiny:
        return Shelf(folder).get(case.name)
    place = folder / case.name
    if not place.exists():
        case.build(device).save_pretrained(place)
    return place
