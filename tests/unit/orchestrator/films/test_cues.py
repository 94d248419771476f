"""Laughs and sighs in what is said: sounds of their own, at their time; and faces that show it."""

import json

import pytest

from services.common.errors import InvalidArgument
from services.orchestrator.convert.shot_list import shot_source
from services.orchestrator.domain.films.asking import shot_request
from services.orchestrator.domain.films.brief import FilmBrief
from services.orchestrator.domain.films.cues import (
    CUE_SECONDS,
    apart,
    directions,
    effects_of,
    emotion_in,
)
from services.orchestrator.domain.films.shots import EMOTIONS, Cue, Line, Shot
from services.orchestrator.domain.films.timeline import (
    GAP_SECONDS,
    LEAD_SECONDS,
    speaking_seconds,
)
from services.orchestrator.domain.films.works import CaptionsWork, ComposeWork, SoundWork
from tests.unit.orchestrator.films.films import Studio, film


@pytest.mark.parametrize(
    ("text", "words", "cues"),
    [
        ("[laughs] That was close.", ["That was close."], [("laughing", 0)]),
        ("That was [laughs] close.", ["That was", "close."], [("laughing", 1)]),
        ("That was close. (sighs)", ["That was close."], [("sighing", 1)]),
        ("[laughs]", [], [("laughing", 0)]),
        (
            "No, [gasps], no! [Groaning] Oh.",
            ["No,", "no!", "Oh."],
            [("gasping", 1), ("groaning", 2)],
        ),
        ("Ndiyo [anacheka] kabisa.", ["Ndiyo", "kabisa."], [("laughing", 1)]),
        ("[softly] Come here (please).", ["[softly] Come here (please)."], []),
        ("See [laughs](https://example.com).", ["See [laughs](https://example.com)."], []),
        ("[he clears his throat] Well.", ["Well."], [("coughing", 0)]),
    ],
)
def test_laughs_and_sighs_are_taken_out_of_the_words_where_they_are(text, words, cues):
    lines, found = apart([Line(text=text, speaker="EMMA")])
    assert [line.text for line in lines] == words
    assert [(cue.sound, cue.line) for cue in found] == cues
    assert {line.speaker for line in lines} | {cue.speaker for cue in found} == {"EMMA"}


def test_cues_of_several_lines_count_through_the_shot():
    lines, found = apart([Line(text="One. [sighs] Two."), Line(text="[laughs] Three.")])
    assert [line.text for line in lines] == ["One.", "Two.", "Three."]
    assert [(cue.sound, cue.line) for cue in found] == [("sighing", 1), ("laughing", 2)]


def test_a_sound_is_told_with_whose_it_is_and_where():
    shot = Shot(
        shot_id="s1",
        prompt="Emma in a cave",
        sound="water drips",
        landscapes=("cave",),
        mood="tense",
        cues=(Cue(sound="sobbing", speaker="Emma"), Cue(sound="sighing")),
    )
    told = [(effect.prompt, effect.seconds) for effect in effects_of(shot)]
    assert told == [
        ("water drips", 5.0),
        ("Emma sobbing, cave, tense mood", CUE_SECONDS),
        ("a person sighing, cave, tense mood", CUE_SECONDS),
    ]


def read(**shot):
    asked = {"shot_id": "s1", "prompt": "Emma at the door", "duration": 8} | shot
    return shot_source(json.dumps([asked])).shots


async def test_a_laugh_is_heard_when_the_words_before_it_have_ended_and_holds_up_the_others():
    said = [{"speaker": "Emma", "text": "I knew it. [laughs] All along."}]
    shots = read(dialogue=said, sound="rain")
    studio = Studio.of(film(of=shots, music="off"))
    made = await studio.make()
    assert made.state == "succeeded"
    works = [order.work for order in studio.works.begun.values()]
    sounds = [work for work in works if isinstance(work, SoundWork)]
    assert [(work.prompt, work.seconds) for work in sounds] == [
        ("rain", 8.0), ("Emma laughing", CUE_SECONDS),
    ]  # fmt: skip
    cut = next(work for work in works if isinstance(work, ComposeWork) and not work.rough)
    first_ends = LEAD_SECONDS + 1.2  # what each line takes in this studio
    assert [(track.role, track.at) for track in cut.tracks] == [
        ("dialogue", LEAD_SECONDS),
        ("dialogue", first_ends + CUE_SECONDS),
        ("effect", 0.0),
        ("effect", first_ends),
    ]
    captions = next(work for work in works if isinstance(work, CaptionsWork))
    assert [(line.text, line.start) for line in captions.lines] == [
        ("I knew it.", LEAD_SECONDS), ("All along.", first_ends + CUE_SECONDS),
    ]  # fmt: skip


