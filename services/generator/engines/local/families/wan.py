"""Wan 2.1, 2.2 A14B and 2.2 TI2V-5B: frames of 4 k + 1; 16 x 16 pixels a token (5B: 32 x 32)."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from services.common.errors import InvalidArgument
from services.generator.domain.shapes import Grid, Shape, tokens
from services.generator.domain.tasks import Operation
from services.generator.domain.vram import Footprint, Plan
from services.generator.engines.local import clips
from services.generator.engines.local.family import OnStep, Output, Resident, RunOrder
from services.generator.engines.local.loading import load_pipeline
from services.generator.engines.local.probe import CheckpointFacts, Source
from services.generator.engines.local.running import picture, run_pipeline

# Bytes of scratch, of runs of the real sizes on fake tensors in bfloat16: for a token, a channel of
# attention and one of the feed-forward layers; for a decoded pixel of a frame, whole and in tiles.
_ATTENTION, _FORWARD = 13.8, 3.1
_PIXEL, _PIXEL_SMALL = 131.0, 95.1
_PIXEL_TILED = 28.4
_GUIDANCE, _GUIDANCE_LOW = 5.0, 3.0
_STEPS = 40


@dataclass(slots=True, kw_only=True)
class Wan:
    """Clips from words, from a picture, or (`both`) from either with one checkpoint.

    `grid` and `fps` are those of the checkpoint's VAE and training.
    """

    name: str
    classes: frozenset[str]
    grid: Grid
    fps: float
    longest: int
    overlap: int
    both: bool = False
    operation: Operation = Operation.VIDEO
    batches: bool = False

    def snap(self, asked: Shape) -> Shape:
        """Return the shape on the grid that holds `asked`, at the model's own rate."""
        return clips.native(asked, self.grid, self.fps)

    def footprint(self, facts: CheckpointFacts, shape: Shape) -> Footprint:
        """Return what a run needs; guidance runs its two halves one after the other."""
        forward = int(facts.components["transformer"].config.get("ffn_dim", 0))
        each = clips.width(facts) * _ATTENTION + forward * _FORWARD
        pixels = shape.frames * shape.width * shape.height
        return Footprint(
            parameters=facts.parameters,
            encoders=clips.present(facts, "text_encoder", "image_encoder"),
            denoisers=clips.present(facts, "transformer", "transformer_2"),
            denoise=round(tokens(shape, time=4, side=self.grid.side) * each),
            decode=round(pixels * (_PIXEL_SMALL if self.both else _PIXEL)),
            decode_tiled=round(pixels * _PIXEL_TILED),
        )

    def load(self, source: Source, plan: Plan) -> Resident:
        """Load it once; with `both`, pictures and words share the weights."""
        made = load_pipeline(source, plan, class_name=min(self.classes).partition("+")[0])
        return Resident(pipeline=made, source=source, plan=plan)

    def run(self, resident: Resident, order: RunOrder, on_step: OnStep) -> Sequence[Output]:
        """Return one clip for each seed; InvalidArgument where a picture lacks or is of no use."""
        given = clips.arguments(order, steps=_STEPS) | clips.negative(order)
        given["guidance_scale"] = clips.guided(order, _GUIDANCE)
        pipeline, image = resident.pipeline, clips.first_picture(order)
        if getattr(pipeline, "transformer_2", None) is not None:
            given["guidance_scale_2"] = clips.guided(order, _GUIDANCE_LOW)
        if image is not None:
            pipeline = self._pictured(pipeline)
            given |= {"image": image} | _last(pipeline, order)
        elif not self.both and self.overlap:
            raise InvalidArgument("image", f"{self.name} works from a picture: give one")
        return clips.clips(run_pipeline(pipeline, given, on_step).frames, order.shape)

    def _pictured(self, pipeline: Any) -> Any:
        """Return the pipeline that takes a picture, over the same weights."""
        from diffusers import WanImageToVideoPipeline

        if isinstance(pipeline, WanImageToVideoPipeline):
            return pipeline
        if not self.both:
            raise InvalidArgument("image", f"{self.name} works from words alone")
        return WanImageToVideoPipeline(**pipeline.components, expand_timesteps=True)


def _last(pipeline: Any, order: RunOrder) -> dict[str, Any]:
    """Return the picture that a clip ends with. Raises InvalidArgument where none is taken.

    A14B pins any frame by its latents. 2.1 looks at pictures with CLIP as well, and only a
    checkpoint that was trained for two (first and last frame) has places for both.
    """
    path = order.files.get("last_image")
    if path is None:
        return {}
    places = pipeline.transformer.config.get("pos_embed_seq_len")
    if pipeline.config.expand_timesteps or (pipeline.image_encoder is not None and not places):
        raise InvalidArgument("last_image", "this checkpoint of Wan takes a first picture only")
    return {"last_image": picture(path, order.shape.width, order.shape.height)}


FAMILIES = (
    Wan(
        name="wan",
        classes=frozenset({"WanPipeline"}),
        grid=Grid(side=16, time=4),
        fps=16.0,
        longest=81,
        overlap=0,
    ),
    Wan(
        name="wan_image",
        classes=frozenset({"WanImageToVideoPipeline"}),
        grid=Grid(side=16, time=4),
        fps=16.0,
        longest=81,
        overlap=1,
    ),
    Wan(
        name="wan_small",
        classes=frozenset({"WanPipeline+expand_timesteps"}),
        grid=Grid(side=32, time=4),
        fps=24.0,
        longest=121,
        overlap=1,
        both=True,
    ),
)
