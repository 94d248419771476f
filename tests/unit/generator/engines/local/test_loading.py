"""Where a loaded model is put on a card, shown on parts that only remember what they were told."""

import os
from typing import Any

import numpy as np
import psutil
import pytest

from services.generator.domain.shapes import Shape
from services.generator.domain.vram import GIB, Device, Plan, Rung
from services.generator.engines.local.dressing import tiling
from services.generator.engines.local.encoding import write_clip
from services.generator.engines.local.family import Resident
from services.generator.engines.local.loading import arguments, place
from services.generator.engines.local.probe import Source
from services.generator.engines.local.process import ModelProcess

CARD = Device(kind="cuda", index=1, name="card", total_bytes=80 * GIB, capability=(9, 0))


class Part:
    """A denoiser or a decoder that remembers what it was told."""

    def __init__(self, told: list[str]) -> None:
        self.told = told
        self.use_tiling = False

    def enable_layerwise_casting(self, *, storage_dtype: object, compute_dtype: object) -> None:
        self.told.append(f"kept in {storage_dtype}, computed in {compute_dtype}")

    def enable_tiling(self) -> None:
        self.use_tiling = True
        self.told.append("tiles on")

    def disable_tiling(self) -> None:
        self.use_tiling = False
        self.told.append("tiles off")

    def decode(self) -> str:
        return "tiled" if self.use_tiling else "whole"


class Pipe:
    """A pipeline of two parts."""

    def __init__(self) -> None:
        self.told: list[str] = []
        self.transformer, self.vae = Part(self.told), Part(self.told)

    def to(self, device: str) -> None:
        self.told.append(f"to {device}")

    def enable_model_cpu_offload(self, *, device: str) -> None:
        self.told.append(f"each part on {device} while it works")

    def enable_group_offload(self, **given: Any) -> None:
        where = f"{given['offload_device']} to {given['onload_device']}"
        self.told.append(f"{given['offload_type']} from {where}, streamed {given['use_stream']}")


def plan(rung: Rung) -> Plan:
    return Plan(device=CARD, shape=Shape(), dtype="bfloat16", rung=rung)


@pytest.mark.parametrize(
    ("rung", "told"),
    [
        (Rung.RESIDENT, ["to cuda:1"]),
        (Rung.TILED, ["to cuda:1"]),
        # The words' encoder leaves the card when it has done its part.
        (Rung.ENCODER_OFF, ["each part on cuda:1 while it works"]),
        (Rung.OFFLOADED, ["leaf_level from cpu to cuda:1, streamed True"]),
    ],
)
@pytest.mark.xdist_group("torch")
@pytest.mark.timeout(300)  # imports torch
def test_a_model_gives_way_to_memory_as_its_rung_says(rung: Rung, told: list[str]) -> None:
    pipe = Pipe()
    place(pipe, plan(rung))
    assert [word for word in pipe.told if not word.startswith("kept")] == told


@pytest.mark.xdist_group("torch")
@pytest.mark.timeout(300)  # imports torch
def test_a_rung_in_eight_bits_keeps_the_denoiser_in_them_and_computes_in_sixteen() -> None:
    pipe = Pipe()
    place(pipe, plan(Rung.QUANTISED))
    assert "kept in torch.float8_e4m3fn, computed in torch.bfloat16" in pipe.told


@pytest.mark.parametrize(("rung", "decoded"), [(Rung.RESIDENT, "whole"), (Rung.TILED, "tiled")])
def test_frames_are_decoded_in_tiles_only_where_it_is_planned(rung: Rung, decoded: str) -> None:
    pipe = Pipe()
    source = Source(model="m", location="owner/name", revision="1")
    with tiling(Resident(pipeline=pipe, source=source, plan=plan(rung))):
        assert pipe.vae.decode() == decoded
    assert pipe.vae.decode() == "whole"  # the next run is planned anew


@pytest.mark.xdist_group("torch")
@pytest.mark.timeout(300)  # imports torch
def test_weights_come_as_safetensors_from_this_disk_in_parallel() -> None:
    given = arguments(plan(Rung.RESIDENT))
    assert (given["use_safetensors"], given["local_files_only"]) == (True, True)
    assert "trust_remote_code" not in given
    assert {"HF_ENABLE_PARALLEL_LOADING=yes", "HF_HUB_OFFLINE=1"} <= set(ModelProcess()._argv)


def test_a_clip_is_encoded_by_a_process_of_its_own(tmp_path) -> None:
    seen: list[int] = []

    def chunks():
        yield np.zeros((2, 64, 64, 3), np.uint8)
        for child in psutil.Process().children():
            if "services.generator.engines.local.encoder" in child.cmdline():
                seen.append(child.pid)
        yield np.zeros((2, 64, 64, 3), np.uint8)

    like = Shape(width=64, height=64, frames=4, fps=8.0)
    assert write_clip(tmp_path / "clip.mp4", chunks(), like=like) == 4
    [other] = seen
    assert other != os.getpid()
    assert not psutil.pid_exists(other)  # it ends with its clip
