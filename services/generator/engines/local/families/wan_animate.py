"""Wan 2.2 Animate: a picture of somebody takes on the expression and the pose of a recording."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from services.common.errors import InvalidArgument
from services.generator.domain.shapes import Grid, Shape, tokens
from services.generator.domain.tasks import Operation
from services.generator.domain.vram import Footprint, Plan
from services.generator.engines.local import clips
from services.generator.engines.local.family import OnStep, Output, Resident, RunOrder
from services.generator.engines.local.loading import load_pipeline
from services.generator.engines.local.performances import followed, performance
from services.generator.engines.local.probe import CheckpointFacts, Source, folder_of
from services.generator.engines.local.running import run_pipeline

_GRID = Grid(side=16, time=4)
_RATE = 30.0
_SEGMENT, _LEAST = 77, 5
"""Most and fewest frames that are denoised at once; each goes on from the last one before it."""

_STEPS = 20
_GUIDANCE = 1.0  # beyond it every step is made twice, which this model was trained to do without
# Bytes of scratch of runs of the real sizes on fake tensors in bfloat16: for a token and channel,
# for a decoded pixel of a segment's frame, whole and in tiles; and for one of the whole clip.
_TOKEN_CHANNEL = 26.8
_PIXEL, _PIXEL_TILED = 131.0, 28.4
_PIXEL_KEPT = 12.0


class WanAnimate:
    """The emotion is `options.local.emotion`; every scene that names it follows the same face."""

    name = "wan_animate"
    operation = Operation.VIDEO
    classes = frozenset({"WanAnimatePipeline"})
    longest = 4 * (_SEGMENT - 1) + 1
    overlap = 0
    batches = False

    def snap(self, asked: Shape) -> Shape:
        """Return the shape on the grid that holds `asked`, at 30 frames a second."""
        own = clips.native(asked, _GRID, _RATE)
        return replace(own, frames=max(own.frames, _LEAST))

    def footprint(self, facts: CheckpointFacts, shape: Shape) -> Footprint:
        """Return what a run needs: scratch of one segment, and the frames of all of them."""
        once = min(shape.frames, _SEGMENT)
        area, kept = shape.width * shape.height, shape.frames * shape.width * shape.height
        # The picture of the one who moves is a latent frame beside those of the segment.
        count = tokens(replace(shape, frames=once + _GRID.time), time=_GRID.time, side=_GRID.side)
        return Footprint(
            parameters=facts.parameters,
            encoders=clips.present(facts, "text_encoder", "image_encoder"),
            denoisers=clips.present(facts, "transformer"),
            denoise=round(count * clips.width(facts) * _TOKEN_CHANNEL + kept * _PIXEL_KEPT),
            decode=round(once * area * _PIXEL + kept * _PIXEL_KEPT),
            decode_tiled=round(once * area * _PIXEL_TILED + kept * _PIXEL_KEPT),
        )

    def load(self, source: Source, plan: Plan) -> Resident:
        """Load it."""
        made = load_pipeline(source, plan, class_name="WanAnimatePipeline")
        return Resident(pipeline=made, source=source, plan=plan)

    def run(self, resident: Resident, order: RunOrder, on_step: OnStep) -> Sequence[Output]:
        """Return one clip for each seed. Raises InvalidArgument without a picture of somebody."""
        image, shape = clips.first_picture(order), order.shape
        if image is None:
            raise InvalidArgument("image", "Wan Animate moves the one in a picture: give one")
        once = min(shape.frames, _SEGMENT)
        given = clips.arguments(order, steps=_STEPS)
        given |= self._acted(resident, order)
        given |= {
            "image": image,
            "segment_frame_length": once,
            "guidance_scale": clips.guided(order, _GUIDANCE),
        }
        del given["num_frames"]
        told = _in_a_row(on_step, -(-(shape.frames - 1) // (once - 1)))
        return clips.clips(run_pipeline(resident.pipeline, given, told).frames, shape)

    def _acted(self, resident: Resident, order: RunOrder) -> dict[str, Any]:
        """Return what face and body follow; an emotion that is not installed is left out, aloud."""
        emotion, shape = order.options.get("emotion", ""), order.shape
        if not isinstance(emotion, str):
            raise InvalidArgument("options.local.emotion", "must be a word")
        found = performance(folder_of(resident.source), emotion)
        if found.warning:
            resident.notes.append(found.warning)
        side = int(resident.pipeline.transformer.config.motion_encoder_size)
        size = (shape.width, shape.height)
        return {
            "face_video": followed(found.face, shape.frames, shape.fps, (side, side)),
            "pose_video": followed(found.pose, shape.frames, shape.fps, size),
        }


def _in_a_row(on_step: OnStep, segments: int) -> OnStep:
    """Return what is told of one segment's steps after the other; `on_step` hears of one row."""
    number = -1

    def told(done: int, total: int) -> None:
        nonlocal number
        number += done == 0
        if done or not number:
            on_step(number * total + done, segments * total)

    return told
