"""The published sizes of local models: what differs from the tests' tiny checkpoints.

Most are the default configurations of their classes in diffusers; the others are the values of the
published config.json files, see `docs/engines.md` for the models.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

_WORDS = frozenset(
    {
        "text_dim", "caption_channels", "text_embed_dim", "text_embed_2_dim", "image_embed_dim",
        "pooled_projection_dim", "joint_attention_dim", "text_hidden_dim",
        "cross_attention_input_dim", "global_states_input_dim",
    }
)  # fmt: skip
"""Widths of what comes from the words' encoder, which stays tiny."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """A part: its `config` over the class's defaults and over what is `keeps` of the tiny one.

    With one layer of each kind the numbers `depths` are 1, and `shallow` goes over the rest.
    """

    config: Mapping[str, Any] = field(default_factory=dict)
    keeps: frozenset[str] = frozenset()
    keeps_all: bool = False
    depths: tuple[str, ...] = ()
    shallow: Mapping[str, Any] = field(default_factory=dict)

    def kept(self, tiny: Mapping[str, Any]) -> dict[str, Any]:
        """Return what the part has of its tiny self."""
        keeps = self.keeps | _WORDS
        return {name: tiny[name] for name in tiny if self.keeps_all or name in keeps}


@dataclass(frozen=True, slots=True, kw_only=True)
class Sizes:
    """A model: its parts by class, and the parameters of its denoiser in billions, as published."""

    denoiser: str
    billions: float
    parts: Mapping[str, Size]


def _size(*keeps: str, depths: tuple[str, ...] = ("num_layers",), **config: Any) -> Size:
    return Size(config=config, keeps=frozenset(keeps), depths=depths)


_CHANNELS = ("in_channels", "out_channels", "image_dim")
_WAN_VAE = _size("z_dim", depths=())
_WAN_14B = Sizes(
    denoiser="WanTransformer3DModel",
    billions=14.3,
    parts={"WanTransformer3DModel": _size(*_CHANNELS), "AutoencoderKLWan": _WAN_VAE},
)
_WAN_5B = Sizes(
    denoiser="WanTransformer3DModel",
    billions=5.0,
    parts={
        "WanTransformer3DModel": _size(
            *_CHANNELS, num_layers=30, num_attention_heads=24, ffn_dim=14336
        ),
        "AutoencoderKLWan": Size(
            keeps_all=True,
            config={
                "base_dim": 160, "decoder_base_dim": 256, "dim_mult": [1, 2, 4, 4],
                "num_res_blocks": 2,
            },
        ),
    },
)  # fmt: skip
_LTX = Sizes(
    denoiser="LTXVideoTransformer3DModel",
    billions=13.0,
    parts={
        "LTXVideoTransformer3DModel": _size(
            num_layers=48, attention_head_dim=128, cross_attention_dim=4096
        ),
        "AutoencoderKLLTXVideo": Size(),
    },
)
_LTX_2 = Sizes(
    denoiser="LTX2VideoTransformer3DModel",
    billions=18.9,
    parts={
        "LTX2VideoTransformer3DModel": _size(
            "audio_in_channels", "audio_out_channels", "rope_type", "rope_double_precision"
        ),
        "AutoencoderKLLTX2Video": _size(
            "spatial_compression_ratio", "temporal_compression_ratio", depths=()
        ),
    },
)
_HUNYUAN = Sizes(
    denoiser="HunyuanVideoTransformer3DModel",
    billions=12.8,
    parts={
        "HunyuanVideoTransformer3DModel": _size(
            "guidance_embeds", depths=("num_layers", "num_single_layers")
        ),
        "AutoencoderKLHunyuanVideo": Size(),
    },
)
_HUNYUAN_1_5 = Sizes(
    denoiser="HunyuanVideo15Transformer3DModel",
    billions=8.3,
    parts={
        "HunyuanVideo15Transformer3DModel": _size("task_type"),
        "AutoencoderKLHunyuanVideo15": _size(
            "spatial_compression_ratio", "temporal_compression_ratio", depths=()
        ),
    },
)
_COGVIDEOX = Sizes(
    denoiser="CogVideoXTransformer3DModel",
    billions=5.6,
    parts={
        "CogVideoXTransformer3DModel": _size(
            num_layers=42, num_attention_heads=48, use_rotary_positional_embeddings=True
        ),
        "AutoencoderKLCogVideoX": Size(),
    },
)
_KL = {"block_out_channels": (128, 256, 512, 512), "layers_per_block": 2}
_SVD = Sizes(
    denoiser="UNetSpatioTemporalConditionModel",
    billions=1.52,
    parts={
        "UNetSpatioTemporalConditionModel": _size(
            "cross_attention_dim",
            depths=("layers_per_block",),
            num_attention_heads=(5, 10, 20, 20),
            num_frames=25,
        ),
        "AutoencoderKLTemporalDecoder": Size(keeps_all=True, config=_KL),
    },
)
_FLUX = Sizes(
    denoiser="FluxTransformer2DModel",
    billions=11.9,
    parts={
        "FluxTransformer2DModel": _size(
            "guidance_embeds", depths=("num_layers", "num_single_layers")
        ),
        "AutoencoderKL": Size(
            keeps_all=True, config={**_KL, "latent_channels": 16, "norm_num_groups": 32}
        ),
    },
)
_SDXL = Sizes(
    denoiser="UNet2DConditionModel",
    billions=2.57,
    parts={
        "UNet2DConditionModel": Size(
            keeps_all=True,
            config={
                "sample_size": 128, "block_out_channels": (320, 640, 1280), "layers_per_block": 2,
                "down_block_types": ("DownBlock2D", *("CrossAttnDownBlock2D",) * 2),
                "up_block_types": (*("CrossAttnUpBlock2D",) * 2, "UpBlock2D"),
                "attention_head_dim": (5, 10, 20), "transformer_layers_per_block": (1, 2, 10),
                "addition_time_embed_dim": 256, "norm_num_groups": 32,
                "projection_class_embeddings_input_dim": 6 * 256 + 32,
            },
            depths=("layers_per_block",),
            shallow={"transformer_layers_per_block": (1, 1, 1)},
        ),
        "AutoencoderKL": Size(keeps_all=True, config={**_KL, "norm_num_groups": 32}),
    },
)  # fmt: skip
_STABLE_AUDIO = Sizes(
    denoiser="StableAudioDiTModel",
    billions=1.06,
    parts={"StableAudioDiTModel": _size(), "AutoencoderOobleck": Size()},
)
_ACE_STEP = Sizes(
    denoiser="AceStepTransformer1DModel",
    billions=1.58,
    parts={
        "AceStepTransformer1DModel": _size(depths=("num_hidden_layers",)),
        "AceStepConditionEncoder": Size(),
        "AceStepAudioTokenizer": Size(),
        "AceStepAudioTokenDetokenizer": Size(),
        "AutoencoderOobleck": _size(
            depths=(), sampling_rate=48000, downsampling_ratios=[2, 4, 4, 6, 10]
        ),
    },
)
SIZES: Mapping[str, Sizes] = {
    "wan_2_1": _WAN_14B,
    "wan_2_1_i2v": _WAN_14B,
    "wan_2_2_5b": _WAN_5B,
    "ltx_video": _LTX,
    "ltx_2": _LTX_2,
    "hunyuan_video": _HUNYUAN,
    "hunyuan_video_1_5": _HUNYUAN_1_5,
    "cogvideox": _COGVIDEOX,
    "stability_svd": _SVD,
    "flux_dev": _FLUX,
    "sdxl": _SDXL,
    "stable_audio": _STABLE_AUDIO,
    "ace_step": _ACE_STEP,
}
"""By the name of the tests' checkpoint."""
