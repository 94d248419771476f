"""What callers are told of a generation: one sentence each, in English on its way through here.

A sentence crosses processes, queues and the ledger as the words it is; at the edge it is read back
as its key and values, and told in every language of `sentences.toml` (decision 0031).
"""

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cache, lru_cache
from importlib import resources
from string import Formatter
from types import MappingProxyType

LANGUAGES = ("en", "sw")


class Said(StrEnum):
    """Everything that is said; each is in the catalogue in every language."""

    VALUE_TAKEN = "value_taken"
    VALUE_LEFT_OUT = "value_left_out"
    NO_SEED = "no_seed"
    SILENT_CLIPS = "silent_clips"
    ALWAYS_SOUND = "always_sound"
    NO_NEGATIVE_PROMPT = "no_negative_prompt"
    NO_FIELD = "no_field"
    PUT_IN_WORDS = "put_in_words"
    PICTURE_ALONE = "picture_alone"
    CAPTION_LEFT_OUT = "caption_left_out"
    CAPTION_SHORTENED = "caption_shortened"
    CAPTION_CHARACTERS = "caption_characters"
    CAPTIONS_NOT_DRAWN = "captions_not_drawn"
    CAPTIONS_HURRIED = "captions_hurried"
    EFFECT_UNKNOWN = "effect_unknown"
    MEMORY_RAN_OUT = "memory_ran_out"
    DECODED_IN_TILES = "decoded_in_tiles"
    EIGHT_BITS = "eight_bits"
    FRAMES_OF_MODEL = "frames_of_model"
    FRAMES_OF_DEVICE = "frames_of_device"
    MADE_IN_RUNS = "made_in_runs"
    NO_STEP_CACHE = "no_step_cache"
    LATE_RESULT = "late_result"
    MANIFEST_LOST = "manifest_lost"
    STOP_ASKED = "stop_asked"
    CANNOT_STOP = "cannot_stop"
    MAY_BE_BILLED = "may_be_billed"
    PRICE_OUT_OF_LINE = "price_out_of_line"
    EMOTION_TAKEN = "emotion_taken"
    EMOTION_LEFT_OUT = "emotion_left_out"
    FINDING_TOO_SHORT = "finding_too_short"
    FINDING_TOO_LONG = "finding_too_long"
    FINDING_NO_PICTURE = "finding_no_picture"
    FINDING_BLACK = "finding_black"
    FINDING_FROZEN = "finding_frozen"
    FINDING_NO_SOUND = "finding_no_sound"
    FINDING_SILENT = "finding_silent"
    FINDING_CLIPPED = "finding_clipped"
    FINDING_CAPTIONS_EMPTY = "finding_captions_empty"
    FINDING_CAPTIONS_OVERLAP = "finding_captions_overlap"
    FINDING_CAPTIONS_BEYOND_END = "finding_captions_beyond_end"
    FINDING_LOUDNESS_MISSED = "finding_loudness_missed"
    FINDING_PEAKS_TOO_HIGH = "finding_peaks_too_high"
    FINDING_UNREADABLE = "finding_unreadable"
    FINDING_MISHEARD = "finding_misheard"
    FINDING_OFF_PROMPT = "finding_off_prompt"


@dataclass(frozen=True, slots=True)
class Told:
    """A sentence with its key and values, in every language; a strange one in English alone."""

    key: str
    values: Mapping[str, str] = field(default_factory=dict)
    texts: Mapping[str, str] = field(default_factory=dict)


def said(key: Said, **values: object) -> str:
    """The sentence in English. Raises KeyError for a hole without a value."""
    return sentences()[key]["en"].format(**values)


def found_wrong(kind: str, **values: object) -> str:
    """The sentence of a finding. Raises ValueError for a kind that has none."""
    return said(Said(f"finding_{kind}"), **values)


@lru_cache(1_000)  # vendors' own sentences come through here as well
def told(sentence: str) -> Told:
    """What a sentence of `said` says; "" as key for one that is of nobody here."""
    for key, pattern in _patterns():
        match = pattern.fullmatch(sentence)
        if match is not None:
            values = match.groupdict()
            texts = {tag: text.format(**values) for tag, text in sentences()[key].items()}
            return Told(key, MappingProxyType(values), MappingProxyType(texts))
    return Told("", texts=MappingProxyType({"en": sentence}))


@cache
def sentences(source: str = "") -> Mapping[Said, Mapping[str, str]]:
    """The catalogue. Raises ValueError for what is missing, unknown or has other holes."""
    read = tomllib.loads(source or _read())
    wrong = sorted(set(Said) ^ read.keys())
    wrong += [key for key, texts in read.items() if not _agree(texts)]
    if wrong:
        message = f"sentences.toml: missing, unknown or with other holes: {', '.join(wrong)}"
        raise ValueError(message)
    return {Said(key): texts for key, texts in read.items()}


def _read() -> str:
    return resources.files(__package__).joinpath("sentences.toml").read_text(encoding="utf-8")


def _agree(texts: Mapping[str, str]) -> bool:
    """Whether every language says it, with the same holes and none twice."""
    holes = [sorted(_holes(text)) for text in texts.values()]
    once = all(len(found) == len(set(found)) for found in holes)
    said_by_all = set(texts) == set(LANGUAGES) and all(text.strip() for text in texts.values())
    return said_by_all and once and all(found == holes[0] for found in holes)


def _holes(text: str) -> list[str]:
    return [name for _, name, _, _ in Formatter().parse(text) if name is not None]


@cache
def _patterns() -> tuple[tuple[Said, re.Pattern[str]], ...]:
    """How each sentence looks in English; the one with the most words of its own is tried first."""
    found = []
    for key, texts in sentences().items():
        parts = list(Formatter().parse(texts["en"]))
        shape = "".join(
            re.escape(words) + (f"(?P<{name}>.*?)" if name else "") for words, name, _, _ in parts
        )
        own = sum(len(words) for words, *_ in parts)
        found.append((own, key, re.compile(shape, re.DOTALL)))
    return tuple((key, pattern) for _, key, pattern in sorted(found, key=lambda f: -f[0]))
