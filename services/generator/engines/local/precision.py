"""The precision that a card computes in."""

from services.generator.domain.vram import Device

_AMPERE, _ADA = (8, 0), (8, 9)
_VOLTA = (7, 0)


def dtype_for(device: Device, family: str = "") -> str:
    """Return what weights are kept in: bfloat16 where the card has it, float32 on a processor.

    Cards before Ampere compute bfloat16 in software, and float16 overflows in some families: those
    take float32 there.
    """
    if device.kind == "cpu":
        return "float32"
    if device.capability >= _AMPERE:
        return "bfloat16"
    if device.capability >= _VOLTA and family not in _OVERFLOWING:
        return "float16"
    return "float32"


def has_fp8(device: Device) -> bool:
    """Tell whether the card multiplies in fp8: Ada and later. An A100 does not."""
    return device.kind == "cuda" and device.capability >= _ADA


# Feed-forward layers of T5 and of Qwen leave the range of float16.
_OVERFLOWING = frozenset(
    {
        "ltx_video", "ltx_2", "wan", "wan_image", "wan_small", "wan_animate", "cogvideox",
        "cogvideox_image", "flux", "flux_kontext", "hunyuan_video_1_5",
    }
)  # fmt: skip
