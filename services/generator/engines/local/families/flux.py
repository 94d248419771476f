"""FLUX.1 dev and schnell: pictures from words, or from words and a picture."""

from collections.abc import Sequence
from typing import Any

from services.generator.domain.shapes import Grid, Shape, tokens
from services.generator.domain.tasks import Operation
from services.generator.domain.vram import Footprint, Plan
from services.generator.engines.local import clips
from services.generator.engines.local.family import OnStep, Output, Resident, RunOrder
from services.generator.engines.local.loading import load_pipeline
from services.generator.engines.local.probe import CheckpointFacts, Source
from services.generator.engines.local.stills import begun, in_common, stills

_GRID = Grid(side=16)
_STEPS, _STEPS_DISTILLED = 28, 4
_GUIDANCE = 3.5
_WORDS, _WORDS_DISTILLED = 512, 256
_TOKEN_CHANNEL = 39.0
_PIXEL, _PIXEL_TILED = 1536.0, 500.0


class Flux:
    """Whether a checkpoint is the distilled one (schnell) is read from its transformer."""

    name = "flux"
    operation = Operation.IMAGE
    classes = frozenset({"FluxPipeline"})
    longest = 1
    overlap = 0
    batches = True

    def snap(self, asked: Shape) -> Shape:
        """Return the size in multiples of 16 that holds `asked`."""
        return _GRID.over(asked)

    def footprint(self, facts: CheckpointFacts, shape: Shape) -> Footprint:
        """Return what a run needs; coefficients of runs of the real sizes on fake tensors."""
        pixels = shape.width * shape.height
        each = clips.width(facts) * _TOKEN_CHANNEL
        return Footprint(
            parameters=facts.parameters,
            encoders=clips.present(facts, "text_encoder", "text_encoder_2"),
            denoisers=clips.present(facts, "transformer"),
            denoise=round(shape.count * tokens(shape, time=1, side=16) * each),
            decode=round(shape.count * pixels * _PIXEL),
            decode_tiled=round(pixels * _PIXEL_TILED),
        )

    def load(self, source: Source, plan: Plan) -> Resident:
        """Load it once; words and pictures share the weights."""
        from diffusers import FluxImg2ImgPipeline

        made = load_pipeline(source, plan, class_name="FluxPipeline")
        pictured = FluxImg2ImgPipeline(**made.components)
        return Resident(pipeline=made, source=source, plan=plan, parts={"pictured": pictured})

    def run(self, resident: Resident, order: RunOrder, on_step: OnStep) -> Sequence[Output]:
        """Return one picture for each seed."""
        guided = bool(resident.pipeline.transformer.config.guidance_embeds)
        given: dict[str, Any] = {
            **in_common(order, steps=_STEPS if guided else _STEPS_DISTILLED),
            "guidance_scale": clips.guided(order, _GUIDANCE) if guided else 0.0,
            "max_sequence_length": _WORDS if guided else _WORDS_DISTILLED,
        }
        pipeline, given = begun(resident, order, given)
        return stills(pipeline, given, on_step)
