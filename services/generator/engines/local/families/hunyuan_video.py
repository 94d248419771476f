"""HunyuanVideo 13B and 1.5: clips from words, frames of 4 k + 1, 16 x 16 pixels a token."""

from collections.abc import Sequence
from dataclasses import dataclass

from services.generator.domain.shapes import Grid, Shape, tokens
from services.generator.domain.tasks import Operation
from services.generator.domain.vram import GIB, Footprint, Plan
from services.generator.engines.local import clips
from services.generator.engines.local.family import OnStep, Output, Resident, RunOrder
from services.generator.engines.local.loading import load_pipeline, tile
from services.generator.engines.local.probe import CheckpointFacts, Source
from services.generator.engines.local.running import run_pipeline

_GRID = Grid(side=16, time=4)
_RATE = 24.0
_STEPS = 50
_GUIDANCE = 6.0
_TOKEN_CHANNEL = 36.4


@dataclass(slots=True, kw_only=True)
class HunyuanVideo:
    """One of the two versions: `pixel` bytes decode a pixel of a frame whole.

    In tiles it takes `tiled` bytes for a pixel on top of `ground`. `second` is version 1.5: its
    decoder has to tile always (82 GiB otherwise for 5 s of 480p), and a guider of its own stands
    for the guidance.
    """

    name: str
    classes: frozenset[str]
    pixel: float
    tiled: float
    ground: int
    second: bool
    operation: Operation = Operation.VIDEO
    longest: int = 129
    overlap: int = 0
    batches: bool = False

    def snap(self, asked: Shape) -> Shape:
        """Return the shape on the grid that holds `asked`, at 24 frames a second."""
        return clips.native(asked, _GRID, _RATE)

    def footprint(self, facts: CheckpointFacts, shape: Shape) -> Footprint:
        """Return what a run needs; coefficients of runs of the real sizes on fake tensors."""
        pixels = shape.frames * shape.width * shape.height
        whole = round(pixels * self.pixel)
        tiled = min(whole, self.ground + round(pixels * self.tiled))
        return Footprint(
            parameters=facts.parameters,
            encoders=clips.present(facts, "text_encoder", "text_encoder_2"),
            denoisers=clips.present(facts, "transformer"),
            denoise=round(tokens(shape, time=4, side=16) * clips.width(facts) * _TOKEN_CHANNEL),
            decode=tiled if self.second else whole,
            decode_tiled=tiled,
        )

    def load(self, source: Source, plan: Plan) -> Resident:
        """Load it; 1.5 decodes in tiles whatever the plan says."""
        made = load_pipeline(source, plan, class_name=min(self.classes))
        if self.second:
            tile(made)
        return Resident(pipeline=made, source=source, plan=plan)

    def run(self, resident: Resident, order: RunOrder, on_step: OnStep) -> Sequence[Output]:
        """Return one clip for each seed."""
        given = clips.arguments(order, steps=_STEPS)
        if self.second:
            given |= clips.negative(order)
        else:
            given["guidance_scale"] = clips.guided(order, _GUIDANCE)
        return clips.clips(run_pipeline(resident.pipeline, given, on_step).frames, order.shape)


FAMILIES = (
    HunyuanVideo(
        name="hunyuan_video",
        classes=frozenset({"HunyuanVideoPipeline"}),
        pixel=312.5,
        tiled=8.4,
        ground=round(2.37 * GIB),
        second=False,
    ),
    HunyuanVideo(
        name="hunyuan_video_1_5",
        classes=frozenset({"HunyuanVideo15Pipeline"}),
        pixel=1796.0,
        tiled=296.0,
        ground=0,
        second=True,
    ),
)
