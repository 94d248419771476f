"""LTX-Video 2B and 13B: 32 x 32 pixels and 8 frames a token, frames of 8 k + 1."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from services.generator.domain.shapes import Grid, Shape, tokens
from services.generator.domain.tasks import Operation
from services.generator.domain.vram import Footprint, Plan
from services.generator.engines.local.family import Frames, OnStep, Output, Resident, RunOrder
from services.generator.engines.local.loading import load_pipeline
from services.generator.engines.local.probe import CheckpointFacts, Source
from services.generator.engines.local.running import (
    generators,
    picture,
    pictures,
    pixel_chunks,
    run_pipeline,
)

_GRID = Grid(side=32, time=8)
_STEPS = 40
_LEAST_STEPS = 2  # the schedule is stretched between the first and the last
_GUIDANCE = 3.0
_RATES = (8.0, 30.0)
# Decoders from 0.9.1 on make the last step themselves; the values are those of the model's card.
_DECODED = {"decode_timestep": 0.05, "decode_noise_scale": 0.025}
# Bytes of scratch: a token and channel of the denoiser (guidance runs two at once), a decoded pixel
# of a frame, and the tile of 512 x 512 that tiled decoding keeps.
_TOKEN_CHANNEL = 32.5
_PIXEL = 100.2
_TILE = 512 * 512


class LtxVideo:
    """Clips from words, from a first or last picture, or from the frames before."""

    name = "ltx_video"
    operation = Operation.VIDEO
    classes = frozenset({"LTXPipeline", "LTXImageToVideoPipeline", "LTXConditionPipeline"})
    longest = 257
    overlap = 9
    batches = False

    def snap(self, asked: Shape) -> Shape:
        """Return the shape on the grid that holds `asked`, at up to 30 frames a second."""
        fps = min(max(asked.fps or 24.0, _RATES[0]), _RATES[1])
        frames = round((asked.frames - 1) * fps / asked.fps) + 1 if asked.fps else asked.frames
        return _GRID.over(replace(asked, fps=fps, frames=frames))

    def footprint(self, facts: CheckpointFacts, shape: Shape) -> Footprint:
        """Return what a run needs; coefficients from runs of the real sizes on fake tensors."""
        config = facts.components["transformer"].config
        channels = config.get("num_attention_heads", 32) * config.get("attention_head_dim", 64)
        pixels = shape.frames * shape.width * shape.height
        tile = min(pixels, shape.frames * _TILE)
        return Footprint(
            parameters=facts.parameters,
            encoders=("text_encoder",),
            denoisers=("transformer",),
            denoise=round(2 * tokens(shape, time=8, side=32) * channels * _TOKEN_CHANNEL),
            decode=round(pixels * _PIXEL),
            decode_tiled=round(tile * _PIXEL),
        )

    def load(self, source: Source, plan: Plan) -> Resident:
        """Load it once; text, pictures and continuations share the weights."""
        from diffusers import FlowMatchEulerDiscreteScheduler, LTXConditionPipeline

        pipeline = load_pipeline(source, plan, class_name="LTXPipeline")
        # Conditions go with a fixed shift only; early checkpoints come with a dynamic one.
        config = {**pipeline.scheduler.config, "use_dynamic_shifting": False}
        scheduler = FlowMatchEulerDiscreteScheduler.from_config(config)
        parts = {**pipeline.components, "scheduler": scheduler}
        conditioned = LTXConditionPipeline(**parts)
        return Resident(
            pipeline=pipeline, source=source, plan=plan, parts={"conditioned": conditioned}
        )

    def run(self, resident: Resident, order: RunOrder, on_step: OnStep) -> Sequence[Output]:
        """Return one clip for each seed."""
        shape = order.shape
        conditions = _conditions(order)
        given: dict[str, Any] = {
            "prompt": list(order.prompts),
            "negative_prompt": [order.negative_prompt] * len(order.prompts),
            "width": shape.width,
            "height": shape.height,
            "num_frames": shape.frames,
            "frame_rate": round(shape.fps),
            "num_inference_steps": max(order.steps or _STEPS, _LEAST_STEPS),
            "guidance_scale": _GUIDANCE if order.guidance is None else order.guidance,
            "generator": generators(order.seeds),
            "output_type": "pt",
            **_DECODED,
        }
        pipeline = resident.pipeline
        if conditions:
            pipeline, given["conditions"] = resident.parts["conditioned"], conditions
        videos = run_pipeline(pipeline, given, on_step).frames
        return [
            Frames(chunks=pixel_chunks(video), count=shape.frames, fps=shape.fps)
            for video in videos
        ]


def _conditions(order: RunOrder) -> list[Any]:
    """Return what pins frames: the ones that came before, a first and a last picture."""
    from diffusers.pipelines.ltx.pipeline_ltx_condition import LTXVideoCondition

    size = (order.shape.width, order.shape.height)
    found = []
    if order.lead is not None:
        found.append(LTXVideoCondition(video=pictures(order.lead), frame_index=0))
    elif "image" in order.files:
        found.append(LTXVideoCondition(image=picture(order.files["image"], *size), frame_index=0))
    if "last_image" in order.files:
        # Frames are pinned where a group of eight begins.
        last = order.shape.frames - 1
        pinned = picture(order.files["last_image"], *size)
        found.append(LTXVideoCondition(image=pinned, frame_index=last))
    return found
