"""When the words of a known text are spoken: in order, within the recording, where it is looked."""

from itertools import pairwise
from types import SimpleNamespace

import numpy as np
import pytest
import soundfile
import torch

from services.common.errors import InvalidArgument
from services.generator.domain.shapes import Shape
from services.generator.domain.tasks import Operation
from services.generator.domain.vram import Device, Plan
from services.generator.engines.local.families import recognise, whisper
from services.generator.engines.local.family import RunOrder, Stopped
from services.generator.engines.local.probe import Source, probe

pytestmark = pytest.mark.xdist_group("torch")

TEXT = "The river rose, in the night — [sighs] nobody heard it."
WORDS = ["The", "river", "rose,", "in", "the", "night", "—", "nobody", "heard", "it."]


@pytest.fixture(scope="module")
def loaded(shelf):
    torch.set_num_threads(1)
    folder = shelf.get("whisper")
    family = recognise(probe(folder))
    source = Source(model="whisper", location=str(folder))
    return family, family.load(source, Plan(device=Device(), shape=Shape()))


def spoken(path, seconds, rate=24_000):
    noise = np.random.default_rng(5).standard_normal(round(rate * seconds)).astype(np.float32)
    soundfile.write(path, 0.1 * noise, rate)
    return path


def hear(loaded, path, text=TEXT, language="sw", on_step=lambda *_: None):
    family, resident = loaded
    order = RunOrder(
        prompts=(text,), seeds=(0,), shape=Shape(), language=language, files={"audio": path}
    )
    return family.run(resident, order, on_step)[0]


@pytest.mark.parametrize("language", ["", "en", "sw-KE"])
def test_words_are_timed_in_order_and_within_the_recording(loaded, tmp_path, language):
    assert loaded[0].operation is Operation.CAPTIONS
    found = hear(loaded, spoken(tmp_path / "a.wav", 3.0), language=language).words
    assert [word for word, _, _ in found] == WORDS
    times = [time for _, start, end in found for time in (start, end)]
    assert times == sorted(times)
    assert 0 <= times[0] < times[-1] <= 3.0
    assert all(start <= end for _, start, end in found)


def test_words_lie_where_the_decoder_looks():
    """Six tokens that look at six known places are found there, to the place."""
    places = [0, 20, 40, 70, 90, 120, 150]
    looked = torch.zeros(8, 150)
    for row, (place, end) in enumerate(pairwise(places), 2):
        looked[row, place:end] = 1.0
    starts = whisper._starts(looked, first=3, count=9)
    assert starts[0] == 0.0
    assert starts[1:] == pytest.approx([place * 0.02 for place in places[1:-1]], abs=0.021)
    words = whisper._timed(["a", "bc"], [2, 3], starts, 3.0)
    assert words[1] == ("bc", starts[2], starts[5])


def test_the_heads_that_follow_the_sound_are_the_ones_that_count():
    seen = tuple(torch.rand(1, 2, 6, 1500) for _ in range(4))
    chosen = SimpleNamespace(generation_config=SimpleNamespace(alignment_heads=[[3, 1]]))
    others = SimpleNamespace(generation_config=SimpleNamespace(alignment_heads=None))
    one = whisper._looked_at(chosen, seen, 2.0)
    assert one.shape == (6, 100)
    seen[0][:] = 0  # of a head that does not count
    assert torch.equal(one, whisper._looked_at(chosen, seen, 2.0))
    upper = whisper._looked_at(others, seen, 2.0)
    seen[3][:] = torch.rand(1, 2, 6, 1500)
    assert not torch.equal(upper, whisper._looked_at(others, seen, 2.0))


def test_what_is_longer_than_it_hears_at_once_is_heard_by_windows(loaded, tmp_path):
    steps = []
    path = spoken(tmp_path / "long.wav", 41.0, 8000)
    made = hear(loaded, path, text=f"{TEXT} " * 4, on_step=lambda *each: steps.append(each))
    assert [word for word, _, _ in made.words] == WORDS * 4
    times = [time for _, start, end in made.words for time in (start, end)]
    assert times == sorted(times)
    assert 0 <= times[0] < times[-1] <= 41.0
    assert times[-1] > 30.0  # beyond what it hears at once
    assert made.heard
    assert steps[0] == (0, 41)
    assert steps[-1] == (41, 41)
    assert len(steps) > 2


def test_a_run_that_nobody_waits_for_ends_between_two_windows(loaded, tmp_path):
    def stop(done, total):
        if done:
            raise Stopped

    with pytest.raises(Stopped):
        hear(loaded, spoken(tmp_path / "a.wav", 41.0, 8000), on_step=stop)


def test_what_it_recognises_is_told_and_the_same_each_time(loaded, tmp_path):
    path = spoken(tmp_path / "a.wav", 2.0)
    one, other = hear(loaded, path).heard, hear(loaded, path).heard
    assert one == other != ""


def test_what_has_no_words_or_a_language_it_does_not_know_is_refused(loaded, tmp_path):
    path = spoken(tmp_path / "a.wav", 1.0)
    with pytest.raises(InvalidArgument) as caught:
        hear(loaded, path, language="xx")
    assert caught.value.violations[0].field == "language"
    with pytest.raises(InvalidArgument, match="no word"):
        hear(loaded, path, text="[sighs]")
