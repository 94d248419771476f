"""Wan 2.1, 2.2 A14B, 2.2 TI2V-5B and 2.2 Animate: 4 frames and 8 (5B: 16) pixels to a latent."""

from diffusers import (
    AutoencoderKLWan,
    UniPCMultistepScheduler,
    WanAnimatePipeline,
    WanAnimateTransformer3DModel,
    WanImageToVideoPipeline,
    WanPipeline,
    WanTransformer3DModel,
)

from tests.fakes.checkpoints import encoders
from tests.fakes.checkpoints.seeding import seeded

_TIMES = {"dim_mult": [1, 1, 1, 1], "num_res_blocks": 1, "temperal_downsample": [False, True, True]}
_DIT = {
    "patch_size": (1, 2, 2), "num_attention_heads": 2, "attention_head_dim": 12, "text_dim": 32,
    "freq_dim": 64, "ffn_dim": 32, "num_layers": 2, "cross_attn_norm": True,
    "qk_norm": "rms_norm_across_heads", "rope_max_seq_len": 128,
}  # fmt: skip


def _transformer(inputs=16, outputs=16, **more):
    channels = {"in_channels": inputs, "out_channels": outputs}
    return seeded(WanTransformer3DModel, **channels, **_DIT, **more)


def _parts():
    encoder, tokenizer = encoders.umt5()
    return {
        "tokenizer": tokenizer,
        "text_encoder": encoder,
        "vae": seeded(AutoencoderKLWan, base_dim=4, z_dim=16, **_TIMES),
        "scheduler": UniPCMultistepScheduler(
            prediction_type="flow_prediction", use_flow_sigmas=True, flow_shift=3.0
        ),
    }


def text_2_1():
    return WanPipeline(transformer=_transformer(), **_parts())


def text_a14b():
    """Two transformers: one for high noise, one for low."""
    two = {"transformer": _transformer(), "transformer_2": _transformer()}
    return WanPipeline(**two, boundary_ratio=0.875, **_parts())


def image_2_1():
    """16 channels of noise, 4 of mask and 16 of the picture; CLIP sees the picture as well."""
    vision, processor = encoders.clip_vision()
    return WanImageToVideoPipeline(
        transformer=_transformer(36, image_dim=4),
        image_encoder=vision,
        image_processor=processor,
        **_parts(),
    )


def image_a14b():
    two = {"transformer": _transformer(36), "transformer_2": _transformer(36)}
    return WanImageToVideoPipeline(
        image_encoder=None, image_processor=None, boundary_ratio=0.9, **two, **_parts()
    )


def ti2v_5b():
    """One transformer for text and for a first frame; 16 pixels to a latent."""
    vae = seeded(
        AutoencoderKLWan,
        base_dim=4,
        decoder_base_dim=4,
        z_dim=48,
        in_channels=12,
        out_channels=12,
        is_residual=True,
        patch_size=2,
        latents_mean=[0.0] * 48,
        latents_std=[1.0] * 48,
        scale_factor_spatial=16,
        scale_factor_temporal=4,
        **_TIMES,
    )
    parts = {**_parts(), "vae": vae}
    return WanPipeline(transformer=_transformer(48, 48), expand_timesteps=True, **parts)


def animate():
    """Moves a still by the poses and the face of a video."""
    vision, processor = encoders.clip_vision()
    transformer = seeded(
        WanAnimateTransformer3DModel,
        **{**_DIT, "rope_max_seq_len": 64},
        in_channels=36,
        latent_channels=16,
        out_channels=16,
        image_dim=4,
        motion_encoder_channel_sizes={"4": 16, "8": 16, "16": 16, "32": 16},
        motion_encoder_size=32,
        motion_style_dim=8,
        motion_dim=4,
        motion_encoder_dim=16,
        face_encoder_hidden_dim=16,
        face_encoder_num_heads=2,
        inject_face_latents_blocks=2,
    )
    return WanAnimatePipeline(
        transformer=transformer, image_encoder=vision, image_processor=processor, **_parts()
    )


CHECKPOINTS = {
    "wan_2_1": text_2_1,
    "wan_2_1_i2v": image_2_1,
    "wan_2_2_a14b": text_a14b,
    "wan_2_2_a14b_i2v": image_a14b,
    "wan_2_2_5b": ti2v_5b,
    "wan_animate": animate,
}
