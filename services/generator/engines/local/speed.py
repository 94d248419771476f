"""What makes a loaded model fast without changing what it makes; nothing of it on a processor."""

from dataclasses import replace
from typing import Any

from services.common.telemetry import get_logger
from services.generator.domain.vram import Plan
from services.generator.engines.local.attention import attention_for
from services.generator.engines.local.compiling import compiles
from services.generator.engines.local.family import Resident
from services.generator.engines.local.loading import denoisers
from services.generator.engines.local.precision import has_fp8

_log = get_logger(__name__)


def tuned(resident: Resident) -> Resident:
    """Set attention, memory format and compilation; the plan's settings say what was done."""
    plan = resident.plan
    if plan.device.kind != "cuda" or plan.plain:
        return resident
    done: dict[str, str] = {}
    for denoiser in denoisers(resident.pipeline):
        done |= _eight_bits(denoiser, plan)
        done |= _attention(denoiser, plan) | _compiled(denoiser, plan)
    done |= _channels_last(getattr(resident.pipeline, "vae", None))
    resident.plan = replace(plan, settings={**plan.settings, **done})
    return resident


def _eight_bits(denoiser: Any, plan: Plan) -> dict[str, str]:
    """Have the fast tier multiply in fp8 where the card does, in int8 on those before.

    torchao is left to images for such cards (extra `generator-fast`); where it is missing, the
    record of the result says so.
    """
    if not plan.eight_bits:
        return {}
    try:
        from torchao import quantization
    except ImportError:
        return {"bits": "16, torchao is not installed"}
    fp8 = has_fp8(plan.device)
    kind = (
        quantization.Float8DynamicActivationFloat8WeightConfig
        if fp8
        else quantization.Int8DynamicActivationInt8WeightConfig
    )
    quantization.quantize_(denoiser, kind())
    return {"bits": "fp8" if fp8 else "int8"}


def _attention(denoiser: Any, plan: Plan) -> dict[str, str]:
    if not hasattr(denoiser, "set_attention_backend"):
        return {}
    name = attention_for(denoiser, plan.device)
    denoiser.set_attention_backend(name)
    return {"attention": name}


def _compiled(denoiser: Any, plan: Plan) -> dict[str, str]:
    """Compile one block for all its repetitions: seconds instead of minutes, for any size.

    Weights that come and go between steps are not compiled.
    """
    if plan.moved or not getattr(denoiser, "_repeated_blocks", None):
        return {}
    if lacking := compiles(plan.device):
        return {"compiled": f"no, {lacking}"}
    # Not as one graph: the hooks of step caches leave it between two blocks.
    denoiser.compile_repeated_blocks(fullgraph=False, dynamic=True)
    return {"compiled": "blocks"}


def _channels_last(decoder: Any) -> dict[str, str]:
    """Lay the decoder's weights out as the card's convolutions read them.

    One by one: a decoder of clips has convolutions over pictures among those over time.
    """
    if decoder is None:
        return {}
    import torch

    layouts = {4: torch.channels_last, 5: torch.channels_last_3d}
    done = {}
    for weight in decoder.parameters():
        if weight.dim() in layouts:
            weight.data = weight.data.to(memory_format=layouts[weight.dim()])
            done = {"channels": "last"}
    return done
