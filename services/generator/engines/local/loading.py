"""Loads a checkpoint as planned: safetensors alone, no code of its own, offline when told."""

import json
from typing import Any

from services.generator.domain.vram import Plan
from services.generator.engines.local.probe import Source, folder_of


def arguments(plan: Plan, *, full: tuple[str, ...] = ()) -> dict[str, Any]:
    """Return what `from_pretrained` is given; the components named in `full` stay in float32."""
    import torch

    dtype: Any = getattr(torch, plan.dtype)
    if full:
        dtype = {"default": dtype, **dict.fromkeys(full, torch.float32)}
    return {
        "dtype": dtype,
        "use_safetensors": True,
        "local_files_only": True,
    }


def load_pipeline(
    source: Source,
    plan: Plan,
    *,
    class_name: str,
    full: tuple[str, ...] = (),
    **components: Any,
) -> Any:
    """Return a diffusers pipeline of this class, placed as planned.

    `components` replace those of the checkpoint.
    """
    import diffusers

    made = getattr(diffusers, class_name).from_pretrained(
        folder_of(source), **arguments(plan, full=full), **components
    )
    place(made, plan)
    return made


def place(pipeline: Any, plan: Plan) -> None:
    """Put a pipeline on its device, and have it give way to memory as its rung says."""
    import torch

    if plan.quantised:
        for denoiser in denoisers(pipeline):
            denoiser.enable_layerwise_casting(
                storage_dtype=torch.float8_e4m3fn, compute_dtype=getattr(torch, plan.dtype)
            )
    if plan.offloaded:
        _stream(pipeline, plan)
    elif plan.encoder_off:
        pipeline.enable_model_cpu_offload(device=plan.device.place)
    else:
        pipeline.to(plan.device.place)


def tile(pipeline: Any) -> None:
    """Have frames decoded in tiles where the decoder can."""
    decoder = getattr(pipeline, "vae", None)
    for name in ("enable_tiling", "enable_slicing"):
        if hasattr(decoder, name):
            getattr(decoder, name)()


def denoisers(pipeline: Any) -> list[Any]:
    """Return the components that work at every step."""
    names = ("transformer", "transformer_2", "unet")
    return [part for name in names if (part := getattr(pipeline, name, None)) is not None]


def _stream(pipeline: Any, plan: Plan) -> None:
    """Keep the weights in the machine's memory and bring them block by block."""
    import torch

    pipeline.enable_group_offload(
        onload_device=torch.device(plan.device.place),
        offload_device=torch.device("cpu"),
        offload_type="leaf_level",
        use_stream=plan.device.kind == "cuda",
    )


def load_config(source: Source, name: str) -> dict[str, Any]:
    """Return a JSON file that lies beside the weights."""
    path = folder_of(source) / name
    found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return found
