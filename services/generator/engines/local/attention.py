"""The attention kernel that is the fastest here and still right: tried once for each device."""

import time
from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

from services.common.telemetry import get_logger
from services.generator.domain.vram import Device

Trial = Callable[[str], float]
"""Runs a kernel by diffusers' name of it and returns seconds; raises where it does not work."""

NATIVE = "native"
_HOPPER, _AMPERE = (9, 0), (8, 0)
# Denoisers that hide padded words by a mask, which the plain flash kernels refuse.
_MASKED = frozenset(
    {
        "LTXVideoTransformer3DModel",
        "LTX2VideoTransformer3DModel",
        "HunyuanVideoTransformer3DModel",
        "HunyuanVideo15Transformer3DModel",
    }
)
_TOKENS, _HEADS, _WIDTH = 4096, 16, 128
_TOLERANCE = 0.02  # of values around 1, in bfloat16
_log = get_logger(__name__)


def candidates(device: Device, *, masked: bool) -> tuple[str, ...]:
    """Return the kernels to try on a card: none that trades exactness for speed."""
    if device.kind != "cuda" or device.capability < _AMPERE:
        return (NATIVE,)
    if masked:
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
    return _tried(device, masked=type(denoiser).__name__ in _MASKED)


@cache
def _tried(device: Device, *, masked: bool) -> str:
    names = candidates(device, masked=masked)
    return names[0] if len(names) == 1 else fastest(names, trial_on(device, masked=masked))


def trial_on(device: Device, *, masked: bool, tokens: int = _TOKENS) -> Trial:
    """Return the trial of a kernel on made-up tokens, held against the native one."""
    import torch
    from diffusers.models.attention_dispatch import attention_backend, dispatch_attention_fn

    dtype = torch.bfloat16 if device.kind == "cuda" else torch.float32
    source = torch.Generator("cpu").manual_seed(0)
    shape = (1, tokens, _HEADS, _WIDTH)
    query, key, value = (
        torch.randn(shape, generator=source).to(device.place, dtype) for _ in range(3)
    )
    mask = None
    if masked:
        mask = torch.ones(1, tokens, dtype=torch.bool, device=device.place)
        mask[:, tokens // 2 :] = False

    def run(name: str) -> Any:
        with attention_backend(name):
            return dispatch_attention_fn(query, key, value, attn_mask=mask)

    expected = run(NATIVE)

    def trial(name: str) -> float:
        wrong = (run(name) - expected).abs().max().item()
        if not wrong <= _TOLERANCE:
            message = f"differs by {wrong:.3g}"
            raise ValueError(message)
        _settle(device)
        began = time.perf_counter()
        run(name)
        _settle(device)
        return time.perf_counter() - began

    return trial


def _settle(device: Device) -> None:
    """Wait until the card has done what it was given."""
    import torch

    if device.kind == "cuda":
        torch.cuda.synchronize(device.index)
