"""A long recording is heard by windows: real speech, aligned by its sound, recognised by a fake."""

from itertools import pairwise
from types import SimpleNamespace

import numpy as np
import pytest
import soundfile

from services.generator.domain.tasks import SpeechTask
from services.generator.engines.heard import checked
from services.generator.engines.local.listening import Ears, listened
from services.generator.media.alignment import aligned
from services.generator.media.speech import say
from services.generator.media.words import split

TEXT = (
    "The river rose in the night, and nobody heard it come. By morning the lower road was gone. "
    "Amina counted the goats twice, then once more, and sent the boys up to the ridge. "
    "When the rain stopped there were eleven houses left, and every one of them had a light. "
    "They rowed from door to door until the sun was high, calling each name aloud."
)
LONGEST = 9.0


@pytest.fixture(scope="module")
def speech(tmp_path_factory):
    """Twenty seconds of speech whose words' times its maker knows."""
    path = tmp_path_factory.mktemp("speech") / "speech.flac"
    said = say(SpeechTask(text=TEXT, language="en", speed=0.9), path)
    samples, rate = soundfile.read(path, dtype="float32")
    mono = samples if samples.ndim == 1 else samples.mean(axis=1)
    return SimpleNamespace(words=said.words, samples=mono, rate=rate, seconds=len(mono) / rate)


def ears_of(speech, folder, *, slips=()):
    """Ears that recognise the words within a window, all but the ones at `slips`."""
    asked: list[tuple[float, float]] = []

    def part(start, end):
        path = folder / f"{len(asked)}.wav"
        asked.append((start, end))
        soundfile.write(path, speech.samples[round(start * speech.rate) : round(end * speech.rate)],
                        speech.rate)  # fmt: skip
        return path

    def told(start, end):
        there = [
            "umm" if number in slips else word.text
            for number, word in enumerate(speech.words)
            if word.start_seconds >= start - 0.05 and word.end_seconds <= end + 0.05
        ]
        return " ".join(there)

    def timed(start, end, words):
        found = aligned(list(words), part(start, end), "audio", "en")
        return [(each.text, each.start_seconds, each.end_seconds) for each in found]

    return Ears(longest=LONGEST, told=told, timed=timed), asked


def test_every_word_of_a_long_recording_lies_within_eighty_milliseconds(speech, tmp_path):
    assert speech.seconds > 2 * LONGEST
    ears, windows = ears_of(speech, tmp_path)
    found, heard = listened([word.text for word in speech.words], speech.seconds, ears)
    assert [word for word, _, _ in found] == [word.text for word in speech.words]
    drift = [
        abs(start - true.start_seconds)
        for (_, start, _), true in zip(found, speech.words, strict=True)
    ]
    assert max(drift) < 0.080, f"{max(drift):.3f} s"
    assert all(end - start <= LONGEST + 1e-6 for start, end in windows)
    assert len(windows) >= 3
    assert all(after[0] < before[1] for before, after in pairwise(windows))  # they overlap
    result = checked(TEXT, (), heard)
    assert (result.wrong, result.of) == (0, len(split(TEXT)))


def test_words_that_are_misheard_count_and_move_no_other(speech, tmp_path):
    slips = {3, 20, 41}
    ears, _ = ears_of(speech, tmp_path, slips=slips)
    found, heard = listened([word.text for word in speech.words], speech.seconds, ears)
    for (_, start, _), true in zip(found, speech.words, strict=True):
        assert start == pytest.approx(true.start_seconds, abs=0.080)
    result = checked(TEXT, (), heard)
    assert (result.wrong, result.of) == (len(slips), len(split(TEXT)))


def times(found):
    return [time for _, start, end in found for time in (start, end)]


@pytest.mark.parametrize("told", ["", "nothing of the kind was said"])
def test_where_nothing_is_recognised_no_time_goes_back_and_no_word_is_lost(told):
    lot = np.random.default_rng(4)
    words = [f"word{number}" for number in range(120)]

    def timed(start, end, some):
        edges = np.sort(lot.uniform(0, end - start, 2 * len(some)))
        return [(word, *edges[2 * n : 2 * n + 2].tolist()) for n, word in enumerate(some)]

    ears = Ears(longest=30.0, told=lambda start, end: told, timed=timed)
    found, _ = listened(words, 100.0, ears)
    assert [word for word, _, _ in found] == words
    assert times(found) == sorted(times(found))
    assert times(found)[-1] <= 100.0


def test_times_that_go_back_are_held_at_the_word_before():
    def backwards(start, end, some):
        return [(word, 5.0 - number, 5.5 - number) for number, word in enumerate(some)]

    found, _ = listened(
        ["a", "b", "c"], 10.0, Ears(longest=30.0, told=lambda *_: "", timed=backwards)
    )
    assert found == [("a", 5.0, 5.5), ("b", 5.5, 5.5), ("c", 5.5, 5.5)]


def test_what_is_said_after_the_last_word_is_recognised_too():
    ears = Ears(
        longest=10.0,
        told=lambda start, end: "hello" if not start else "and goodbye",
        timed=lambda start, end, some: [(word, 1.0, 2.0) for word in some],
    )
    found, heard = listened(["hello"], 12.0, ears)
    assert found == [("hello", 1.0, 2.0)]
    assert checked("hello", (), heard).wrong > 0


def test_it_tells_how_far_it_is_and_can_be_stopped():
    seen = []

    def told(second):
        seen.append(second)
        if len(seen) == 2:
            raise InterruptedError

    ears = Ears(longest=10.0, told=lambda *_: "", timed=lambda *_: [])
    with pytest.raises(InterruptedError):
        listened(["a"], 60.0, ears, told)
    assert seen == [0.0, 6.0]
