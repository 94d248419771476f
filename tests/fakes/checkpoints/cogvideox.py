"""CogVideoX from text and from a picture: 8 pixels and 4 frames to a latent, patches of 2."""

from diffusers import (
    AutoencoderKLCogVideoX,
    CogVideoXDDIMScheduler,
    CogVideoXImageToVideoPipeline,
    CogVideoXPipeline,
    CogVideoXTransformer3DModel,
)

from tests.fakes.checkpoints import encoders
from tests.fakes.checkpoints.seeding import seeded


def _parts(*, image):
    encoder, tokenizer = encoders.t5()
    transformer = seeded(
        CogVideoXTransformer3DModel,
        num_attention_heads=2,
        attention_head_dim=16,  # rotary positions need a multiple of 16
        in_channels=8 if image else 4,
        out_channels=4,
        time_embed_dim=2,
        text_embed_dim=32,
        num_layers=2,
        sample_width=12,
        sample_height=8,
        sample_frames=9,
        patch_size=2,
        temporal_compression_ratio=4,
        max_text_seq_length=226,
        use_rotary_positional_embeddings=image,
        use_learned_positional_embeddings=image,
    )
    vae = seeded(
        AutoencoderKLCogVideoX,
        down_block_types=("CogVideoXDownBlock3D",) * 4,
        up_block_types=("CogVideoXUpBlock3D",) * 4,
        block_out_channels=(8, 8, 8, 8),
        latent_channels=4,
        layers_per_block=1,
        norm_num_groups=2,
        temporal_compression_ratio=4,
    )
    scheduler = CogVideoXDDIMScheduler(
        prediction_type="v_prediction",
        rescale_betas_zero_snr=True,
        snr_shift_scale=1.0,
        timestep_spacing="trailing",
    )
    return {
        "tokenizer": tokenizer,
        "text_encoder": encoder,
        "vae": vae,
        "transformer": transformer,
        "scheduler": scheduler,
    }


def text():
    return CogVideoXPipeline(**_parts(image=False))


def image():
    return CogVideoXImageToVideoPipeline(**_parts(image=True))


CHECKPOINTS = {"cogvideox": text, "cogvideox_i2v": image}
