"""ACE-Step 1.5: 25 latents a second, as the real one."""

from diffusers import (
    AceStepPipeline,
    AceStepTransformer1DModel,
    AutoencoderOobleck,
    FlowMatchEulerDiscreteScheduler,
)
from diffusers.pipelines.ace_step import (
    AceStepAudioTokenDetokenizer,
    AceStepAudioTokenizer,
    AceStepConditionEncoder,
)
from transformers import Qwen3Config, Qwen3Model

from tests.fakes.checkpoints import tokenizers
from tests.fakes.checkpoints.seeding import seeded

_SIZES = {
    "hidden_size": 32, "intermediate_size": 64, "num_attention_heads": 4, "num_key_value_heads": 2,
    "head_dim": 8,
}  # fmt: skip
_ALIKE = {**_SIZES, "rope_theta": 10000.0, "sliding_window": 16}


def ace_step():
    tokenizer = tokenizers.qwen2()
    qwen = Qwen3Config(
        vocab_size=len(tokenizer),
        num_hidden_layers=2,
        max_position_embeddings=2048,
        pad_token_id=tokenizer.pad_token_id,
        **_SIZES,
    )
    return AceStepPipeline(
        vae=seeded(
            AutoencoderOobleck,
            encoder_hidden_size=6,
            downsampling_ratios=[8, 5, 4],
            decoder_channels=4,
            decoder_input_channels=8,
            audio_channels=2,
            channel_multiples=[1, 1, 2],
            sampling_rate=4000,
        ),
        text_encoder=seeded(Qwen3Model, qwen).eval(),
        tokenizer=tokenizer,
        transformer=seeded(
            AceStepTransformer1DModel,
            num_hidden_layers=2,
            in_channels=24,
            audio_acoustic_hidden_dim=8,
            patch_size=2,
            **_ALIKE,
        ),
        condition_encoder=seeded(
            AceStepConditionEncoder,
            text_hidden_dim=32,
            timbre_hidden_dim=8,
            num_lyric_encoder_hidden_layers=1,
            num_timbre_encoder_hidden_layers=1,
            **_ALIKE,
        ),
        scheduler=FlowMatchEulerDiscreteScheduler(num_train_timesteps=1, shift=1.0),
        audio_tokenizer=seeded(
            AceStepAudioTokenizer,
            audio_acoustic_hidden_dim=8,
            pool_window_size=2,
            fsq_dim=32,
            fsq_input_levels=[4, 4, 4],
            fsq_input_num_quantizers=1,
            num_attention_pooler_hidden_layers=1,
            **_ALIKE,
        ),
        audio_token_detokenizer=seeded(
            AceStepAudioTokenDetokenizer,
            audio_acoustic_hidden_dim=8,
            pool_window_size=2,
            num_attention_pooler_hidden_layers=1,
            **_ALIKE,
        ),
    )


CHECKPOINTS = {"ace_step": ace_step}
