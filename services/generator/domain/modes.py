"""What a mode prefers: which of the local models that are installed a machine of its size tries."""

from collections.abc import Iterable
from dataclasses import replace

from services.generator.domain.catalogue import Catalogue
from services.generator.domain.models import Model
from services.generator.domain.vram import Mode

GROUP = "local_models"

PREFERRED: dict[Mode, tuple[str, ...]] = {
    Mode.CINEMA: ("wan_2_1_14b", "hunyuan_video", "hunyuan_video_1_5", "ltx_2", "wan_2_2_5b"),
    Mode.BALANCED: ("wan_2_2_5b", "wan_2_1_14b", "ltx_video", "hunyuan_video_1_5"),
    Mode.FAST: ("ltx_video", "wan_2_2_5b", "cogvideox"),
    Mode.CPU: ("ltx_video", "wan_2_2_5b"),
}
"""Ids in the order of trial: quality first where there is room, speed first where there is little.
Wan goes before its equals, its licence is the freest. Those not named come after, as listed."""


def in_mode(catalogue: Catalogue, mode: Mode) -> Catalogue:
    """Return the catalogue whose group of local models is tried in the order of a mode."""
    return Catalogue(_ordered(model, PREFERRED[mode]) for model in catalogue)


def _ordered(model: Model, preferred: Iterable[str]) -> Model:
    if model.id != GROUP:
        return model
    first = [name for name in preferred if name in model.successors]
    rest = [name for name in model.successors if name not in first]
    return replace(model, successors=(*first, *rest))
