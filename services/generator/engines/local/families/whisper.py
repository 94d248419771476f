"""Whisper hears when each word of a known text is spoken: where the decoder looks as it reads it.

The cross-attention of the heads that follow the sound, and the one path through it that never goes
back (dynamic time warping), as in openai/whisper's timing.py.
"""

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

from services.common.errors import InvalidArgument
from services.generator.domain.shapes import Shape
from services.generator.domain.tasks import Operation
from services.generator.domain.vram import GIB, Footprint, Plan
from services.generator.engines.local.family import OnStep, Output, Resident, RunOrder, Sound
from services.generator.engines.local.probe import CheckpointFacts, Source
from services.generator.engines.local.sampling import load_model, load_words
from services.generator.engines.local.tunes import recording
from services.generator.media.words import split, spoken

RATE = 16_000
_PLACE = 0.02  # seconds that a place of the encoder's output stands for
_SMOOTHED = 7  # places that the median is taken over
Word = tuple[str, float, float]


class Whisper:
    """Gives back the recording `files["audio"]` with the times of the prompt's words in it."""

    name = "whisper"
    operation = Operation.CAPTIONS
    classes = frozenset({"WhisperForConditionalGeneration"})
    longest = 0
    overlap = 0
    batches = False

    def snap(self, asked: Shape) -> Shape:
        """Return `asked`."""
        return asked

    def footprint(self, facts: CheckpointFacts, shape: Shape) -> Footprint:
        """Return what a run needs: the attention of every layer is kept."""
        return Footprint(parameters=facts.parameters, denoise=GIB, decode=0, decode_tiled=0)

    def load(self, source: Source, plan: Plan) -> Resident:
        """Load it so that its attention can be read."""
        model = load_model(source, plan, "WhisperForConditionalGeneration")
        model.set_attn_implementation("eager")
        words = load_words(source, "AutoProcessor")
        return Resident(pipeline=model, source=source, plan=plan, parts={"words": words})

    def run(self, resident: Resident, order: RunOrder, on_step: OnStep) -> Sequence[Output]:
        """Return the recording with its words. Raises InvalidArgument for more than it hears."""
        on_step(0, 1)
        samples = recording(order.files["audio"], RATE, "audio")
        longest = resident.pipeline.config.max_source_positions * _PLACE
        if not 0 < samples.shape[0] / RATE <= longest:
            message = f"lasts {samples.shape[0] / RATE:g} s"
            raise InvalidArgument("audio", message, allowed=(f"up to {longest:g} s",))
        words = heard(resident, samples, order.prompts[0], order.language)
        on_step(1, 1)
        return [Sound(samples=samples[None], rate=RATE, words=tuple(words))]


def heard(resident: Resident, samples: Any, text: str, language: str) -> list[Word]:
    """Return each word of `text` with its start and end in seconds, none before another."""
    import torch

    model, words = resident.pipeline, split(spoken(text))
    tokens = [
        resident.parts["words"].tokenizer(f" {word}", add_special_tokens=False).input_ids
        for word in words
    ]
    head = _head(model, language)
    ids = [*head, *(token for each in tokens for token in each), model.config.eos_token_id]
    if not words or len(ids) > model.config.max_target_positions:
        raise InvalidArgument("text", "has no word, or more than thirty seconds of them")
    features = resident.parts["words"].feature_extractor(
        samples, sampling_rate=RATE, return_tensors="pt"
    )
    with torch.inference_mode():
        seen = model(
            input_features=features.input_features.to(model.device, model.dtype),
            decoder_input_ids=torch.tensor([ids], device=model.device),
            output_attentions=True,
        ).cross_attentions
    seconds = samples.shape[0] / RATE
    starts = _starts(_looked_at(model, seen, seconds), len(head), len(ids))
    return _timed(words, [len(each) for each in tokens], starts, seconds)


def _head(model: Any, language: str) -> list[int]:
    """Return the tokens that a transcript begins with: its language, and that times are not said.

    Raises InvalidArgument for a language that the checkpoint does not know.
    """
    config = model.generation_config
    head = [config.decoder_start_token_id]
    if getattr(config, "is_multilingual", False):
        code = f"<|{(language or 'en').lower().partition('-')[0]}|>"
        if code not in config.lang_to_id:
            raise InvalidArgument("language", f"Whisper does not know {language}")
        head += [config.lang_to_id[code], config.task_to_id["transcribe"]]
    return [*head, config.no_timestamps_token_id]


def _looked_at(model: Any, seen: Any, seconds: float) -> Any:
    """Return how much each token looks at each place: normalised, smoothed, over its best heads."""
    import torch
    from transformers.models.whisper.generation_whisper import _median_filter

    chosen = getattr(model.generation_config, "alignment_heads", None)
    if not chosen:  # those of the upper half, as openai/whisper does
        layers = range(len(seen) // 2, len(seen))
        chosen = [[layer, head] for layer in layers for head in range(seen[0].shape[1])]
    places = max(2, round(seconds / _PLACE))
    weights = torch.stack([seen[layer][0, head, :, :places].float() for layer, head in chosen])
    weights = (weights - weights.mean(dim=1, keepdim=True)) / weights.std(dim=1, keepdim=True)
    weights = weights.nan_to_num()
    if places > _SMOOTHED:
        weights = _median_filter(weights[None], _SMOOTHED)[0]
    return weights.mean(dim=0)


def _starts(looked: Any, first: int, count: int) -> list[float]:
    """Return when each token of the text begins, and last when the text has ended, in seconds."""
    from transformers.models.whisper.generation_whisper import _dynamic_time_warping

    # The token before predicts the next one: rows from the last of the head on.
    rows = looked[first - 1 : count - 1]
    tokens, places = _dynamic_time_warping(-rows.double().cpu().numpy())
    begins: dict[int, float] = {}
    for token, place in zip(tokens.tolist(), places.tolist(), strict=True):
        begins.setdefault(token, place * _PLACE)
    return [begins[number] for number in sorted(begins)]


def _timed(
    words: Sequence[str], counts: Sequence[int], starts: Sequence[float], seconds: float
) -> list[Word]:
    edges, at = [], 0
    for count in counts:
        edges.append(min(starts[at], seconds))
        at += count
    edges.append(min(starts[at] if at < len(starts) else seconds, seconds))
    return [(word, *edge) for word, edge in zip(words, pairwise(edges), strict=True)]
