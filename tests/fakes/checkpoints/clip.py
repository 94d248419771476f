"""CLIP of one layer each for words and pictures, with the processor that the real one has."""

from transformers import (
    CLIPConfig,
    CLIPImageProcessor,
    CLIPModel,
    CLIPProcessor,
    CLIPTextConfig,
    CLIPVisionConfig,
)

from tests.fakes.checkpoints import tokenizers
from tests.fakes.checkpoints.seeding import seeded
from tests.fakes.checkpoints.voices import Parts


def clip():
    """Pictures of 32 x 32 in patches of 8, 77 tokens, eight dimensions in common."""
    tokenizer = tokenizers.clip()
    small = {
        "hidden_size": 16,
        "intermediate_size": 16,
        "num_hidden_layers": 1,
        "num_attention_heads": 2,
    }
    text = CLIPTextConfig(
        vocab_size=len(tokenizer),
        max_position_embeddings=77,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
        **small,
    )
    vision = CLIPVisionConfig(image_size=32, patch_size=8, **small)
    config = CLIPConfig(
        text_config=text.to_dict(), vision_config=vision.to_dict(), projection_dim=8
    )
    pictures = CLIPImageProcessor(size={"shortest_edge": 32}, crop_size={"height": 32, "width": 32})
    return Parts(seeded(CLIPModel, config).eval(), CLIPProcessor(pictures, tokenizer))


CHECKPOINTS = {"clip": clip}
