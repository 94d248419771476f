"""Memory that runs out at loading, in a step or at the end: each kind of work gives in."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from services.common.errors import NoDevice
from services.generator.domain.shapes import Shape
from services.generator.domain.tasks import Operation
from services.generator.domain.vram import GIB, Device, Rung
from services.generator.engines.local import memory
from services.generator.engines.local.asks import Ask
from services.generator.engines.local.encoding import write_clip
from services.generator.engines.local.families import recognise
from services.generator.engines.local.family import Picture, Sound
from services.generator.engines.local.host import Host
from services.generator.engines.local.order import Watch
from services.generator.engines.local.probe import Source, probe
from services.generator.engines.local.residency import Residency

pytestmark = [
    pytest.mark.xdist_group("torch"),
    pytest.mark.stress,
    pytest.mark.timeout(300),  # imports torch
    pytest.mark.filterwarnings("ignore:.*weight_norm.*:FutureWarning"),
    pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:Should have t:UserWarning"),
]

# Of every operation a family; clips are LTX-Video's, in test_host.py.
WORK: dict[str, tuple[Operation, dict[str, Any]]] = {
    "sdxl": (Operation.IMAGE, {"shape": Shape(width=40, height=32)}),
    "ace_step": (Operation.MUSIC, {"shape": Shape(seconds=0.5)}),
    "stable_audio": (Operation.SOUND, {"shape": Shape(seconds=0.5)}),
    "bark": (Operation.SPEECH, {}),
    "real_esrgan_video": (
        Operation.UPSCALE,
        {"shape": Shape(width=64, height=64, frames=2, fps=8.0)},
    ),
    "whisper": (Operation.CAPTIONS, {}),
}
STAGES = ("load", "step", "end")


class Short:
    """A family that runs out of memory at one stage until a plan has given in."""

    def __init__(self, family, stage=""):
        self._family, self.stage = family, stage
        self.failed: list[Rung] = []
        self.until = Rung.TILED

    def __getattr__(self, name):
        return getattr(self._family, name)

    def _fail(self, stage, plan):
        import torch

        if stage == self.stage and plan.rung < self.until:
            self.failed.append(plan.rung)
            raise torch.OutOfMemoryError("CUDA out of memory")

    def load(self, source, plan):
        resident = self._family.load(source, plan)
        self._fail("load", plan)
        return resident

    def run(self, resident, order, on_step):
        def told(done, total):
            on_step(done, total)
            if done:
                self._fail("step", resident.plan)

        made = self._family.run(resident, order, told)
        self._fail("end", resident.plan)
        return made


class Room:
    """A host with one checkpoint, whose results are kept as arrays."""

    def __init__(self, folder: Path, files, stage: str = "") -> None:
        self.family = Short(recognise(probe(folder)), stage)
        self.residency = Residency(lambda: 8 * GIB, let_go=memory.let_go)
        families = (self.family,)
        self.host = Host(
            Device(total_bytes=8 * GIB),
            self.residency,
            budget=lambda: 8 * GIB,
            families=families,
            write=self._keep,
        )
        self._folder, self._files = folder, files
        self._kept: dict[str, np.ndarray] = {}

    def made(self):
        operation, more = WORK[self._folder.name]
        ask = Ask(
            identifier="a",
            operation=operation,
            source=Source(model="any", location=str(self._folder)),
            prompt="hello there",
            seed=7,
            options={"steps": 2},
            files=self._files,
            shape=more.get("shape", Shape()),
        )
        return self.host.carry_out(ask, Path("a"), Watch()), self._kept["a"]

    def emptied(self):
        """Unload everything: what is loaded is not loaded again."""
        for key in self.residency.loaded:
            self.residency.drop(key)

    def _keep(self, path, output, asked):
        if isinstance(output, Picture):
            self._kept[path.name] = output.pixels
        elif isinstance(output, Sound):
            self._kept[path.name] = output.samples
        else:
            self._kept[path.name] = np.concatenate(list(output.chunks))
        return replace(asked, seconds=1.0)


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("brought")
    noise = np.random.default_rng(5)
    soundfile.write(folder / "a.wav", 0.1 * noise.standard_normal(8_000), 8_000)
    pixels = noise.integers(0, 255, (2, 16, 16, 3), dtype=np.uint8)
    write_clip(folder / "a.mp4", iter([pixels]), like=Shape(width=16, height=16, frames=2, fps=8.0))
    return {
        "whisper": {"audio": str(folder / "a.wav")},
        "real_esrgan_video": {"media": str(folder / "a.mp4")},
    }


@pytest.mark.parametrize("name", WORK)
def test_the_next_rung_is_taken_at_every_stage_and_the_next_job_is_well(shelf, files, name):
    room = Room(shelf.get(name), files.get(name, {}))
    _, undisturbed = room.made()
    for stage in STAGES:
        room.emptied()
        room.family.stage, room.family.failed = stage, []
        made, result = room.made()
        assert room.family.failed == [Rung.RESIDENT], stage
        assert "memory ran out resident; made tiled instead" in made.warnings
        assert "tiled" in made.method
        assert len(room.residency.loaded) == 1
        assert result.shape == undisturbed.shape
    room.family.stage = ""
    after, same = room.made()
    assert np.array_equal(same, undisturbed)
    assert not [warning for warning in after.warnings if "memory" in warning]


def test_where_no_rung_helps_it_fails_typed_holds_nothing_and_the_next_job_is_well(shelf, files):
    room = Room(shelf.get("sdxl"), {}, "step")
    room.family.until = Rung.OFFLOADED
    with pytest.raises(NoDevice, match=r"memory ran out on every rung.*resident, tiled"):
        room.made()
    assert (room.residency.used, room.residency.loaded) == (0, ())
    room.family.stage = ""
    assert room.made()[1].shape == (32, 40, 3)
