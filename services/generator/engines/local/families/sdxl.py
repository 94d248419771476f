"""Stable Diffusion XL: pictures from words, or from words and a picture."""

from collections.abc import Sequence
from typing import Any

from services.generator.domain.shapes import Grid, Shape
from services.generator.domain.tasks import Operation
from services.generator.domain.vram import Footprint, Plan
from services.generator.engines.local import clips
from services.generator.engines.local.family import OnStep, Output, Resident, RunOrder
from services.generator.engines.local.loading import load_pipeline
from services.generator.engines.local.probe import CheckpointFacts, Source
from services.generator.engines.local.stills import begun, in_common, stills

_GRID = Grid(side=8)
_STEPS = 30
_GUIDANCE = 5.0
# Bytes of scratch: for a latent pixel and channel of the first block, both halves of the guidance
# at once; for a decoded pixel in float32, since half precision overflows in this decoder.
_LATENT_CHANNEL = 64.0
_PIXEL, _PIXEL_TILED = 3072.0, 1000.0


class StableDiffusionXL:
    """Takes a negative prompt; alike orders share a run."""

    name = "sdxl"
    operation = Operation.IMAGE
    classes = frozenset({"StableDiffusionXLPipeline"})
    longest = 1
    overlap = 0
    batches = True

    def snap(self, asked: Shape) -> Shape:
        """Return the size in multiples of 8 that holds `asked`."""
        return _GRID.over(asked)

    def footprint(self, facts: CheckpointFacts, shape: Shape) -> Footprint:
        """Return what a run needs; coefficients of runs of the real sizes on fake tensors."""
        channels = facts.components["unet"].config.get("block_out_channels", [320])[0]
        pixels = shape.width * shape.height
        latents = shape.count * pixels / 64
        return Footprint(
            parameters=facts.parameters,
            encoders=clips.present(facts, "text_encoder", "text_encoder_2"),
            denoisers=clips.present(facts, "unet"),
            denoise=round(latents * channels * _LATENT_CHANNEL),
            decode=round(shape.count * pixels * _PIXEL),
            decode_tiled=round(pixels * _PIXEL_TILED),
        )

    def load(self, source: Source, plan: Plan) -> Resident:
        """Load it once; words and pictures share the weights."""
        from diffusers import StableDiffusionXLImg2ImgPipeline

        made = load_pipeline(source, plan, class_name="StableDiffusionXLPipeline")
        pictured = StableDiffusionXLImg2ImgPipeline(**made.components)
        return Resident(pipeline=made, source=source, plan=plan, parts={"pictured": pictured})

    def run(self, resident: Resident, order: RunOrder, on_step: OnStep) -> Sequence[Output]:
        """Return one picture for each seed."""
        given: dict[str, Any] = {
            **in_common(order, steps=_STEPS),
            **clips.negative(order),
            "guidance_scale": clips.guided(order, _GUIDANCE),
        }
        pipeline, given = begun(resident, order, given)
        return stills(pipeline, given, on_step)
