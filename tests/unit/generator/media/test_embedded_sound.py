"""What a film of this machine sounds like: a storyboard's chord, its music, eSpeak NG's voice."""

from dataclasses import replace

import numpy as np
import pytest

from services.generator.domain.compositions import Role
from services.generator.domain.facts import WordTime
from services.generator.domain.tasks import MusicTask, SpeechTask
from services.generator.engines.storyboard.encode import write_video
from services.generator.engines.storyboard.spec import StoryboardSpec
from services.generator.media.mixing import Source, mixed
from services.generator.media.music import play
from services.generator.media.speech import say
from services.orchestrator.usecases.films.assembly import PLACEHOLDER_DB
from tests.fakes.clips import RATE, decibels

AT, SECONDS = 1.5, 7
TEXT = "Simba anatembea savana, na mtoto anacheka kwa furaha."

pytestmark = pytest.mark.timeout(60)


@pytest.fixture(scope="module")
def parts(tmp_path_factory: pytest.TempPathFactory) -> tuple[list[Source], tuple[WordTime, ...]]:
    """The chord, the music, the speech; and the words of it."""
    folder = tmp_path_factory.mktemp("parts")
    spec = StoryboardSpec(prompt="a calm sea", width=64, height=64, fps=2, duration_seconds=SECONDS)
    write_video(spec, folder / "clip.mp4", lambda done, total: None)
    play(MusicTask(prompt="joyful", duration_seconds=4.0, seed=3), folder / "music.flac")
    said = say(SpeechTask(text=TEXT, language="sw"), folder / "speech.flac")
    whole = SECONDS * RATE
    chord = Source(
        path=folder / "clip.mp4", field="clips[0].media", role=Role.EFFECT, at=0, length=whole
    )
    music = replace(chord, path=folder / "music.flac", role=Role.MUSIC, loop=True)
    speech = replace(
        chord,
        path=folder / "speech.flac",
        role=Role.DIALOGUE,
        at=round(AT * RATE),
        length=round(said.seconds * RATE),
    )
    return [replace(chord, gain_db=PLACEHOLDER_DB), music, speech], said.words


def sound(sources: list[Source]) -> np.ndarray:
    blocks = mixed(sources, SECONDS * RATE, keep_levels=False)
    whole: np.ndarray = np.concatenate([*blocks], axis=1)[0]
    return whole


def test_every_word_stands_ten_decibels_above_chord_and_music(
    parts: tuple[list[Source], tuple[WordTime, ...]],
) -> None:
    """A mix is a sum: what is not speech is all of it less the speech alone."""
    sources, words = parts
    speech = sound(sources[2:])
    beside = sound(sources) - speech
    chord = sound([sources[0], sources[2]]) - speech
    assert len(words) == 8
    for word in words:
        begin = round((AT + word.start_seconds) * RATE)
        end = round((AT + word.end_seconds) * RATE)
        heard = decibels(speech[begin:end])
        assert heard - decibels(beside[begin:end]) >= 10, word.text
        assert heard - decibels(chord[begin:end]) >= 10, word.text
    assert decibels(beside[:RATE]) - decibels(beside[round((AT + 0.5) * RATE) :][:RATE]) >= 10


def test_the_music_is_what_is_heard_where_nobody_speaks(
    parts: tuple[list[Source], tuple[WordTime, ...]],
) -> None:
    sources, _ = parts
    chord = sound(sources[:1])[:RATE]
    music = sound(sources[1:2])[:RATE]
    assert decibels(music) - decibels(chord) >= 4
