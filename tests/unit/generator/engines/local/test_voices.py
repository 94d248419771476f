"""Models that draw sound token by token: music that goes on, a melody, speech with laughter."""

from pathlib import Path

import numpy as np
import pytest
import soundfile

from services.common.errors import InvalidArgument
from services.generator.domain.shapes import Shape
from services.generator.domain.tasks import Operation
from services.generator.domain.vram import Device, Plan
from services.generator.engines.local.families import bark, musicgen, recognise
from services.generator.engines.local.family import RunOrder, Stopped
from services.generator.engines.local.probe import Source, probe

pytestmark = [
    pytest.mark.xdist_group("torch"),
    pytest.mark.filterwarnings("ignore:.*weight_norm.*:FutureWarning"),
]


class Loaded:
    def __init__(self, folder: Path):
        self.family = recognise(probe(folder))
        self.resident = self.family.load(
            Source(model=folder.name, location=str(folder)), Plan(device=Device(), shape=Shape())
        )
        self.steps: list[tuple[int, int]] = []

    def make(self, prompt="a quiet river", seed=7, on_step=None, seconds=0.0, **order):
        self.steps.clear()
        told = on_step or (lambda done, total: self.steps.append((done, total)))
        run = RunOrder(prompts=(prompt,), seeds=(seed,), shape=Shape(seconds=seconds), **order)
        return self.family.run(self.resident, run, told)[0]


@pytest.fixture(scope="module")
def loaded(shelf):
    import torch

    torch.set_num_threads(1)
    kept: dict[str, Loaded] = {}

    def get(name: str) -> Loaded:
        if name not in kept:
            kept[name] = Loaded(shelf.get(name))
        return kept[name]

    return get


def tune(path, hertz, rate=8000, seconds=1.0):
    time = np.arange(round(rate * seconds)) / rate
    soundfile.write(path, 0.5 * np.sin(2 * np.pi * hertz * time), rate)
    return path


def holds_to_its_seed_and_stops(model, **given):
    first = model.make(**given).samples
    assert model.steps[0][0] == 0
    assert model.steps[-1] == (model.steps[-1][1],) * 2
    assert not np.array_equal(first, model.make(**{**given, "seed": 8}).samples)
    stops: list[int] = []

    def stop(done: int, total: int) -> None:
        stops.append(done)
        if done == 2:
            raise Stopped

    with pytest.raises(Stopped):
        model.make(on_step=stop, **{**given, "seed": 8})
    assert stops == [0, 1, 2]
    assert np.array_equal(first, model.make(**given).samples)
    return first


@pytest.mark.parametrize("name", ["musicgen", "musicgen_melody"])
def test_music_has_its_length_holds_to_its_seed_and_stops_between_tokens(loaded, name):
    model = loaded(name)
    assert (model.family.name, model.family.operation) == (name, Operation.MUSIC)
    samples = holds_to_its_seed_and_stops(model, seconds=0.4)
    assert (samples.shape, samples.dtype) == ((1, 1600), np.float32)
    assert [done for done, _ in model.steps] == list(range(20 + 3 + 1))


def test_what_the_process_draws_elsewhere_is_not_disturbed(loaded):
    import torch

    model = loaded("musicgen")
    torch.manual_seed(1)
    wanted = torch.rand(3)
    torch.manual_seed(1)
    model.make(seconds=0.1)
    assert torch.equal(torch.rand(3), wanted)


def test_a_long_piece_goes_on_from_what_came_before_and_has_its_length(loaded, monkeypatch):
    monkeypatch.setattr(musicgen, "_WINDOW", 0.6)
    monkeypatch.setattr(musicgen, "_KEPT", 0.2)
    model = loaded("musicgen")
    long = model.make(seconds=1.3)
    assert long.samples.shape == (1, 5200)
    assert model.steps[-1][1] == (30 + 3) + (20 + 3) + (15 + 3)
    short = model.make(seconds=0.6)
    assert np.array_equal(long.samples[:, :2000], short.samples[:, :2000])


def test_two_minutes_are_drawn_in_windows_of_thirty_seconds_and_twenty_new_ones():
    assert musicgen._windows(30) == [30]
    assert musicgen._windows(120) == [30, 20, 20, 20, 20, 10]


def test_music_follows_a_melody(loaded, tmp_path):
    model = loaded("musicgen_melody")
    high = {"melody": tune(tmp_path / "a.wav", 440.0)}
    low = {"melody": tune(tmp_path / "c.wav", 261.6)}
    made = [model.make(seconds=0.4, files=files).samples for files in ({}, high, low)]
    assert not np.array_equal(made[0], made[1])
    assert not np.array_equal(made[1], made[2])


