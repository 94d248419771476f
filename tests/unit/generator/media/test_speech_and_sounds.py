import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from services.common.errors import InvalidArgument
from services.generator.domain.tasks import MusicTask, SoundTask, SpeechTask
from services.generator.media.effects import RECIPES, effect, recipe_of, sound
from services.generator.media.music import MOODS, bed, mood_of, play
from services.generator.media.speech import say
from services.generator.media.words import split, spoken
from tests.fakes.clips import RATE, heard

ENGLISH = "**Hello**, world [laughs]. The keeper — 3 dogs; [a link](https://example.com) `code`!"


def test_what_is_spoken_is_free_of_markup_and_directions() -> None:
    assert spoken(ENGLISH) == "Hello, world . The keeper — 3 dogs; a link code!"
    assert spoken("# Title\n\n* one\n* two\n\n```\nx = 1\n```") == "Title one two x = 1"
    assert spoken("2 * 3 * 4 and snake_case_name") == "2 * 3 * 4 and snake_case_name"


def test_words_of_scripts_without_spaces_are_characters() -> None:
    assert split("habari ya asubuhi.") == ["habari", "ya", "asubuhi."]
    assert split("你好，世界。") == ["你", "好，", "世", "界。"]


@pytest.mark.parametrize(
    ("text", "language", "count"),
    [
        ("The lighthouse keeper has seen many storms. This one is different.", "en", 11),
        ("Habari ya asubuhi. Simba anatembea savana, mtoto anacheka.", "sw", 8),
    ],
)
def test_each_word_is_timed_where_it_is_heard(
    tmp_path: Path, text: str, language: str, count: int
) -> None:
    said = say(SpeechTask(text=text, language=language), tmp_path / "s.flac")
    assert [word.text for word in said.words] == text.split()
    assert len(said.words) == count
    samples = np.abs(heard(tmp_path / "s.flac")[0])
    assert samples.size / RATE == pytest.approx(said.seconds, abs=0.02)
    for word, after in zip(said.words, [*said.words[1:], None], strict=True):
        assert word.end_seconds > word.start_seconds
        assert after is None or after.start_seconds >= word.end_seconds
        inside = samples[round(word.start_seconds * RATE) : round(word.end_seconds * RATE)]
        assert inside.max() > 0.02, f"{word.text} is not heard"
    pause = samples[
        round((said.words[-1].end_seconds + 0.02) * RATE) :
    ]  # nothing is heard once the last word has ended
    assert pause.size == 0 or pause.max() < 0.02
    pauses = [
        (word.end_seconds, after.start_seconds)
        for word, after in zip(said.words, said.words[1:], strict=False)
        if word.text.endswith(".")
    ]
    for begin, end in pauses:
        assert end - begin > 0.15
        assert samples[round((begin + 0.01) * RATE) : round((end - 0.02) * RATE)].max() < 0.02


def test_a_voice_is_the_same_every_time_and_another_is_not(tmp_path: Path) -> None:
    files = {}
    for name, voice, speed in (("a", "f2", 1.0), ("b", "f2", 1.0), ("c", "m3", 1.0)):
        path = tmp_path / f"{name}.flac"
        say(SpeechTask(text="Habari", language="sw", voice=voice, speed=speed), path)
        files[name] = path.read_bytes()
    assert files["a"] == files["b"] != files["c"]


def test_a_voice_is_the_same_in_every_process() -> None:
    """By itself the library throws other dice in each: three of three were different."""
    asked = (
        "import hashlib; from services.generator.media.espeak import speak; "
        "print(hashlib.sha256(speak('Habari', 'sw+f2').samples.tobytes()).hexdigest())"
    )
    told = {
        subprocess.run([sys.executable, "-c", asked], capture_output=True, check=True).stdout
        for _ in range(3)
    }
    assert len(told) == 1


def test_a_faster_voice_takes_less_time(tmp_path: Path) -> None:
    slow, fast = (
        say(SpeechTask(text="One two three four", speed=speed), tmp_path / "x.flac").seconds
        for speed in (0.8, 1.6)
    )
    assert fast < slow * 0.7


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"voice": "nobody"}, "voice"),
        ({"language": "xx"}, "voice"),
        ({"speed": 9.0}, "speed"),
        ({"text": "[laughs] — …"}, "text"),
        ({"options": {"pitch": "high"}}, "options.espeak.pitch"),
    ],
)
def test_what_cannot_be_said_is_told_by_its_field(tmp_path: Path, change, field) -> None:
    with pytest.raises(InvalidArgument) as caught:
        say(SpeechTask(**{"text": "Hello", **change}), tmp_path / "s.flac")
    assert caught.value.violations[0].field == field


@pytest.mark.parametrize("mood", MOODS)
def test_a_bed_is_as_long_as_asked_the_same_for_a_seed_and_never_clips(mood: str) -> None:
    first, again, other = (bed(MOODS[mood], 3.5, seed) for seed in (1, 1, 2))
    assert first.shape == (2, round(3.5 * RATE))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)
    assert 0.1 < np.abs(first).max() < 1
    assert np.abs(first[:, :200]).max() < 0.02
    assert np.abs(first[:, -200:]).max() < 0.02


def test_a_mood_is_read_from_the_words(tmp_path: Path) -> None:
    assert mood_of(MusicTask(prompt="anything", mood="tense")) == "tense"
    assert mood_of(MusicTask(prompt="a sad piano")) == "melancholic"
    assert mood_of(MusicTask(prompt="muziki wa furaha")) == "joyful"
    assert mood_of(MusicTask(prompt="qwerty")) == "neutral"
    with pytest.raises(InvalidArgument, match="lyrics"):
        play(MusicTask(prompt="a song", lyrics="la la"), tmp_path / "m.flac")


@pytest.mark.parametrize("name", RECIPES)
def test_an_effect_is_heard_from_seed_to_seed(name: str) -> None:
    first, again = (effect(name, 2.0, 5) for _ in range(2))
    assert first.shape == (2, 2 * RATE)
    assert np.array_equal(first, again)
    assert 0.05 < np.abs(first).max() < 1


def test_a_loop_has_no_seam() -> None:
    wave = effect("waves", 3.0, 1, loop=True)
    step = np.abs(np.diff(wave[0])).max()
    assert abs(wave[0, 0] - wave[0, -1]) <= step


def test_an_unknown_effect_is_told_of(tmp_path: Path) -> None:
    assert recipe_of("heavy rain on a roof") == ("rain", True)
    assert recipe_of("mvua kubwa") == ("rain", True)
    warnings = sound(SoundTask(prompt="a dragon", duration_seconds=1.0), tmp_path / "d.flac")[2]
    assert "wind is taken" in warnings[0]


@pytest.mark.parametrize(
    ("words", "effect_name"),
    [
        ("a wooden lid creaks", "creak"),
        ("the door creaks open", "creak"),
        ("somebody at the door", "knock"),
        ("creaking under heavy rain", "creak"),
    ],
)
def test_what_creaks_creaks_and_other_doors_are_knocked_at(words: str, effect_name: str) -> None:
    assert recipe_of(words) == (effect_name, True)


def test_every_sound_of_the_example_film_is_known_here() -> None:
    example = Path(__file__).parents[4] / "examples/five_shots.json"
    asked = [shot["sound"] for shot in json.loads(example.read_text())["shots"] if "sound" in shot]
    assert asked
    assert [recipe_of(words)[1] for words in asked] == [True] * len(asked)
