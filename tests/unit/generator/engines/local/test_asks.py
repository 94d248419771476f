"""What tasks ask of local models."""

import pytest
from PIL import Image

from services.generator.domain.tasks import Media, MusicTask, SoundTask, SpeechTask, UpscaleTask
from services.generator.engines.local.asks import ask_of
from services.generator.engines.local.probe import Source

SOURCE = Source(model="m", location="/")
THERE = Media(url="https://assets.invalid/a1")


@pytest.fixture
def picture(tmp_path):
    path = tmp_path / "media"
    Image.new("RGB", (40, 30)).save(path, "PNG")
    return {"media": str(path)}


@pytest.mark.parametrize(
    ("prompt", "mood", "words"), [("a waltz", "calm", "a waltz, calm"), ("a waltz", "", "a waltz")]
)
def test_the_mood_of_music_is_one_of_its_words(prompt, mood, words):
    ask = ask_of(MusicTask(prompt=prompt, mood=mood, duration_seconds=12), SOURCE, "g1")
    assert (ask.prompt, ask.shape.seconds) == (words, 12)


def test_a_song_may_have_lyrics_alone():
    ask = ask_of(MusicTask(lyrics="[verse]\nla"), SOURCE, "g1")
    assert (ask.prompt, ask.lyrics, ask.shape.seconds) == ("", "[verse]\nla", 30)


def test_speech_says_its_text_in_its_language():
    task = SpeechTask(text="[laughs] hi", language="en", voice="v2/en_speaker_6", speed=1.2)
    ask = ask_of(task, SOURCE, "g1")
    assert (ask.prompt, ask.language, ask.voice, ask.speed) == (
        "[laughs] hi", "en", "v2/en_speaker_6", 1.2,
    )  # fmt: skip


def test_an_enlargement_asks_for_the_size_that_its_factor_or_its_resolution_gives(picture):
    twice = ask_of(UpscaleTask(media=THERE), SOURCE, "g1", files=picture).shape
    large = ask_of(UpscaleTask(media=THERE, resolution="720p"), SOURCE, "g1", files=picture).shape
    assert (twice.width, twice.height) == (80, 60)
    assert (large.width, large.height, large.frames) == (960, 720, 1)


@pytest.mark.parametrize("options", [{"steps": 3}, {"local": {"steps": 3}}])
def test_the_options_of_local_models_arrive(options):
    assert ask_of(SoundTask(prompt="rain", options=options), SOURCE, "g1").options == {"steps": 3}


def test_without_a_seed_it_follows_from_the_generation():
    seeds = {ask_of(SoundTask(prompt="rain"), SOURCE, name).seed for name in ("g1", "g1", "g2")}
    assert len(seeds) == 2
    assert ask_of(SoundTask(prompt="rain", seed=5), SOURCE, "g1").seed == 5