async def test_a_laugh_in_the_next_shot_waits_for_the_words_of_the_one_before():
    one = read(dialogue="I knew it.", duration=1)
    two = read(shot_id="s2", dialogue="[laughs]", duration=4)
    studio = Studio.of(film(of=(*one, *two), music="off", captions="off", transition="cut"))
    await studio.make()
    cut = [work.work for work in studio.works.begun.values() if isinstance(work.work, ComposeWork)]
    effect = next(track for track in cut[-1].tracks if track.role == "effect")
    assert effect.at == LEAD_SECONDS + 1.2


async def test_a_sound_that_cannot_be_made_leaves_the_film_its_words_and_its_pause():
    shots = read(dialogue="I knew it. [laughs] All along.")
    studio = Studio.of(film(of=shots, music="off"))
    studio.works.script = lambda request: "fail" if ".sound" in request else "ok"
    made = await studio.make()
    assert made.state == "succeeded"
    cut = [work.work for work in studio.works.begun.values() if isinstance(work.work, ComposeWork)]
    assert [track.role for track in cut[-1].tracks] == ["dialogue", "dialogue"]
    later = LEAD_SECONDS + 1.2 + CUE_SECONDS
    assert cut[-1].tracks[1].at == pytest.approx(later)


def test_laughs_count_in_how_long_a_shot_takes():
    quiet, laughing = read(dialogue="I knew it.")[0], read(dialogue="I [laughs] knew it.")[0]
    more = speaking_seconds(laughing) - speaking_seconds(quiet)
    assert more == pytest.approx(CUE_SECONDS + GAP_SECONDS, abs=0.1)


def test_the_emotion_of_a_shot_reaches_the_engine_and_is_in_the_words_for_others():
    request = shot_request(FilmBrief(), read(emotion="anger")[0])
    assert request.options == {"local": {"emotion": "anger"}}
    assert "faces show anger" in request.prompt
    plain = shot_request(FilmBrief(), read()[0])
    assert (dict(plain.options), "faces" in plain.prompt) == ({}, False)


@pytest.mark.parametrize("emotion", EMOTIONS)
def test_every_emotion_can_be_asked_for(emotion):
    assert read(emotion=emotion)[0].emotion == emotion


def test_an_emotion_that_is_none_is_refused_by_its_name():
    with pytest.raises(InvalidArgument, match="emotion"):
        read(emotion="hungry")
    with pytest.raises(InvalidArgument, match="emotion"):
        Shot(shot_id="s", prompt="p", emotion="hungry")


@pytest.mark.parametrize(
    ("text", "emotion"),
    [
        ("(angrily) Get out!", "anger"),
        ("[laughs] Well.", "joy"),
        ("[softly] Well.", ""),
        ("(kwa huzuni) Kwaheri.", "sadness"),
    ],
)
def test_an_emotion_is_read_from_the_directions_of_what_is_said(text, emotion):
    assert emotion_in(directions([Line(text=text)])) == emotion
    assert read(dialogue=text)[0].emotion == emotion


def test_an_emotion_that_is_said_wins_over_one_that_is_read():
    assert read(dialogue="[laughs] Well.", emotion="fear")[0].emotion == "fear"


async def test_the_emotion_is_the_same_in_every_scene_of_a_film():
    shots = tuple(
        shot for number in (1, 2, 3) for shot in read(shot_id=f"s{number}", emotion="sadness")
    )
    studio = Studio.of(film(of=shots, music="off"))
    await studio.make()
    asked = [job.request.options for job in studio.jobs.jobs.values()]
    assert asked == [{"local": {"emotion": "sadness"}}] * 3
