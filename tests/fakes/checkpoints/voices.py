"""What transformers itself runs: MusicGen (with and without melody), Bark."""

import json
from pathlib import Path

from transformers import (
    BarkCoarseConfig,
    BarkConfig,
    BarkFineConfig,
    BarkModel,
    BarkProcessor,
    BarkSemanticConfig,
    EncodecConfig,
    EncodecFeatureExtractor,
    GenerationConfig,
    MusicgenConfig,
    MusicgenDecoderConfig,
    MusicgenForConditionalGeneration,
    MusicgenMelodyConfig,
    MusicgenMelodyDecoderConfig,
    MusicgenMelodyForConditionalGeneration,
    MusicgenProcessor,
    T5Config,
)

from tests.fakes.checkpoints import tokenizers
from tests.fakes.checkpoints.seeding import fill_codebooks, seeded

RATE = 4000
_CODES = 64


class Parts:
    """A model and its processor, saved into one folder as published ones are."""

    def __init__(self, *parts):
        self._parts = parts

    def save_pretrained(self, folder):
        for part in self._parts:
            part.save_pretrained(folder)


def _encodec():
    """50 frames a second of 80 samples each; 4 codebooks of 64."""
    return EncodecConfig(
        sampling_rate=RATE,
        audio_channels=1,
        num_filters=4,
        hidden_size=16,
        codebook_size=_CODES,
        codebook_dim=16,
        upsampling_ratios=[5, 4, 4],
        num_lstm_layers=1,
        target_bandwidths=[1.2],
        norm_type="weight_norm",
        chunk_length_s=None,
        use_causal_conv=False,
    ).to_dict()


def _t5(tokenizer):
    sizes = {"d_model": 16, "d_ff": 32, "d_kv": 8, "num_heads": 2, "num_layers": 2}
    return T5Config(vocab_size=len(tokenizer), **sizes).to_dict()


_DECODER = {
    "vocab_size": _CODES, "max_position_embeddings": 2048, "num_hidden_layers": 2, "ffn_dim": 32,
    "num_attention_heads": 2, "hidden_size": 16, "num_codebooks": 4, "audio_channels": 1,
    "pad_token_id": _CODES, "bos_token_id": _CODES,
}  # fmt: skip


def _sampling(model):
    fill_codebooks(model.audio_encoder)
    generation = model.generation_config
    generation.decoder_start_token_id = _CODES
    generation.bos_token_id = generation.pad_token_id = _CODES
    generation.do_sample, generation.guidance_scale, generation.max_length = True, 3.0, 60
    return model.eval()


def musicgen():
    tokenizer = tokenizers.t5(64)
    config = MusicgenConfig(
        text_encoder=_t5(tokenizer),
        audio_encoder=_encodec(),
        decoder=MusicgenDecoderConfig(**_DECODER).to_dict(),
    )
    model = _sampling(seeded(MusicgenForConditionalGeneration, config))
    features = EncodecFeatureExtractor(feature_size=1, sampling_rate=RATE)
    return Parts(model, MusicgenProcessor(features, tokenizer))


def musicgen_melody():
    """Follows the twelve tones of a melody."""
    tokenizer = tokenizers.t5(64)
    config = MusicgenMelodyConfig(
        text_encoder=_t5(tokenizer),
        audio_encoder=_encodec(),
        decoder=MusicgenMelodyDecoderConfig(**_DECODER).to_dict(),
        num_chroma=12,
        chroma_length=20,
    )
    model = _sampling(seeded(MusicgenMelodyForConditionalGeneration, config))
    model.audio_enc_to_dec_proj.weight.data *= 50  # so that a tune is heard among random weights
    return Parts(model, tokenizer, _Chroma())


class _Chroma:
    """The words of a published preprocessor_config.json; the class itself wants torchaudio."""

    def save_pretrained(self, folder):
        words = {
            "feature_extractor_type": "MusicgenMelodyFeatureExtractor", "feature_size": 12,
            "sampling_rate": RATE, "hop_length": 400, "n_fft": 1600, "num_chroma": 12,
            "chunk_length": 30,
        }  # fmt: skip
        (Path(folder) / "preprocessor_config.json").write_text(json.dumps(words))


def bark():
    """The real numbers scaled down: 100 semantic ids, texts from 120 on, 2 of 4 codebooks."""
    size = {"block_size": 64, "num_layers": 1, "num_heads": 2, "hidden_size": 16}
    config = BarkConfig(
        semantic_config=BarkSemanticConfig(
            input_vocab_size=600, output_vocab_size=600, **size
        ).to_dict(),
        coarse_acoustics_config=BarkCoarseConfig(
            input_vocab_size=300, output_vocab_size=300, **size
        ).to_dict(),
        fine_acoustics_config=BarkFineConfig(
            input_vocab_size=65, output_vocab_size=65, n_codes_total=4, n_codes_given=1, **size
        ).to_dict(),
        codec_config=_encodec(),
    )
    model = seeded(BarkModel, config).eval()
    fill_codebooks(model.codec_model)
    # BarkGenerationConfig of transformers 5.23 cannot be saved; a plain one of the same words can.
    model.generation_config = GenerationConfig(
        semantic_config={
            "eos_token_id": 100, "max_new_tokens": 32, "text_encoding_offset": 120,
            "text_pad_token": 550, "semantic_infer_token": 560, "semantic_vocab_size": 100,
            "max_input_semantic_length": 24, "semantic_rate_hz": 50.0, "do_sample": True,
        },
        coarse_acoustics_config={
            "coarse_semantic_pad_token": 240, "coarse_rate_hz": 50, "n_coarse_codebooks": 2,
            "coarse_infer_token": 241, "max_coarse_input_length": 24, "max_coarse_history": 32,
            "sliding_window_len": 8, "do_sample": True,
        },
        fine_acoustics_config={
            "temperature": 1.0, "max_fine_history_length": 16, "max_fine_input_length": 32,
            "n_fine_codebooks": 4,
        },
        sample_rate=RATE,
        codebook_size=_CODES,
    )  # fmt: skip
    return Parts(model, BarkProcessor(tokenizers.bert()))


CHECKPOINTS = {"musicgen": musicgen, "musicgen_melody": musicgen_melody, "bark": bark}
