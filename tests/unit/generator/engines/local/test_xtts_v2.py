"""A cloned voice: how much of it must be heard, and what is said where the library is not there."""

import importlib.util

import numpy as np
import pytest
import soundfile
import torch

from services.common.errors import InvalidArgument, NoDevice
from services.generator.domain.shapes import Shape
from services.generator.domain.vram import Device, Plan
from services.generator.engines.local.families import recognise
from services.generator.engines.local.family import Resident, RunOrder
from services.generator.engines.local.probe import CheckpointFacts, ComponentFacts, Source

pytestmark = pytest.mark.xdist_group("torch")

FACTS = CheckpointFacts(
    class_name="xtts",
    components={"model": ComponentFacts(class_name="xtts", parameters=1)},
    index={},
    digest="",
)
PLAN = Plan(device=Device(), shape=Shape())


class Speaker:
    """Answers as coqui's Xtts does; says a second of noise, and keeps what it was given."""

    device = "cpu"

    def get_gpt_cond_latents(self, wave, rate):
        self.heard = wave.shape[1] / rate
        return torch.zeros(1)

    def get_speaker_embedding(self, wave, rate):
        return torch.ones(1)

    def inference(self, text, language, latents, speaker, *, speed, do_sample):
        self.said = (text, language, speed)
        return {"wav": torch.rand(24_000).numpy()}


def voice(tmp_path, seconds, rate=16_000):
    path = tmp_path / "voice.wav"
    soundfile.write(path, 0.1 * np.ones(round(rate * seconds), np.float32), rate)
    return {"voice": path}


def say(tmp_path, seconds, language="zh", seed=7):
    family, model = recognise(FACTS), Speaker()
    resident = Resident(pipeline=model, source=Source(model="x", location="/"), plan=PLAN)
    order = RunOrder(
        prompts=("hello",), seeds=(seed,), shape=Shape(), language=language, speed=1.2,
        files=voice(tmp_path, seconds),
    )  # fmt: skip
    return family.run(resident, order, lambda *_: None)[0], model


def test_six_seconds_of_a_voice_are_taken_on(tmp_path):
    made, model = say(tmp_path, 6.0)
    assert (made.samples.shape, made.rate) == ((1, 24_000), 24_000)
    assert model.heard == pytest.approx(6.0, abs=0.01)
    assert model.said == ("hello", "zh-cn", 1.2)
    again, _ = say(tmp_path, 6.0)
    other, _ = say(tmp_path, 6.0, seed=8)
    assert np.array_equal(made.samples, again.samples)
    assert not np.array_equal(made.samples, other.samples)


def test_less_of_a_voice_is_refused(tmp_path):
    with pytest.raises(InvalidArgument, match="a voice needs 6 s") as caught:
        say(tmp_path, 5.5)
    assert caught.value.violations[0].field == "voice"


def test_swahili_is_refused_by_the_model_itself(tmp_path):
    with pytest.raises(InvalidArgument, match="has no sw"):
        say(tmp_path, 6.0, language="sw")


@pytest.mark.skipif(importlib.util.find_spec("TTS") is not None, reason="coqui-tts is installed")
def test_without_its_library_it_says_so():
    with pytest.raises(NoDevice, match="coqui-tts"):
        recognise(FACTS).load(Source(model="xtts_v2", location="/"), PLAN)
