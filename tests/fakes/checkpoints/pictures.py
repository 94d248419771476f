"""FLUX.1 dev, schnell and Kontext, and SDXL: 8 pixels to a latent (FLUX packs them by two)."""

from diffusers import (
    AutoencoderKL,
    EulerDiscreteScheduler,
    FlowMatchEulerDiscreteScheduler,
    FluxKontextPipeline,
    FluxPipeline,
    FluxTransformer2DModel,
    StableDiffusionXLPipeline,
    UNet2DConditionModel,
)

from tests.fakes.checkpoints import encoders
from tests.fakes.checkpoints.seeding import seeded

_VAE = {
    "block_out_channels": (4, 4, 4, 4),
    "down_block_types": ("DownEncoderBlock2D",) * 4,
    "up_block_types": ("UpDecoderBlock2D",) * 4,
    "latent_channels": 4,
}


def _flux(*, guidance, pipeline=FluxPipeline):
    transformer = seeded(
        FluxTransformer2DModel,
        patch_size=1,
        in_channels=16,
        num_layers=2,
        num_single_layers=2,
        attention_head_dim=16,
        num_attention_heads=2,
        joint_attention_dim=32,
        pooled_projection_dim=32,
        axes_dims_rope=(4, 4, 8),
        guidance_embeds=guidance,
    )
    vae = seeded(
        AutoencoderKL,
        layers_per_block=1,
        norm_num_groups=1,
        use_quant_conv=False,
        use_post_quant_conv=False,
        shift_factor=0.1159,
        scaling_factor=0.3611,
        **_VAE,
    )
    clip, clip_tokenizer = encoders.clip()
    t5, t5_tokenizer = encoders.t5(256)
    return pipeline(
        scheduler=FlowMatchEulerDiscreteScheduler(shift=3.0, use_dynamic_shifting=guidance),
        vae=vae,
        text_encoder=clip,
        tokenizer=clip_tokenizer,
        text_encoder_2=t5,
        tokenizer_2=t5_tokenizer,
        transformer=transformer,
        image_encoder=None,
        feature_extractor=None,
    )


def flux_dev():
    return _flux(guidance=True)


def flux_schnell():
    return _flux(guidance=False)


def flux_kontext():
    return _flux(guidance=True, pipeline=FluxKontextPipeline)


def sdxl():
    unet = seeded(
        UNet2DConditionModel,
        block_out_channels=(4, 8),
        layers_per_block=1,
        sample_size=16,
        in_channels=4,
        out_channels=4,
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
        attention_head_dim=(2, 4),
        use_linear_projection=True,
        addition_embed_type="text_time",
        addition_time_embed_dim=8,
        transformer_layers_per_block=(1, 1),
        projection_class_embeddings_input_dim=6 * 8 + 32,
        cross_attention_dim=64,  # both text encoders side by side
        norm_num_groups=2,
    )
    vae = seeded(
        AutoencoderKL, norm_num_groups=2, sample_size=128, scaling_factor=0.13025,
        force_upcast=False, **_VAE,
    )  # fmt: skip
    first, first_tokenizer = encoders.clip()
    second, second_tokenizer = encoders.clip(projection=True)
    return StableDiffusionXLPipeline(
        vae=vae,
        text_encoder=first,
        text_encoder_2=second,
        tokenizer=first_tokenizer,
        tokenizer_2=second_tokenizer,
        unet=unet,
        image_encoder=None,
        feature_extractor=None,
        scheduler=EulerDiscreteScheduler(
            beta_start=0.00085,
            beta_end=0.012,
            steps_offset=1,
            beta_schedule="scaled_linear",
            timestep_spacing="leading",
        ),
    )


CHECKPOINTS = {
    "flux_dev": flux_dev,
    "flux_schnell": flux_schnell,
    "flux_kontext": flux_kontext,
    "sdxl": sdxl,
}
