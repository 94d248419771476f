"""The attention kernel that is the fastest here and still right: tried once for each device."""

import time
from collections.abc import Callable, Sequence
from enum import StrEnum
from functools import cache
from typing import Any

from services.common.telemetry import get_logger
from services.generator.domain.vram import Device

Trial = Callable[[str], float]
"""Runs a kernel by diffusers' name of it and returns seconds; raises where it does not work."""

NATIVE = "native"
_HOPPER, _AMPERE = (9, 0), (8, 0)
_TOKENS, _HEADS, _WIDTH = 4096, 16, 128
_TOLERANCE = 0.02  # a mask that is not heeded is off by 0.1 and more
_TIMES = 3
_log = get_logger(__name__)


class Mask(StrEnum):
    """How a denoiser hides padded words: not at all, by true and false, or by a sum of its own.

    The plain flash kernels refuse any, those for runs of several lengths take no sum.
    """

    NONE = "none"
    PADDING = "padding"
    BIAS = "bias"


_MASKS = {
    "LTXVideoTransformer3DModel": Mask.BIAS,
    "LTX2VideoTransformer3DModel": Mask.BIAS,
    "HunyuanVideoTransformer3DModel": Mask.PADDING,
    "HunyuanVideo15Transformer3DModel": Mask.PADDING,
}


def candidates(device: Device, mask: Mask) -> tuple[str, ...]:
    """Return the kernels to try on a card: none that trades exactness for speed."""
    if device.kind != "cuda" or device.capability < _AMPERE:
        return (NATIVE,)
    if mask is Mask.BIAS:
        return ("_native_cudnn", NATIVE)
    if mask is Mask.PADDING:
        varlen = ("_flash_3_varlen_hub",) if device.capability == _HOPPER else ()
        return (*varlen, "flash_varlen_hub", "_native_cudnn", NATIVE)
    third = ("_flash_3_hub", "_flash_3") if device.capability == _HOPPER else ()
    return (*third, "flash_hub", "flash", "_native_cudnn", NATIVE)


def fastest(names: Sequence[str], trial: Trial) -> str:
    """Return the name whose trial was the shortest; what raises does not take part.

    `native` is always a way: it is returned where nothing else works.
    """
    took: dict[str, float] = {}
    for name in names:
        try:
            took[name] = trial(name)
        except Exception as error:
            _log.info("attention left out", kernel=name, why=str(error)[:200])
    return min(took, key=lambda name: took[name], default=NATIVE)


def attention_for(denoiser: Any, device: Device) -> str:
    """Return the kernel for a denoiser on this device; tried on the first demand."""
    return _tried(device, _MASKS.get(type(denoiser).__name__, Mask.NONE))


@cache
def _tried(device: Device, mask: Mask) -> str:
    names = candidates(device, mask)
    return names[0] if len(names) == 1 else fastest(names, trial_on(device, mask))


def trial_on(device: Device, mask: Mask, *, tokens: int = _TOKENS) -> Trial:
    """Return the trial of a kernel on made-up tokens, held against the native one."""
    import torch
    from diffusers.models.attention_dispatch import attention_backend, dispatch_attention_fn

    dtype = torch.bfloat16 if device.kind == "cuda" else torch.float32
    source = torch.Generator("cpu").manual_seed(0)
    shape = (1, tokens, _HEADS, _WIDTH)
    query, key, value = (
        torch.randn(shape, generator=source).to(device.place, dtype) for _ in range(3)
    )
    hidden = _hidden(mask, tokens, dtype, device)

    def run(name: str) -> Any:
        with attention_backend(name):
            return dispatch_attention_fn(query, key, value, attn_mask=hidden)

    expected = run(NATIVE)

    def trial(name: str) -> float:
        wrong = (run(name) - expected).abs().max().item()
        if not wrong <= _TOLERANCE:
            message = f"differs by {wrong:.3g}"
            raise ValueError(message)
        return min(_seconds(run, name, device) for _ in range(_TIMES))

    return trial


def _hidden(mask: Mask, tokens: int, dtype: Any, device: Device) -> Any:
    """Return the second half of the keys hidden, in the form that a denoiser gives."""
    import torch

    if mask is Mask.NONE:
        return None
    seen = torch.arange(tokens, device=device.place) < tokens // 2
    if mask is Mask.PADDING:
        return seen[None, None, None]
    bias = (1 - seen.to(dtype)) * -10_000.0
    return bias.expand(1, _HEADS, 1, tokens)


def _seconds(run: Callable[[str], Any], name: str, device: Device) -> float:
    _settle(device)
    began = time.perf_counter()
    run(name)
    _settle(device)
    return time.perf_counter() - began


def _settle(device: Device) -> None:
    """Wait until the card has done what it was given."""
    import torch

    if device.kind == "cuda":
        torch.cuda.synchronize(device.index)
