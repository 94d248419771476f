"""LTX-2: video and stereo sound at once; 32 pixels and 8 frames to a latent."""

from diffusers import (
    AutoencoderKLLTX2Audio,
    AutoencoderKLLTX2Video,
    FlowMatchEulerDiscreteScheduler,
    LTX2Pipeline,
    LTX2VideoTransformer3DModel,
)
from diffusers.pipelines.ltx2 import LTX2TextConnectors
from diffusers.pipelines.ltx2.vocoder import LTX2Vocoder
from transformers import (
    Gemma3Config,
    Gemma3ForConditionalGeneration,
    Gemma3TextConfig,
    SiglipVisionConfig,
)

from tests.fakes.checkpoints import tokenizers
from tests.fakes.checkpoints.seeding import seeded

_WIDTH, _LAYERS = 16, 2


def _gemma():
    tokenizer = tokenizers.gemma()
    text = Gemma3TextConfig(
        vocab_size=len(tokenizer),
        hidden_size=_WIDTH,
        intermediate_size=32,
        num_hidden_layers=_LAYERS,
        num_attention_heads=2,
        num_key_value_heads=1,
        head_dim=8,
        sliding_window=32,
    )
    vision = SiglipVisionConfig(
        hidden_size=16, intermediate_size=16, num_hidden_layers=1, num_attention_heads=2,
        image_size=32, patch_size=8,
    )  # fmt: skip
    config = Gemma3Config(
        text_config=text.to_dict(),
        vision_config=vision.to_dict(),
        image_token_index=tokenizer.convert_tokens_to_ids("<image_soft_token>"),
        mm_tokens_per_image=4,
    )
    return seeded(Gemma3ForConditionalGeneration, config).eval(), tokenizer


def _transformer():
    return seeded(
        LTX2VideoTransformer3DModel,
        in_channels=4,
        out_channels=4,
        num_attention_heads=2,
        attention_head_dim=8,
        cross_attention_dim=16,
        audio_in_channels=16,
        audio_out_channels=16,
        audio_num_attention_heads=2,
        audio_attention_head_dim=4,
        audio_cross_attention_dim=8,
        num_layers=_LAYERS,
        caption_channels=_WIDTH,
        rope_double_precision=False,
        rope_type="split",
    )


def _connectors():
    kinds: dict[str, object] = {}
    for kind in ("video", "audio"):
        kinds |= {
            f"{kind}_connector_num_attention_heads": 4,
            f"{kind}_connector_attention_head_dim": 4,
            f"{kind}_connector_num_layers": 1,
            f"{kind}_connector_num_learnable_registers": None,
        }
    return seeded(
        LTX2TextConnectors,
        caption_channels=_WIDTH,
        text_proj_in_factor=_LAYERS + 1,
        connector_rope_base_seq_len=32,
        rope_theta=10000.0,
        rope_double_precision=False,
        causal_temporal_positioning=False,
        rope_type="split",
        **kinds,
    )


def _video_vae():
    """Both ratios are said: without them the class computes others."""
    return seeded(
        AutoencoderKLLTX2Video,
        latent_channels=4,
        block_out_channels=(8, 16, 16, 16),
        decoder_block_out_channels=(8, 16, 32),
        layers_per_block=(1, 1, 1, 1, 1),
        decoder_layers_per_block=(1, 1, 1, 1),
        spatio_temporal_scaling=(True,) * 4,
        decoder_spatio_temporal_scaling=(True,) * 3,
        decoder_inject_noise=(False,) * 4,
        downsample_type=("spatial", "temporal", "spatiotemporal", "spatiotemporal"),
        upsample_residual=(True,) * 3,
        upsample_factor=(2, 2, 2),
        patch_size=4,
        patch_size_t=1,
        encoder_causal=True,
        decoder_causal=False,
        spatial_compression_ratio=32,
        temporal_compression_ratio=8,
    )


def _audio_vae():
    """base_channels = latent_channels * mel_bins / 4 = the transformer's audio channels."""
    return seeded(
        AutoencoderKLLTX2Audio,
        base_channels=16,
        output_channels=2,
        ch_mult=(1, 1, 1),
        num_res_blocks=1,
        attn_resolutions=None,
        in_channels=2,
        resolution=32,
        latent_channels=4,
        norm_type="pixel",
        causality_axis="height",
        dropout=0.0,
        mid_block_add_attention=False,
        sample_rate=16000,
        mel_hop_length=160,
        is_causal=True,
        mel_bins=16,
    )


def ltx_2():
    gemma, tokenizer = _gemma()
    vocoder = seeded(
        LTX2Vocoder,
        in_channels=2 * 16,
        hidden_channels=32,
        out_channels=2,
        upsample_kernel_sizes=[16, 16, 8],
        upsample_factors=[8, 5, 4],  # their product is the hop of the mel spectrum
        resnet_kernel_sizes=[3],
        resnet_dilations=[[1, 3, 5]],
        leaky_relu_negative_slope=0.1,
        output_sampling_rate=16000,
    )
    return LTX2Pipeline(
        scheduler=FlowMatchEulerDiscreteScheduler(),
        vae=_video_vae(),
        audio_vae=_audio_vae(),
        text_encoder=gemma,
        tokenizer=tokenizer,
        connectors=_connectors(),
        transformer=_transformer(),
        vocoder=vocoder,
        processor=None,
        prompt_enhancer=None,
        duration_head=None,
    )


CHECKPOINTS = {"ltx_2": ltx_2}
