"""Whisper hears when each word of a known text is spoken, and what was said in its place.

Times are where the decoder looks as it reads the text: the cross-attention of the heads that follow
the sound, and the one path through it that never goes back (dynamic time warping), as in
openai/whisper's timing.py. It hears thirty seconds at once, and longer recordings by windows.
"""

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

from services.common.errors import InvalidArgument
from services.generator.domain.shapes import Shape
from services.generator.domain.tasks import Operation
from services.generator.domain.vram import GIB, Footprint, Plan
from services.generator.engines.local.family import OnStep, Output, Resident, RunOrder, Sound
from services.generator.engines.local.listening import Ears, Word, listened
from services.generator.engines.local.probe import CheckpointFacts, Source
from services.generator.engines.local.sampling import load_model, load_words
from services.generator.engines.local.tunes import recording
from services.generator.media.words import split, spoken

RATE = 16_000
_PLACE = 0.02  # seconds that a place of the encoder's output stands for
_SMOOTHED = 7  # places that the median is taken over


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
        """Return the recording with its words and what was heard. Raises InvalidArgument."""
        samples = recording(order.files["audio"], RATE, "audio")
        seconds = samples.shape[0] / RATE
        words = split(spoken(order.prompts[0]))
        if not words or not seconds:
            raise InvalidArgument("text" if seconds else "audio", "has no word that could be heard")
        head = _head(resident.pipeline, order.language)

        def part(start: float, end: float) -> Any:
            return samples[round(start * RATE) : round(end * RATE)]

        ears = Ears(
            longest=resident.pipeline.config.max_source_positions * _PLACE,
            told=lambda start, end: recognised(resident, part(start, end), head),
            timed=lambda start, end, some: heard(resident, part(start, end), some, head),
        )
        whole = max(1, round(seconds))
        found, told = listened(
            words, seconds, ears, lambda second: on_step(int(second * whole / seconds), whole)
        )
        on_step(whole, whole)
        return [Sound(samples=samples[None], rate=RATE, words=tuple(found), heard=told)]


def recognised(resident: Resident, samples: Any, head: Sequence[int]) -> str:
    """Return what is said in at most thirty seconds."""
    import torch

    model, words = resident.pipeline, resident.parts["words"].tokenizer
    ids = torch.tensor([head], device=model.device)
    with torch.inference_mode():
        made = model.generate(
            _features(resident, samples),
            decoder_input_ids=ids,
            do_sample=False,
        )
    return str(words.decode(made[0], skip_special_tokens=True)).strip()


def heard(
    resident: Resident, samples: Any, words: Sequence[str], head: Sequence[int]
) -> list[Word]:
    """Return each word with its start and end in seconds, none before another.

    Raises InvalidArgument for more words than are said in thirty seconds.
    """
    import torch

    model, tokenizer = resident.pipeline, resident.parts["words"].tokenizer
    tokens = [tokenizer(f" {word}", add_special_tokens=False).input_ids for word in words]
    ids = [*head, *(token for each in tokens for token in each), model.config.eos_token_id]
    if len(ids) > model.config.max_target_positions:
        raise InvalidArgument("text", "has more words than are said in thirty seconds")
    with torch.inference_mode():
        seen = model(
            input_features=_features(resident, samples),
            decoder_input_ids=torch.tensor([ids], device=model.device),
            output_attentions=True,
        ).cross_attentions
    seconds = samples.shape[0] / RATE
    starts = _starts(_looked_at(model, seen, seconds), len(head), len(ids))
    return _timed(words, [len(each) for each in tokens], starts, seconds)


def _features(resident: Resident, samples: Any) -> Any:
    extractor, model = resident.parts["words"].feature_extractor, resident.pipeline
    found = extractor(samples, sampling_rate=RATE, return_tensors="pt").input_features
    return found.to(model.device, model.dtype)


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
