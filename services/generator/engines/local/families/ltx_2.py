"""LTX-2: a clip and its stereo sound at once; 32 x 32 pixels and 8 frames a token."""

from collections.abc import Sequence

from services.generator.domain.shapes import Grid, Shape, tokens
from services.generator.domain.tasks import Operation
from services.generator.domain.vram import Footprint, Plan
from services.generator.engines.local import clips
from services.generator.engines.local.family import (
    Frames,
    OnStep,
    Output,
    Resident,
    RunOrder,
    Sound,
)
from services.generator.engines.local.loading import load_pipeline
from services.generator.engines.local.probe import CheckpointFacts, Source
from services.generator.engines.local.running import pixel_chunks, run_pipeline

_GRID = Grid(side=32, time=8)
_SLOWEST, _FASTEST = 12.0, 50.0
_STEPS = 30
_GUIDANCE = 3.0
_SKIPPED_BLOCK = 28  # its attention is left out in one of the guiding passes
# Bytes of scratch: for a token and channel, two passes at once; for a decoded pixel of a frame.
_TOKEN_CHANNEL = 88.8
_PIXEL, _PIXEL_TILED = 85.0, 22.8


class Ltx2:
    """Clips with sound from words, or from words and a first picture."""

    name = "ltx_2"
    operation = Operation.VIDEO
    classes = frozenset({"LTX2Pipeline", "LTX2ImageToVideoPipeline"})
    longest = 257
    overlap = 1
    batches = False

    def snap(self, asked: Shape) -> Shape:
        """Return the shape on the grid that holds `asked`, at 12 to 50 frames a second."""
        return clips.native(asked, _GRID, min(max(asked.fps or 24.0, _SLOWEST), _FASTEST))

    def footprint(self, facts: CheckpointFacts, shape: Shape) -> Footprint:
        """Return what a run needs; coefficients of runs of the real sizes on fake tensors."""
        pixels = shape.frames * shape.width * shape.height
        each = 2 * clips.width(facts) * _TOKEN_CHANNEL
        return Footprint(
            parameters=facts.parameters,
            encoders=clips.present(facts, "text_encoder"),
            denoisers=clips.present(facts, "transformer"),
            denoise=round(tokens(shape, time=8, side=32) * each),
            decode=round(pixels * _PIXEL),
            decode_tiled=round(pixels * _PIXEL_TILED),
        )

    def load(self, source: Source, plan: Plan) -> Resident:
        """Load it once; words and pictures share the weights."""
        from diffusers import LTX2ImageToVideoPipeline

        made = load_pipeline(source, plan, class_name="LTX2Pipeline")
        pictured = LTX2ImageToVideoPipeline(**made.components)
        return Resident(pipeline=made, source=source, plan=plan, parts={"pictured": pictured})

    def run(self, resident: Resident, order: RunOrder, on_step: OnStep) -> Sequence[Output]:
        """Return one clip with its sound for each seed."""
        pipeline, image = resident.pipeline, clips.first_picture(order)
        blocks = int(pipeline.transformer.config.num_layers)
        given = clips.arguments(order, steps=_STEPS) | clips.negative(order)
        given |= {
            "frame_rate": order.shape.fps,
            "guidance_scale": clips.guided(order, _GUIDANCE),
            "spatio_temporal_guidance_blocks": [min(_SKIPPED_BLOCK, blocks - 1)],
        }
        if image is not None:
            pipeline = resident.parts["pictured"]
            given["image"] = image
        made = run_pipeline(pipeline, given, on_step)
        rate = int(pipeline.vocoder.config.output_sampling_rate)
        return [
            Frames(
                chunks=pixel_chunks(video),
                count=order.shape.frames,
                fps=order.shape.fps,
                sound=Sound(samples=audio.float().cpu().numpy(), rate=rate),
            )
            for video, audio in zip(made.frames, made.audio, strict=True)
        ]