def test_a_melody_is_read_as_the_loudest_of_twelve_tones(tmp_path):
    config = {"sampling_rate": 32000, "n_fft": 16384, "hop_length": 4096, "num_chroma": 12,
              "chunk_length": 30}  # fmt: skip
    tones = [
        musicgen.chroma(tune(tmp_path / f"{hertz}.wav", hertz, 44100, 2.0), config)[0]
        for hertz in (261.63, 440.0, 880.0)
    ]
    assert all((each.sum(dim=1) == 1).all() for each in tones)
    c, a, above = (each[4:-4].argmax(dim=1).unique().tolist() for each in tones)
    assert (len(c), len(a)) == (1, 1)
    assert (a[0] - c[0]) % 12 == 9  # A stands nine half tones above C
    assert a == above  # an octave is the same tone


def test_a_melody_is_refused_by_a_checkpoint_that_follows_none(loaded, tmp_path):
    with pytest.raises(InvalidArgument) as caught:
        loaded("musicgen").make(seconds=0.1, files={"melody": tune(tmp_path / "a.wav", 440.0)})
    assert caught.value.violations[0].field == "melody"


def test_what_is_no_recording_is_refused_as_a_melody(loaded, tmp_path):
    path = tmp_path / "notes.txt"
    path.write_text("do re mi")
    with pytest.raises(InvalidArgument, match="melody"):
        loaded("musicgen_melody").make(seconds=0.1, files={"melody": path})


def test_musicgen_does_not_sing(loaded):
    with pytest.raises(InvalidArgument) as caught:
        loaded("musicgen").make(seconds=0.1, lyrics="la la")
    assert caught.value.violations[0].field == "lyrics"


def test_bark_speaks_holds_to_its_seed_and_stops_between_tokens(loaded):
    model = loaded("bark")
    assert model.family.operation is Operation.SPEECH
    samples = holds_to_its_seed_and_stops(model, prompt="[laughs] hello there")
    assert samples.shape[0] == 1
    assert 0.1 < samples.shape[1] / 4000 < 5


def test_bark_says_a_long_text_piece_by_piece(loaded):
    text = "The river rose in the night. " * 12
    parts = list(bark.pieces(text))
    assert len(parts) == 2
    assert " ".join(parts) == text.strip()
    model = loaded("bark")
    one, both = model.make(parts[0]), model.make(text)
    assert both.samples.shape[1] > one.samples.shape[1]
    assert np.array_equal(both.samples[:, : one.samples.shape[1]], one.samples)


def test_bark_opens_no_file_in_place_of_a_speaker(loaded, tmp_path):
    np.savez(tmp_path / "stranger.npz", semantic_prompt=np.zeros(3))
    for voice in (str(tmp_path / "stranger"), "v2/en_speaker_6"):
        with pytest.raises(InvalidArgument) as caught:
            loaded("bark").make("hello", voice=voice)
        assert caught.value.violations[0].field == "voice"


@pytest.mark.parametrize("name", ["bark", "kokoro"])
def test_swahili_never_reaches_a_model_that_does_not_speak_it(loaded, name):
    steps: list[int] = []
    with pytest.raises(InvalidArgument) as caught:
        loaded(name).make("habari", language="sw", on_step=lambda done, _: steps.append(done))
    assert caught.value.violations[0].field == "language"
    assert not steps


def test_kokoro_speaks_and_tells_when_each_word_is_heard(loaded):
    model = loaded("kokoro")
    made = model.make("Hello world, the fox runs.", voice="af_heart", language="en-GB")
    assert (model.family.operation, made.rate) == (Operation.SPEECH, 24000)
    assert [word for word, _, _ in made.words] == ["Hello", "world,", "the", "fox", "runs."]
    ends = [time for _, start, end in made.words for time in (start, end)]
    assert ends == sorted(ends)
    assert 0 <= ends[0] < ends[-1] <= made.samples.shape[1] / made.rate + 0.01
    assert model.steps == [(0, 1), (1, 1)]


@pytest.mark.parametrize("language", ["", "en", "es", "fr"])
def test_kokoro_takes_a_voice_of_the_language_when_none_is_named(loaded, language):
    assert loaded("kokoro").make("Bonjour 2 amigos", language=language).samples.shape[1] > 2400


def test_voices_of_kokoro_differ_and_unknown_ones_are_refused(loaded):
    model = loaded("kokoro")
    one, other = (model.make("Hello", voice=voice).samples for voice in ("af_heart", "am_adam"))
    assert not np.array_equal(one, other)
    with pytest.raises(InvalidArgument, match="allowed: af_heart, am_adam"):
        model.make("Hello", voice="nobody")
    with pytest.raises(InvalidArgument, match="speed"):
        model.make("Hello", speed=3.0)
    with pytest.raises(InvalidArgument, match="no word"):
        model.make("[laughs] — ")
