"""Stable Audio and AudioLDM 2: sound effects from words."""

from collections.abc import Sequence
from math import prod
from typing import Any

from services.generator.domain.shapes import Shape
from services.generator.domain.tasks import Operation
from services.generator.domain.vram import GIB, Footprint, Plan
from services.generator.engines.local import clips
from services.generator.engines.local.family import OnStep, Output, Resident, RunOrder
from services.generator.engines.local.loading import load_pipeline
from services.generator.engines.local.probe import CheckpointFacts, Source
from services.generator.engines.local.running import generators, run_pipeline
from services.generator.engines.local.tunes import seconds_of, sound

_SECONDS = 10.0


class _Effects:
    operation: Operation = Operation.SOUND
    longest: int = 0
    overlap: int = 0
    batches: bool = False
    classes: frozenset[str]

    def snap(self, asked: Shape) -> Shape:
        """Return `asked`: any length will do up to the checkpoint's longest."""
        return asked

    def footprint(self, facts: CheckpointFacts, shape: Shape) -> Footprint:
        """Return what a run needs: the weights, and a little over them."""
        return Footprint(
            parameters=facts.parameters,
            encoders=clips.present(facts, "text_encoder", "text_encoder_2", "language_model"),
            denoisers=clips.present(facts, "transformer", "unet"),
            denoise=GIB // 2,
            decode=GIB,
            decode_tiled=GIB,
        )

    def load(self, source: Source, plan: Plan) -> Resident:
        """Load it."""
        made = load_pipeline(source, plan, class_name=min(self.classes))
        return Resident(pipeline=made, source=source, plan=plan)


class StableAudio(_Effects):
    """Stereo at the checkpoint's rate, as long as its transformer has places for."""

    name = "stable_audio"
    classes = frozenset({"StableAudioPipeline"})

    def run(self, resident: Resident, order: RunOrder, on_step: OnStep) -> Sequence[Output]:
        """Return one effect for each seed. Raises InvalidArgument for one that is too long."""
        pipeline = resident.pipeline
        vae, places = pipeline.vae.config, pipeline.transformer.config.sample_size
        longest = places * prod(vae.downsampling_ratios) / vae.sampling_rate
        given = _arguments(order, steps=100, guidance=7.0)
        seconds = given["audio_end_in_s"] = seconds_of(order, longest, _SECONDS)
        made = run_pipeline(pipeline, given, on_step).audios
        return [sound(audio, int(vae.sampling_rate), seconds) for audio in made]


class AudioLdm2(_Effects):
    """Mono at 16 kHz."""

    name = "audioldm2"
    classes = frozenset({"AudioLDM2Pipeline"})

    def run(self, resident: Resident, order: RunOrder, on_step: OnStep) -> Sequence[Output]:
        """Return one effect for each seed. Raises InvalidArgument for one that is too long."""
        rate = int(resident.pipeline.vocoder.config.sampling_rate)
        given = _arguments(order, steps=200, guidance=3.5)
        seconds = given["audio_length_in_s"] = seconds_of(order, 60.0, _SECONDS)
        made = run_pipeline(resident.pipeline, given, on_step).audios
        return [sound(audio, rate, seconds) for audio in made]


def _arguments(order: RunOrder, *, steps: int, guidance: float) -> dict[str, Any]:
    return {
        "prompt": list(order.prompts),
        "num_inference_steps": order.steps or steps,
        "guidance_scale": clips.guided(order, guidance),
        "generator": generators(order.seeds),
        "output_type": "pt",
        **clips.negative(order),
    }
