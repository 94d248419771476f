"""A reference is read beside what is made: a plan has room for both."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from services.generator.domain.shapes import Shape
from services.generator.domain.tasks import Operation
from services.generator.domain.vram import GIB, Device
from services.generator.engines.local.asks import Ask
from services.generator.engines.local.families.flux import Flux
from services.generator.engines.local.families.flux_kontext import FluxKontext
from services.generator.engines.local.host import Host
from services.generator.engines.local.measured import denoise_bytes
from services.generator.engines.local.probe import Source
from services.generator.engines.local.residency import Residency
from tests.fakes.model_family import checkpoint

pytestmark = [
    pytest.mark.xdist_group("torch"),
    pytest.mark.timeout(300),  # imports torch
]
KIND = "FluxTransformer2DModel"
FLUX = {
    "in_channels": 64, "joint_attention_dim": 4096,
    "pooled_projection_dim": 768, "num_layers": 19, "num_single_layers": 38,
    "num_attention_heads": 24, "attention_head_dim": 128, "guidance_embeds": True,
}  # fmt: skip

STILL = Shape(width=1024, height=1024)


def scratch(folder: Path, family: Flux) -> int:
    """Bytes that the step of a family is given, whatever decoding takes."""
    name = next(iter(family.classes))
    place = checkpoint(folder / name, name, 1000)
    index = {"_class_name": name, "transformer": ["diffusers", KIND]}
    (place / "model_index.json").write_text(json.dumps(index))
    (place / "transformer" / "config.json").write_text(json.dumps({"_class_name": KIND, **FLUX}))
    card = Device(kind="cuda", name="card", total_bytes=80 * GIB, capability=(9, 0))
    host = Host(card, Residency(lambda: 80 * GIB), budget=lambda: 80 * GIB, families=(family,))
    ask = Ask(
        identifier="a",
        operation=Operation.IMAGE,
        source=Source(model="a", location=str(place)),
        shape=STILL,
        prompt="grey",
        seed=7,
    )
    return host.plan(ask).scratch


def test_a_plan_has_room_for_the_tokens_of_a_reference(tmp_path) -> None:
    class Alone(Flux):
        def footprint(self, *given: Any) -> Any:
            return replace(super().footprint(*given), decode=0, decode_tiled=0)

    class Beside(FluxKontext):
        def footprint(self, *given: Any) -> Any:
            return replace(super().footprint(*given), decode=0, decode_tiled=0)

    alone, beside = scratch(tmp_path, Alone()), scratch(tmp_path, Beside())
    step = denoise_bytes(KIND, FLUX, STILL, "bfloat16")
    assert step
    assert beside - alone >= step
