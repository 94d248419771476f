"""MusicGen, and MusicGen Melody that follows a tune: 50 frames of four codes a second.

At most 30 s are drawn at once; longer pieces go on from the last ten seconds.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil
from pathlib import Path
from typing import Any

from services.common.errors import InvalidArgument
from services.generator.domain.shapes import Shape
from services.generator.domain.tasks import Operation
from services.generator.domain.vram import GIB, Footprint, Plan
from services.generator.engines.local import clips
from services.generator.engines.local.family import OnStep, Output, Resident, RunOrder
from services.generator.engines.local.loading import load_config
from services.generator.engines.local.probe import CheckpointFacts, Source
from services.generator.engines.local.sampling import Tokens, load_model, load_words, noise
from services.generator.engines.local.tunes import recording, seconds_of, sound

_SECONDS = 30.0
_WINDOW, _KEPT = 30.0, 10.0
_LONGEST = 300.0
_GUIDANCE = 3.0


@dataclass(slots=True, kw_only=True)
class MusicGen:
    """`melodic` checkpoints take `files["melody"]`: what is drawn has its tune."""

    name: str
    classes: frozenset[str]
    melodic: bool
    operation: Operation = Operation.MUSIC
    longest: int = 0
    overlap: int = 0
    batches: bool = False

    def snap(self, asked: Shape) -> Shape:
        """Return `asked`: any length will do."""
        return asked

    def footprint(self, facts: CheckpointFacts, shape: Shape) -> Footprint:
        """Return what a run needs: the weights, and the keys of 30 s."""
        return Footprint(
            parameters=facts.parameters, denoise=GIB, decode=GIB // 2, decode_tiled=GIB // 2
        )

    def load(self, source: Source, plan: Plan) -> Resident:
        """Load it with its tokenizer."""
        model = load_model(source, plan, min(self.classes))
        parts: dict[str, Any] = {"words": load_words(source)}
        if self.melodic:
            parts["chroma"] = load_config(source, "preprocessor_config.json")
        return Resident(pipeline=model, source=source, plan=plan, parts=parts)

    def run(self, resident: Resident, order: RunOrder, on_step: OnStep) -> Sequence[Output]:
        """Return one piece for each seed. Raises InvalidArgument for lyrics: nobody sings."""
        if order.lyrics.strip():
            raise InvalidArgument("lyrics", "MusicGen does not sing", allowed=("",))
        if "melody" in order.files and not self.melodic:
            raise InvalidArgument("melody", "this checkpoint follows none: take MusicGen Melody")
        seconds = seconds_of(order, _WINDOW if self.melodic else _LONGEST, _SECONDS)
        made = []
        for prompt, seed in zip(order.prompts, order.seeds, strict=True):
            given = self._given(resident, order, prompt)
            with noise(seed):
                drawn = _drawn(resident.pipeline, given, seconds, on_step)
            made.append(sound(drawn, _rate(resident.pipeline), seconds))
        return made

    def _given(self, resident: Resident, order: RunOrder, prompt: str) -> dict[str, Any]:
        model = resident.pipeline
        words = resident.parts["words"]([prompt], return_tensors="pt").to(model.device)
        given = {"input_ids": words.input_ids, "attention_mask": words.attention_mask}
        given["guidance_scale"] = clips.guided(order, _GUIDANCE)
        if self.melodic and "melody" in order.files:
            tune = chroma(order.files["melody"], resident.parts["chroma"])
            given["input_features"] = tune.to(model.device, model.dtype)
        return given


def _drawn(model: Any, given: dict[str, Any], seconds: float, on_step: OnStep) -> Any:
    """Return samples (channels, n), at least as many as `seconds` hold."""
    import torch

    rate, frames = _rate(model), model.config.audio_encoder.frame_rate
    windows = _windows(seconds)
    extra = model.config.decoder.num_codebooks - 1  # the codes of one frame come one by one
    counts = [ceil(each * frames - 1e-6) + extra for each in windows]
    tokens = Tokens(on_step, sum(counts))
    whole = None
    for count in counts:
        more = dict(given)
        kept = 0
        if whole is not None:
            kept = round(_KEPT * rate)
            more["input_values"] = whole[None, :, -kept:]
            more["padding_mask"] = torch.ones_like(more["input_values"][:, 0], dtype=torch.long)
        drawn = model.generate(
            **more, do_sample=True, max_new_tokens=count, stopping_criteria=tokens.criteria()
        )[0]
        whole = drawn if whole is None else torch.cat([whole, drawn[:, kept:]], dim=1)
    tokens.finish()
    return whole


def _windows(seconds: float) -> list[float]:
    """Return how many seconds are drawn anew in each window."""
    found = [min(seconds, _WINDOW)]
    while sum(found) < seconds - 1e-6:
        found.append(min(seconds - sum(found), _WINDOW - _KEPT))
    return found


def _rate(model: Any) -> int:
    return int(model.config.audio_encoder.sampling_rate)


def chroma(path: Path, config: dict[str, Any]) -> Any:
    """Return which of twelve tones is the loudest at each moment, one-hot: (1, moments, 12).

    As MusicgenMelodyFeatureExtractor does it, which would need torchaudio.
    """
    import torch
    from transformers.audio_utils import chroma_filter_bank

    rate, size = config["sampling_rate"], config["n_fft"]
    wave = torch.from_numpy(recording(path, rate, "melody")[: config["chunk_length"] * rate])
    wave = torch.nn.functional.pad(wave, (0, max(0, size - wave.shape[0])))
    window = torch.hann_window(size)
    spectrum = torch.stft(wave, size, config["hop_length"], window=window, return_complex=True)
    filters = chroma_filter_bank(
        sampling_rate=rate, num_frequency_bins=size, tuning=0, num_chroma=config["num_chroma"]
    )
    tones = torch.from_numpy(filters).float() @ (spectrum.abs() ** 2)
    loudest = tones.argmax(dim=0)
    return torch.nn.functional.one_hot(loudest, config["num_chroma"]).float()[None]


FAMILIES = (
    MusicGen(
        name="musicgen",
        classes=frozenset({"MusicgenForConditionalGeneration"}),
        melodic=False,
    ),
    MusicGen(
        name="musicgen_melody",
        classes=frozenset({"MusicgenMelodyForConditionalGeneration"}),
        melodic=True,
    ),
)
