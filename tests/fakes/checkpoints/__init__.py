"""Checkpoints with random weights of a few kilobytes that keep each family's true geometry.

`shelf.get("wan_2_2_5b")` builds a folder as `save_pretrained` writes it, once in a test session;
torch is imported on the first demand.
"""

from importlib import import_module
from pathlib import Path

_ROOMS = {
    "wan": ("wan_2_1", "wan_2_1_i2v", "wan_2_2_a14b", "wan_2_2_a14b_i2v", "wan_2_2_5b",
            "wan_animate"),
    "hunyuan": ("hunyuan_video", "hunyuan_video_1_5"),
    "cogvideox": ("cogvideox", "cogvideox_i2v"),
    "svd": ("stability_svd",),
    "ltx_2": ("ltx_2",),
    "ltx_video": ("ltx_video",),
    "pictures": ("flux_dev", "flux_schnell", "flux_kontext", "sdxl"),
    "effects": ("stable_audio", "audioldm2"),
    "ace_step": ("ace_step",),
    "voices": ("musicgen", "musicgen_melody", "bark"),
    "whisper": ("whisper",),
    "clip": ("clip",),
    "kokoro": ("kokoro",),
    "nets": ("real_esrgan", "real_esrgan_video", "real_esrgan_x2"),
}  # fmt: skip
NAMES = tuple(name for names in _ROOMS.values() for name in names)


def room_of(name):
    """Return the module that builds a checkpoint, in its `CHECKPOINTS`."""
    room = next(room for room, names in _ROOMS.items() if name in names)
    return f"tests.fakes.checkpoints.{room}"


class Shelf:
    """Builds checkpoints into a folder when they are asked for."""

    def __init__(self, folder: Path):
        self._folder = folder

    def get(self, name):
        folder = self._folder / name
        if not folder.exists():
            made = import_module(room_of(name)).CHECKPOINTS[name]()
            made.save_pretrained(folder)
        return folder
