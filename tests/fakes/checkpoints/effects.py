"""Stable Audio (at most 4 s here) and AudioLDM 2."""

from diffusers import (
    AudioLDM2Pipeline,
    AudioLDM2ProjectionModel,
    AudioLDM2UNet2DConditionModel,
    AutoencoderKL,
    AutoencoderOobleck,
    CosineDPMSolverMultistepScheduler,
    DDIMScheduler,
    StableAudioDiTModel,
    StableAudioPipeline,
    StableAudioProjectionModel,
)
from transformers import (
    ClapConfig,
    ClapFeatureExtractor,
    ClapModel,
    GPT2Config,
    GPT2LMHeadModel,
    SpeechT5HifiGan,
    SpeechT5HifiGanConfig,
)

from tests.fakes.checkpoints import encoders, tokenizers
from tests.fakes.checkpoints.seeding import seeded


def stable_audio():
    """The longest clip is sample_size * hop / rate = 32 * 1000 / 8000 s."""
    encoder, tokenizer = encoders.t5(25)
    transformer = seeded(
        StableAudioDiTModel,
        sample_size=32,
        in_channels=4,
        num_layers=2,
        attention_head_dim=4,
        num_attention_heads=4,
        num_key_value_attention_heads=2,
        out_channels=4,
        cross_attention_dim=4,
        time_proj_dim=8,
        global_states_input_dim=8,
        cross_attention_input_dim=4,
    )
    vae = seeded(
        AutoencoderOobleck,
        encoder_hidden_size=6,
        downsampling_ratios=[10, 10, 10],
        decoder_channels=4,
        decoder_input_channels=4,
        audio_channels=2,
        channel_multiples=[1, 1, 2],
        sampling_rate=8000,
    )
    projection = seeded(
        StableAudioProjectionModel, text_encoder_dim=32, conditioning_dim=4, min_value=0,
        max_value=32,
    )  # fmt: skip
    return StableAudioPipeline(
        vae=vae,
        text_encoder=encoder,
        projection_model=projection,
        tokenizer=tokenizer,
        transformer=transformer,
        scheduler=CosineDPMSolverMultistepScheduler(
            solver_order=2,
            prediction_type="v_prediction",
            sigma_data=1.0,
            sigma_schedule="exponential",
        ),
    )


def _clap():
    tokenizer = tokenizers.roberta()
    text = {
        "vocab_size": len(tokenizer), "hidden_size": 8, "intermediate_size": 37,
        "num_attention_heads": 1, "num_hidden_layers": 1, "pad_token_id": 1, "bos_token_id": 0,
        "eos_token_id": 2, "projection_dim": 8,
    }  # fmt: skip
    audio = {
        "spec_size": 8, "window_size": 4, "num_mel_bins": 8, "intermediate_size": 37,
        "depths": [1, 1], "num_attention_heads": [1, 1], "num_hidden_layers": 1,
        "hidden_size": 192, "projection_dim": 8, "patch_size": 2, "patch_stride": 2,
        "patch_embed_input_channels": 4,
    }  # fmt: skip
    config = ClapConfig(text_config=text, audio_config=audio, projection_dim=16)
    return seeded(ClapModel, config).eval(), tokenizer


def _language():
    config = GPT2Config(n_embd=16, n_head=1, n_layer=1, vocab_size=64, n_positions=99)
    model = seeded(GPT2LMHeadModel, config).eval()
    model.config.max_new_tokens = 8
    return model


def _vocoder():
    config = SpeechT5HifiGanConfig(
        model_in_dim=8,
        sampling_rate=16000,
        upsample_initial_channel=16,
        upsample_rates=[2, 2],
        upsample_kernel_sizes=[4, 4],
        resblock_kernel_sizes=[3, 7],
        resblock_dilation_sizes=[[1, 3, 5], [1, 3, 5]],
        normalize_before=False,
    )
    return seeded(SpeechT5HifiGan, config).eval()


def audioldm2():
    clap, tokenizer = _clap()
    t5, t5_tokenizer = encoders.t5(77)
    unet = seeded(
        AudioLDM2UNet2DConditionModel,
        block_out_channels=(8, 16),
        layers_per_block=1,
        norm_num_groups=8,
        sample_size=32,
        in_channels=4,
        out_channels=4,
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
        cross_attention_dim=(8, 16),
    )
    vae = seeded(
        AutoencoderKL,
        block_out_channels=[8, 16],
        in_channels=1,
        out_channels=1,
        norm_num_groups=8,
        down_block_types=["DownEncoderBlock2D"] * 2,
        up_block_types=["UpDecoderBlock2D"] * 2,
        latent_channels=4,
    )
    return AudioLDM2Pipeline(
        vae=vae,
        text_encoder=clap,
        text_encoder_2=t5,
        projection_model=seeded(
            AudioLDM2ProjectionModel,
            text_encoder_dim=16,
            text_encoder_1_dim=32,
            langauge_model_dim=16,
        ),
        language_model=_language(),
        tokenizer=tokenizer,
        tokenizer_2=t5_tokenizer,
        feature_extractor=ClapFeatureExtractor(
            feature_size=8, sampling_rate=16000, hop_length=160, fft_window_size=400
        ),
        unet=unet,
        scheduler=DDIMScheduler(
            beta_start=0.00085,
            beta_end=0.012,
            beta_schedule="scaled_linear",
            clip_sample=False,
            set_alpha_to_one=False,
        ),
        vocoder=_vocoder(),
    )


CHECKPOINTS = {"stable_audio": stable_audio, "audioldm2": audioldm2}
