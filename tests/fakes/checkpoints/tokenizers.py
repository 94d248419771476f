"""Tokenizers built in code: byte and character vocabularies that take any prompt, in milliseconds.

transformers >= 5 takes a vocabulary as an object, so that no file is fetched.
"""

import string

from tokenizers.pre_tokenizers import ByteLevel
from transformers import (
    BertTokenizer,
    CLIPTokenizer,
    GemmaTokenizer,
    LlamaTokenizer,
    Qwen2Tokenizer,
    RobertaTokenizer,
    T5Tokenizer,
)

BYTES = sorted(ByteLevel.alphabet())
CHARACTERS = list(string.ascii_letters + string.digits + string.punctuation)
_FALLBACK = [f"<0x{number:02X}>" for number in range(256)]
_CHAT = (
    "{% for m in messages %}<|im_start|>{{ m['role'] }}\n{{ m['content'] }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)


def numbered(tokens):
    """Return each token with its number, in order."""
    return {token: number for number, token in enumerate(dict.fromkeys(tokens))}


def t5(max_length=128):
    """A Unigram of characters, as T5 and UMT5 have it."""
    vocabulary = [("<pad>", 0.0), ("</s>", 0.0), ("<unk>", 0.0), ("▁", -2.0)]
    vocabulary += [(character, -3.0) for character in CHARACTERS]
    return T5Tokenizer(vocab=vocabulary, extra_ids=0, model_max_length=max_length)


def clip(max_length=77):
    """Byte pairs without a merge."""
    tokens = [*BYTES, *(byte + "</w>" for byte in BYTES), "<|startoftext|>", "<|endoftext|>"]
    return CLIPTokenizer(vocab=numbered(tokens), merges=[], model_max_length=max_length)


def llama(max_length=512):
    """Byte pairs that fall back to bytes."""
    tokens = ["<unk>", "<s>", "</s>", "<pad>", *_FALLBACK, "▁", *CHARACTERS]
    return LlamaTokenizer(
        vocab=numbered(tokens), merges=[], pad_token="<pad>", model_max_length=max_length
    )


def qwen2(max_length=2048):
    """Bytes and the marks of a conversation."""
    marks = ["<|im_start|>", "<|im_end|>"]
    tokenizer = Qwen2Tokenizer(
        vocab=numbered([*BYTES, "<|endoftext|>", *marks]),
        merges=[],
        model_max_length=max_length,
        extra_special_tokens=marks,
    )
    tokenizer.chat_template = _CHAT
    return tokenizer


def roberta(max_length=77):
    """Bytes with RoBERTa's marks."""
    tokens = ["<s>", "<pad>", "</s>", "<unk>", "<mask>", *BYTES]
    return RobertaTokenizer(vocab=numbered(tokens), merges=[], model_max_length=max_length)


def bert(max_length=256):
    """Word pieces of one character."""
    tokens = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *CHARACTERS]
    tokens += ["##" + character for character in CHARACTERS]
    return BertTokenizer(vocab=numbered(tokens), do_lower_case=False, model_max_length=max_length)


def gemma(max_length=1024):
    """Bytes, characters and the marks of a conversation with pictures."""
    tokens = ["<pad>", "<eos>", "<bos>", "<unk>", "<mask>", "<start_of_turn>", "<end_of_turn>"]
    tokens += ["<start_of_image>", "<end_of_image>", "<image_soft_token>", *_FALLBACK, "▁"]
    return GemmaTokenizer(
        vocab=numbered([*tokens, *CHARACTERS]), merges=[], model_max_length=max_length
    )
