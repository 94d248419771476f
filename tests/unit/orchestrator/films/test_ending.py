"""A film ends under its last words: its last picture stands for them, for two seconds at most."""

import pytest

from services.orchestrator.adapters.messages import load_texts
from services.orchestrator.adapters.works_client import task_of
from services.orchestrator.domain.films.ending import FADE_SECONDS, ending, heard
from services.orchestrator.domain.films.tasks import Piece, Word
from services.orchestrator.domain.films.timeline import Span, Spoken
from services.orchestrator.domain.films.works import CaptionsWork, ComposeWork
from tests.unit.orchestrator.films.films import Studio, film


async def ended(spoken, words=(), *, transition="cut", **brief):
    """A film of three shots of two seconds as it ends, its cut and its captions.

    Each line takes so many seconds and waits for the one before it.
    """
    studio = Studio.of(film(music="off", transition=transition, **brief))
    studio.works.spoken, studio.works.words = spoken, tuple(words)
    made = await studio.make()
    works = [order.work for order in studio.works.begun.values()]
    (cut,) = [work for work in works if isinstance(work, ComposeWork) and not work.rough]
    return made, cut, [work for work in works if isinstance(work, CaptionsWork)]


def length(cut):
    clips = cut.clips
    return sum(clip.duration + clip.hold for clip in clips) - sum(
        clip.transition_seconds for clip in clips
    )


@pytest.mark.parametrize(
    ("spoken", "hold"),
    [
        (1.2, 0.0),  # from 4.2 to 5.4: there is picture enough
        (1.8, 0.4),  # 0.2, 2.25, 4.3: to 6.1 and a moment more
        (2.4, 2.0),  # 0.2, 2.85, 5.5: to 7.9, and little of a moment
    ],
)
async def test_the_last_picture_stands_under_the_last_word(spoken, hold):
    made, cut, _ = await ended(spoken)
    assert [clip.hold for clip in cut.clips] == pytest.approx([0, 0, hold])
    assert length(cut) == pytest.approx(6 + hold)
    assert (made.warnings, [track.duration for track in cut.tracks]) == ((), [None] * 3)
    (last, *_) = reversed(task_of(cut).compose.clips)
    assert last.HasField("hold") == bool(hold)
    assert last.hold.ToTimedelta().total_seconds() == pytest.approx(hold)


WORDS = [Word(text=f"word{n}", start=n * 0.5, end=n * 0.5 + 0.4) for n in range(6)]


@pytest.mark.parametrize("captions", ["off", "burn", "attach"])
async def test_words_that_go_on_for_longer_are_ended_after_one_of_them(captions):
    """The third line has words from 6.7 to 9.6, the last picture until 8: one ends at 7.6."""
    made, cut, captioned = await ended(3.0, WORDS, captions=captions)
    *whole, last = [track for track in cut.tracks if track.role == "dialogue"]
    assert [track.duration for track in whole] == [None, None]
    assert last.at + last.duration == pytest.approx(7.6 + 0.1)  # until the next word begins
    assert (last.fade_out, last.duration > FADE_SECONDS) == (FADE_SECONDS, True)
    assert length(cut) == pytest.approx(last.at + last.duration)
    assert load_texts().say("en", made.warnings) == (
        "The film was cut without the last 1.9 s of its words, "
        "for which its last picture cannot stand.",
    )
    assert [[w.text for w in work.lines[-1].words] for work in captioned] == [
        ["word0", "word1"]
    ] * (captions != "off")
    sent = task_of(cut).compose.tracks[2]
    assert sent.duration.ToTimedelta().total_seconds() == pytest.approx(last.duration)
    assert sent.fade_out.ToTimedelta().total_seconds() == FADE_SECONDS


async def test_lines_of_which_nothing_is_heard_are_left_out():
    made, cut, _ = await ended(6.0)
    assert [track.role for track in cut.tracks] == ["dialogue", "dialogue"]
    assert cut.tracks[-1].at + cut.tracks[-1].duration == length(cut) == 8
    assert made.warnings


