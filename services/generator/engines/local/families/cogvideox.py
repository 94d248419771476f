"""CogVideoX 2B and 5B: 8 frames a second, frames of 8 k + 1, 16 x 16 pixels a token.

Time is compressed by four, but the decoder takes two latents at once and counts right only for an
odd number of them.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from services.common.errors import InvalidArgument
from services.generator.domain.shapes import Grid, Shape, tokens
from services.generator.domain.tasks import Operation
from services.generator.domain.vram import Footprint, Plan
from services.generator.engines.local import clips
from services.generator.engines.local.family import OnStep, Output, Resident, RunOrder
from services.generator.engines.local.loading import load_pipeline
from services.generator.engines.local.probe import CheckpointFacts, Source
from services.generator.engines.local.running import run_pipeline

_GRID = Grid(side=16, time=8)
_RATE = 8.0
_STEPS = 50
_GUIDANCE = 6.0
# Bytes of scratch with both halves of the guidance at once, and for a decoded pixel of a frame.
_TOKEN_CHANNEL = 52.7
_PIXEL, _PIXEL_TILED = 932.0, 241.0


@dataclass(slots=True, kw_only=True)
class CogVideoX:
    """Clips from words, or (`pictured`, another checkpoint) from words and a first picture."""

    name: str
    classes: frozenset[str]
    overlap: int
    pictured: bool
    operation: Operation = Operation.VIDEO
    longest: int = 49
    batches: bool = False

    def snap(self, asked: Shape) -> Shape:
        """Return the shape on the grid that holds `asked`, at 8 frames a second."""
        return clips.native(asked, _GRID, _RATE)

    def footprint(self, facts: CheckpointFacts, shape: Shape) -> Footprint:
        """Return what a run needs; coefficients of runs of the real sizes on fake tensors."""
        pixels = shape.frames * shape.width * shape.height
        return Footprint(
            parameters=facts.parameters,
            encoders=clips.present(facts, "text_encoder"),
            denoisers=clips.present(facts, "transformer"),
            denoise=round(tokens(shape, time=4, side=16) * clips.width(facts) * _TOKEN_CHANNEL),
            decode=round(pixels * _PIXEL),
            decode_tiled=round(pixels * _PIXEL_TILED),
        )

    def load(self, source: Source, plan: Plan) -> Resident:
        """Load it."""
        made = load_pipeline(source, plan, class_name=min(self.classes))
        return Resident(pipeline=made, source=source, plan=plan)

    def run(self, resident: Resident, order: RunOrder, on_step: OnStep) -> Sequence[Output]:
        """Return one clip for each seed; InvalidArgument where a picture lacks or is of no use."""
        given = clips.arguments(order, steps=_STEPS) | clips.negative(order)
        given["guidance_scale"] = clips.guided(order, _GUIDANCE)
        image = clips.first_picture(order)
        if self.pictured and image is None:
            raise InvalidArgument("image", f"{self.name} works from a picture: give one")
        if not self.pictured and image is not None:
            raise InvalidArgument("image", f"{self.name} works from words alone")
        if image is not None:
            given["image"] = image
        return clips.clips(run_pipeline(resident.pipeline, given, on_step).frames, order.shape)


FAMILIES = (
    CogVideoX(
        name="cogvideox",
        classes=frozenset({"CogVideoXPipeline"}),
        overlap=0,
        pictured=False,
    ),
    CogVideoX(
        name="cogvideox_image",
        classes=frozenset({"CogVideoXImageToVideoPipeline"}),
        overlap=1,
        pictured=True,
    ),
)
