"""What families of pictures share."""

from collections.abc import Mapping, Sequence
from typing import Any

from services.common.errors import InvalidArgument
from services.generator.engines.local.family import OnStep, Picture, Resident, RunOrder
from services.generator.engines.local.running import (
    generators,
    picture,
    pixel_chunks,
    run_pipeline,
)

_STRENGTH = 0.6


def in_common(order: RunOrder, *, steps: int) -> dict[str, Any]:
    """Return what every pipeline of pictures is given; `steps` where the order says none."""
    return {
        "prompt": list(order.prompts),
        "width": order.shape.width,
        "height": order.shape.height,
        "num_inference_steps": order.steps or steps,
        "generator": generators(order.seeds),
        "output_type": "pt",
    }


def begun(
    resident: Resident, order: RunOrder, given: Mapping[str, Any]
) -> tuple[Any, dict[str, Any]]:
    """Return the pipeline to run and its arguments: another one where a picture is given.

    `options.local.strength`, from 0 (the picture as it is) to 1 (another one), is how much changes.
    Raises InvalidArgument.
    """
    path = order.files.get("image")
    if path is None:
        return resident.pipeline, dict(given)
    strength = order.options.get("strength", _STRENGTH)
    if not isinstance(strength, int | float) or not 0 < strength <= 1:
        raise InvalidArgument("options.local.strength", "must lie above 0 and be at most 1")
    image = picture(path, order.shape.width, order.shape.height)
    arguments = {**given, "image": [image] * len(order.seeds), "strength": float(strength)}
    # Of the steps only the share `strength` is made; one is made in any case.
    arguments["num_inference_steps"] = max(given["num_inference_steps"], round(1 / strength + 0.5))
    pipeline = resident.parts["pictured"]
    if type(pipeline).__name__.startswith("StableDiffusionXL"):  # takes its size from the picture
        del arguments["width"], arguments["height"]
    return pipeline, arguments


def stills(pipeline: Any, given: Mapping[str, Any], on_step: OnStep) -> Sequence[Picture]:
    """Run it and return the pictures."""
    made = run_pipeline(pipeline, given, on_step).images
    return [Picture(pixels=next(pixel_chunks(image[None]))[0]) for image in made]
