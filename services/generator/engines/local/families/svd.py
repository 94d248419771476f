"""Stable Video Diffusion: a picture moves; it reads no words. Sides in multiples of 64."""

from collections.abc import Sequence

from services.common.errors import InvalidArgument
from services.generator.domain.shapes import Grid, Shape
from services.generator.domain.tasks import Operation
from services.generator.domain.vram import Footprint, Plan
from services.generator.engines.local import clips
from services.generator.engines.local.family import OnStep, Output, Resident, RunOrder
from services.generator.engines.local.loading import load_pipeline
from services.generator.engines.local.probe import CheckpointFacts, Source
from services.generator.engines.local.running import run_pipeline

_GRID = Grid(side=64)
_SLOWEST, _FASTEST = 5.0, 30.0
_STEPS = 25
_AT_ONCE = 4
_GUIDANCE = 3.0
# Bytes of scratch: for a latent pixel and channel of the first block, both halves of the guidance
# at once; for a decoded pixel of each frame that is decoded at once.
_LATENT_CHANNEL = 112.0
_PIXEL = 1536.0


class StableVideo:
    """Up to 25 frames from one picture; the decoder takes four of them at a time."""

    name = "svd"
    operation = Operation.VIDEO
    classes = frozenset({"StableVideoDiffusionPipeline"})
    longest = 25
    overlap = 1
    batches = False

    def snap(self, asked: Shape) -> Shape:
        """Return the shape on the grid that holds `asked`; the rate is told to the model."""
        return clips.native(asked, _GRID, min(max(asked.fps or 6.0, _SLOWEST), _FASTEST))

    def footprint(self, facts: CheckpointFacts, shape: Shape) -> Footprint:
        """Return what a run needs; coefficients of runs of the real sizes on fake tensors."""
        channels = facts.components["unet"].config.get("block_out_channels", [320])[0]
        latents = shape.frames * (shape.width // 8) * (shape.height // 8)
        decode = min(shape.frames, _AT_ONCE) * shape.width * shape.height * _PIXEL
        return Footprint(
            parameters=facts.parameters,
            encoders=clips.present(facts, "image_encoder"),
            denoisers=clips.present(facts, "unet"),
            denoise=round(latents * channels * _LATENT_CHANNEL),
            decode=round(decode),
            decode_tiled=round(decode),
        )

    def load(self, source: Source, plan: Plan) -> Resident:
        """Load it."""
        made = load_pipeline(source, plan, class_name="StableVideoDiffusionPipeline")
        return Resident(pipeline=made, source=source, plan=plan)

    def run(self, resident: Resident, order: RunOrder, on_step: OnStep) -> Sequence[Output]:
        """Return one clip for each seed. Raises InvalidArgument without a picture."""
        image = clips.first_picture(order)
        if image is None:
            raise InvalidArgument("image", "Stable Video Diffusion moves a picture: give one")
        given = clips.arguments(order, steps=_STEPS) | {
            "image": image,
            "fps": round(order.shape.fps),
            "max_guidance_scale": clips.guided(order, _GUIDANCE),
            "decode_chunk_size": _AT_ONCE,
        }
        del given["prompt"]
        return clips.clips(run_pipeline(resident.pipeline, given, on_step).frames, order.shape)
