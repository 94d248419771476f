"""How far what is heard differs from what is written: the word error rate of recordings."""

import pytest

from services.generator.domain.facts import WordTime
from services.generator.engines.heard import Heard, checked, quality_of

TEXT = "The river rose, in the night — [sighs] nobody heard it."


@pytest.mark.parametrize(
    ("heard", "wrong"),
    [
        ("the river rose in the night nobody heard it", 0),
        ("THE RIVER ROSE! In the night: nobody heard it?", 0),
        ("the river rose in the light nobody heard it", 1),
        ("the river rose in night nobody heard it", 1),
        ("the river rose up in the night nobody heard it", 1),
        ("a liver rose in the night nobody hurt", 4),
        ("", 9),
    ],
)
def test_every_word_that_is_missing_another_or_too_many_counts(heard, wrong):
    found = checked(TEXT, (), heard)
    assert (found.wrong, found.of) == (wrong, 9)


def test_scripts_without_spaces_are_compared_by_their_characters():
    found = checked("你好，世界。", (), "你好 世间")
    assert (found.wrong, found.of) == (1, 4)


def test_words_keep_their_times():
    words = (WordTime(text="Hello", start_seconds=0.1, end_seconds=0.4),)
    assert checked("Hello", words, "hello") == Heard(words, 0, 1)
    assert checked("[sighs]", words, "") == Heard(words)


def test_the_rate_of_all_recordings_is_that_of_their_words_together():
    found = quality_of([(0.0, Heard((), 1, 4)), (3.5, Heard((), 0, 12)), (9.0, Heard())])
    assert found is not None
    assert found.score == 1 - 1 / 16
    assert [(each.kind, each.start_seconds) for each in found.findings] == [("misheard", 0.0)]
    assert "word error rate 0.25" in found.findings[0].explanation


def test_where_nobody_listened_there_is_no_rate():
    assert quality_of([(0.0, Heard())]) is None
    assert quality_of([]) is None


def test_more_words_than_are_written_are_no_worse_than_the_worst():
    found = quality_of([(0.0, checked("No.", (), "no that is not what I said"))])
    assert found is not None
    assert found.score == 0.0
