"""Lyrics on bars: every line begins with one, and none is lost."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as some

from services.common.errors import InvalidArgument
from services.generator.domain.songs import METRES, TEMPOS, Measure, measure_of, song

LYRICS = """[verse]
The river rose in the night
and nobody heard it

[chorus]
Row, row
until the morning light
"""
FIRST_WORDS = ["The", "and", "Row,", "until"]


def starts(found, words=FIRST_WORDS):
    at = {word.text: word.start_seconds for word in found.words}
    return [at[word] for word in words]


def test_every_line_begins_with_a_bar_and_a_section_with_one_more():
    found = song(LYRICS, 24.0, Measure(tempo=120))  # twelve bars of two seconds
    assert starts(found) == [2.0, 6.0, 12.0, 16.0]
    assert found.words[-1].end_seconds == 20.0


def test_where_bars_are_short_sections_follow_at_once():
    assert starts(song(LYRICS, 8.0, Measure(tempo=120))) == [0.0, 2.0, 4.0, 6.0]


def test_words_share_their_line_and_none_covers_another():
    found = song(LYRICS, 24.0, Measure(tempo=120, metre=3))
    assert [word.text for word in found.words] == LYRICS.replace("[verse]", "").replace(
        "[chorus]", ""
    ).split()
    for before, after in pairwise(found.words):
        assert before.end_seconds <= after.start_seconds + 1e-9


def test_a_piece_without_words_has_a_measure_all_the_same():
    assert song("[instrumental]", 10.0, measure_of({}, "", 10.0)).words == ()


@pytest.mark.parametrize(("seconds", "tempo"), [(30.0, 100), (9.0, 107), (5.0, 192)])
def test_without_a_tempo_the_song_is_as_fast_as_its_lyrics_need(seconds, tempo):
    assert measure_of({}, LYRICS, seconds).tempo == tempo


def test_what_is_asked_for_is_taken():
    assert measure_of({"tempo": 72, "metre": 6}, LYRICS, 60.0) == Measure(tempo=72, metre=6)


@pytest.mark.parametrize(
    ("options", "field"),
    [
        ({"tempo": 59}, "options.local.tempo"),
        ({"tempo": 201}, "options.local.tempo"),
        ({"tempo": "fast"}, "options.local.tempo"),
        ({"metre": 5}, "options.local.metre"),
        ({"metre": "four"}, "options.local.metre"),
    ],
)
def test_what_nobody_plays_is_refused_by_its_name(options, field):
    with pytest.raises(InvalidArgument) as caught:
        measure_of(options, LYRICS, 60.0)
    assert caught.value.violations[0].field == field


@pytest.mark.parametrize(("options", "least"), [({}, "4.8 s"), ({"tempo": 60}, "16.0 s")])
def test_lyrics_that_are_too_long_are_refused_with_the_length_that_holds_them(options, least):
    with pytest.raises(InvalidArgument, match=f"at least {least}"):
        measure_of(options, LYRICS, 4.0)


@given(
    lines=some.lists(
        some.sampled_from(["la la la", "oh", "the river rose"]), min_size=1, max_size=20
    ),
    tempo=some.integers(*TEMPOS),
    metre=some.sampled_from(METRES),
    more=some.floats(0, 60),
)
def test_whatever_is_sung_lies_on_bars_within_the_song(lines, tempo, metre, more):
    measure = Measure(tempo=tempo, metre=metre)
    seconds = len(lines) * measure.bar_seconds + more
    found = song("[verse]\n" + "\n".join(lines), seconds, measure)
    at = 0
    for line in lines:
        bars = found.words[at].start_seconds / measure.bar_seconds
        assert bars == pytest.approx(round(bars), abs=1e-6)
        at += len(line.split())
    assert at == len(found.words)
    assert found.words[-1].end_seconds <= seconds + 1e-6
