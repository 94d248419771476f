"""Whisper of two layers with the vocabulary of bytes, languages and times that the real one has."""

from transformers import (
    GenerationConfig,
    WhisperConfig,
    WhisperFeatureExtractor,
    WhisperForConditionalGeneration,
    WhisperProcessor,
    WhisperTokenizer,
)

from tests.fakes.checkpoints.seeding import seeded
from tests.fakes.checkpoints.tokenizers import BYTES, numbered
from tests.fakes.checkpoints.voices import Parts

_LANGUAGES = ("en", "sw", "fr", "de")
_MARKS = (
    "<|endoftext|>", "<|startoftranscript|>", *(f"<|{each}|>" for each in _LANGUAGES),
    "<|translate|>", "<|transcribe|>", "<|startoflm|>", "<|startofprev|>", "<|nospeech|>",
    "<|notimestamps|>",
)  # fmt: skip


def whisper():
    """Mel spectra of 80 bins, 30 s at once (1,500 places), 448 tokens at most."""
    tokens = numbered([*BYTES, *_MARKS, *(f"<|{n / 50:.2f}|>" for n in range(1501))])
    tokenizer = WhisperTokenizer(vocab=tokens, merges=[], model_max_length=448)
    tokenizer.add_special_tokens({"additional_special_tokens": list(_MARKS)})
    config = WhisperConfig(
        vocab_size=len(tokenizer),
        num_mel_bins=80,
        d_model=16,
        encoder_layers=1,
        decoder_layers=2,
        encoder_attention_heads=2,
        decoder_attention_heads=2,
        encoder_ffn_dim=16,
        decoder_ffn_dim=16,
        max_source_positions=1500,
        max_target_positions=448,
        pad_token_id=tokens["<|endoftext|>"],
        bos_token_id=tokens["<|endoftext|>"],
        eos_token_id=tokens["<|endoftext|>"],
        decoder_start_token_id=tokens["<|startoftranscript|>"],
    )
    model = seeded(WhisperForConditionalGeneration, config).eval()
    model.generation_config = GenerationConfig(
        alignment_heads=[[0, 0], [1, 1]],
        lang_to_id={f"<|{each}|>": tokens[f"<|{each}|>"] for each in _LANGUAGES},
        task_to_id={"transcribe": tokens["<|transcribe|>"], "translate": tokens["<|translate|>"]},
        no_timestamps_token_id=tokens["<|notimestamps|>"],
        is_multilingual=True,
        max_initial_timestamp_index=50,
        max_length=24,  # what it recognises is nothing: it need not be long
        pad_token_id=tokens["<|endoftext|>"],
        eos_token_id=tokens["<|endoftext|>"],
        decoder_start_token_id=tokens["<|startoftranscript|>"],
        begin_suppress_tokens=[],
        suppress_tokens=[],
    )
    return Parts(model, WhisperProcessor(WhisperFeatureExtractor(feature_size=80), tokenizer))


CHECKPOINTS = {"whisper": whisper}