async def test_the_length_of_a_film_with_transitions_stays_its_sum():
    _, cut, _ = await ended(1.6, transition="crossfade")
    assert [clip.hold > 0 for clip in cut.clips] == [False, False, True]
    last = cut.tracks[-1].at + 1.6
    assert length(cut) == pytest.approx(last + 0.3)


TEN = (Span(start=0, duration=10, transition="cut", overlap=0),)


def line(start, seconds, *words):
    """A line of a film of ten seconds; `words` are pairs, when each begins and ends in it."""
    timed = tuple(Word(text=f"word{n}", start=a, end=b) for n, (a, b) in enumerate(words))
    piece = Piece(asset="a", sha256="s", duration_seconds=seconds, words=timed)
    return Spoken(text="What is said", speaker="", start=start, piece=piece)


def told(lines, cues=()):
    """How a film of ten seconds ends, and how long of each line is heard: None is in full."""
    found = ending(TEN, lines, cues)
    return found, [(each.line.start, each.duration) for each in heard(lines, found.words_end)]


def test_a_line_whose_words_nobody_has_timed_is_heard_as_long_as_the_picture_stands():
    """Words of lines before it tell nothing of where it could be ended."""
    found, lines = told([line(0.2, 2.0, (0, 1.8)), line(2.45, 12.0)])
    assert (found.hold_seconds, found.words_end) == (2, 12)
    assert found.late_seconds == pytest.approx(2.45)
    assert lines == [(0.2, None), (2.45, pytest.approx(9.55))]


def test_lines_between_which_the_film_ends_are_whole_or_not_there():
    found, lines = told([line(0, 2.0, (0, 1.8)), line(3, 8.5), line(12.5, 3.0)])
    assert found.words_end == pytest.approx(11.5 + FADE_SECONDS)
    assert found.late_seconds == pytest.approx(15.5 - 11.65)
    assert lines == [(0, None), (3, None)]


def test_a_line_is_left_out_where_its_first_word_would_not_be_whole():
    found, lines = told([line(0, 11.0), line(11.25, 3.0, (0.2, 1.5), (1.6, 2.9))])
    assert found.words_end == pytest.approx(11.15)
    assert lines == [(0, None)]


def test_silence_at_the_end_of_a_recording_costs_no_word_and_holds_no_picture():
    found, lines = told([line(8, 6.0, (0, 1.0), (1.2, 2.4))])
    assert (found.words_end, found.late_seconds) == (None, 0)
    assert found.hold_seconds == pytest.approx(10.4 + 0.3 - 10)
    assert lines == [(8, None)]


def test_a_laugh_is_heard_that_comes_before_words_that_are_not():
    found, lines = told([line(0, 8.0), line(11.9, 3.0, (0.3, 2.9))], cues=[11.6])
    assert (found.words_end, found.hold_seconds) == (pytest.approx(8.15), pytest.approx(1.9))
    assert found.late_seconds == pytest.approx(14.8 - 8.15)
    assert lines == [(0, None)]


def test_a_line_whose_first_word_is_cut_is_known_by_that_word_and_not_as_untimed():
    film_ends, lines = 12, [line(0.2, 13.0, (0.3, 12.5), (12.5, 13.0))]
    found = ending(TEN, lines)
    assert found.words_end == film_ends
    [only] = heard(lines, found.words_end)
    assert only.duration == pytest.approx(11.8)
    [word] = only.line.piece.words
    assert (word.text, word.start) == ("word0", 0.3)
    assert word.end == pytest.approx(11.8)


def test_of_lines_that_overlap_each_keeps_words_of_its_own():
    lines = [line(0, 11.0, (0, 11.0)), line(9.0, 4.0, (0.1, 4.0))]
    assert [len(each.line.piece.words) for each in heard(lines, 11.2)] == [1, 1]
