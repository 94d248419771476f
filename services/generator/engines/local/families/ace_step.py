"""ACE-Step 1.5: music, and songs with lyrics, from a few seconds to minutes."""

from collections.abc import Sequence
from dataclasses import replace

from services.generator.domain.shapes import Shape
from services.generator.domain.songs import measure_of, song
from services.generator.domain.tasks import Operation
from services.generator.domain.vram import GIB, Footprint, Plan
from services.generator.engines.local import clips
from services.generator.engines.local.family import OnStep, Output, Resident, RunOrder
from services.generator.engines.local.loading import load_pipeline
from services.generator.engines.local.probe import CheckpointFacts, Source
from services.generator.engines.local.running import generators, run_pipeline
from services.generator.engines.local.tunes import seconds_of, sound

_SECONDS, _LONGEST = 30.0, 600.0
_STEPS = 8
_GUIDANCE = 7.0
_SILENT = "[instrumental]"
_PER_SECOND = 16 * 2**20  # bytes to decode a second of 48 kHz stereo


class AceStep:
    """Lyrics with marks such as "[verse]" and "[chorus]" are sung; without any nobody sings.

    They are laid on bars: `options.local.tempo` and `metre`, else the slowest that holds them.
    """

    name = "ace_step"
    operation = Operation.MUSIC
    classes = frozenset({"AceStepPipeline"})
    longest = 0
    overlap = 0
    batches = False

    def snap(self, asked: Shape) -> Shape:
        """Return `asked`: any length will do."""
        return asked

    def footprint(self, facts: CheckpointFacts, shape: Shape) -> Footprint:
        """Return what a run needs: the weights, and room that grows with the length."""
        decode = GIB // 2 + round((shape.seconds or _SECONDS) * _PER_SECOND)
        return Footprint(
            parameters=facts.parameters,
            encoders=clips.present(facts, "text_encoder", "condition_encoder"),
            denoisers=clips.present(facts, "transformer"),
            denoise=GIB // 2,
            decode=decode,
            decode_tiled=min(decode, GIB),
        )

    def load(self, source: Source, plan: Plan) -> Resident:
        """Load it."""
        made = load_pipeline(source, plan, class_name="AceStepPipeline")
        return Resident(pipeline=made, source=source, plan=plan)

    def run(self, resident: Resident, order: RunOrder, on_step: OnStep) -> Sequence[Output]:
        """Return one piece for each seed. Raises InvalidArgument for one that is too long."""
        pipeline, seconds = resident.pipeline, seconds_of(order, _LONGEST, _SECONDS)
        measure = measure_of(order.options, order.lyrics, seconds)
        words = song(order.lyrics, seconds, measure).words
        given = {
            "prompt": list(order.prompts),
            "lyrics": [order.lyrics or _SILENT] * len(order.prompts),
            "vocal_language": order.language or "en",
            "audio_duration": seconds,
            "bpm": measure.tempo,
            "timesignature": str(measure.metre),
            "num_inference_steps": order.steps or _STEPS,
            "guidance_scale": clips.guided(order, _GUIDANCE),
            "generator": generators(order.seeds),
            "output_type": "pt",
        }
        made = run_pipeline(pipeline, given, on_step).audios
        rate = int(pipeline.vae.config.sampling_rate)
        times = tuple((word.text, word.start_seconds, word.end_seconds) for word in words)
        return [replace(sound(audio, rate, seconds), words=times) for audio in made]
