"""Text and picture encoders of a few thousand parameters, which several families share."""

from transformers import (
    CLIPImageProcessor,
    CLIPTextConfig,
    CLIPTextModel,
    CLIPTextModelWithProjection,
    CLIPVisionConfig,
    CLIPVisionModel,
    T5Config,
    T5EncoderModel,
    UMT5Config,
    UMT5EncoderModel,
)

from tests.fakes.checkpoints import tokenizers
from tests.fakes.checkpoints.seeding import seeded

_T5 = {"d_model": 32, "d_ff": 64, "d_kv": 8, "num_heads": 4, "num_layers": 2}


def t5(max_length=128):
    """Return a T5 encoder of width 32 and its tokenizer."""
    tokenizer = tokenizers.t5(max_length)
    config = T5Config(vocab_size=len(tokenizer), feed_forward_proj="gated-gelu", **_T5)
    return seeded(T5EncoderModel, config).eval(), tokenizer


def umt5(max_length=128):
    """Return a UMT5 encoder of width 32 and its tokenizer."""
    tokenizer = tokenizers.t5(max_length)
    return seeded(UMT5EncoderModel, UMT5Config(vocab_size=len(tokenizer), **_T5)).eval(), tokenizer


def clip(width=32, *, projection=False):
    """Return a CLIP text encoder and its tokenizer; `projection` as in SDXL's second one."""
    tokenizer = tokenizers.clip()
    config = CLIPTextConfig(
        vocab_size=len(tokenizer),
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
        hidden_size=width,
        intermediate_size=37,
        num_attention_heads=4,
        num_hidden_layers=2,
        max_position_embeddings=77,
        projection_dim=width,
    )
    kind = CLIPTextModelWithProjection if projection else CLIPTextModel
    return seeded(kind, config).eval(), tokenizer


def clip_vision():
    """Return a CLIP picture encoder of width 4 and its processor (32 by 32 pixels)."""
    config = CLIPVisionConfig(
        hidden_size=4,
        projection_dim=4,
        num_hidden_layers=2,
        num_attention_heads=2,
        image_size=32,
        intermediate_size=16,
        patch_size=8,
    )
    return seeded(CLIPVisionModel, config).eval(), CLIPImageProcessor(crop_size=32, size=32)
