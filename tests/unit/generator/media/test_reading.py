"""Captions stand for as long as people take to read them, where the next words let them."""

from pathlib import Path
from typing import Any

import pytest

from services.generator.domain.captions import CaptionLine, CaptionsTask
from services.generator.domain.facts import WordTime
from services.generator.media.captioning import caption
from services.generator.media.captions import Caption, read

ENGLISH = "The keeper of the lighthouse waits"  # 34 characters: 2 s at 17 a second
SWAHILI = "Mtoto anacheka na marafiki zake ee"
CHINESE = "今天的天气非常好我们一起去海边吧啊"  # 17 characters: 17/9 s


def words(text: str, seconds: float, begin: float = 0.0) -> tuple[WordTime, ...]:
    parts = text.split() if " " in text else list(text)
    step = seconds / len(parts)
    return tuple(
        WordTime(text=part, start_seconds=begin + n * step, end_seconds=begin + (n + 1) * step)
        for n, part in enumerate(parts)
    )


def made(folder: Path, *lines: CaptionLine, **task: Any) -> tuple[list[Caption], tuple[str, ...]]:
    path = folder / "c.srt"
    _, warnings = caption(CaptionsTask(lines=lines, **task), None, [None] * len(lines), path)
    return read(path, "captions"), warnings


@pytest.mark.parametrize(
    ("language", "text", "seconds"),
    [("en", ENGLISH, 34 / 17), ("sw", SWAHILI, 34 / 17), ("zh", CHINESE, 17 / 9)],
)
def test_a_caption_stays_until_it_is_read(
    tmp_path: Path, language: str, text: str, seconds: float
) -> None:
    """It is spoken in less than a second, and nobody speaks after it for long."""
    first = CaptionLine(words=words(text, 0.9))
    second = CaptionLine(words=words(text, 0.9), start_seconds=8.0)
    captions, warnings = made(tmp_path, first, second, language=language)
    assert [each.end - each.start for each in captions] == pytest.approx([seconds] * 2, abs=0.01)
    assert warnings == ()


@pytest.mark.parametrize(
    ("language", "text", "speed"), [("en", ENGLISH, 17), ("sw", SWAHILI, 17), ("zh", CHINESE, 9)]
)
def test_captions_that_pass_too_fast_are_counted_in_a_warning(
    tmp_path: Path, language: str, text: str, speed: int
) -> None:
    hurried = CaptionLine(words=words(text, 0.9))
    calm = CaptionLine(words=words(text, 0.9), start_seconds=1.2)
    captions, warnings = made(tmp_path, hurried, calm, language=language)
    assert captions[0].end <= captions[1].start == 1.2, "it makes room for the next"
    assert len(warnings) == 1
    assert "1 of 2 captions" in warnings[0]
    assert f"{speed} characters" in warnings[0]


def test_a_reader_of_ones_own_speed_is_waited_for(tmp_path: Path) -> None:
    line = CaptionLine(words=words(ENGLISH, 0.9))
    slow, _ = made(tmp_path, line, max_characters_per_second=8.5)
    fast, _ = made(tmp_path, line, max_characters_per_second=34)
    assert slow[0].end == pytest.approx(34 / 8.5, abs=0.01)
    assert fast[0].end == pytest.approx(1.0, abs=0.01)


def test_characters_of_chinese_are_counted_as_characters(tmp_path: Path) -> None:
    line = CaptionLine(words=words(CHINESE, 3.0))
    own = {"max_line_characters": 9, "max_characters_per_second": 4.25, "max_lines": 2}
    captions, _ = made(tmp_path, line, language="zh", **own)
    assert [len(text) for each in captions for text in each.lines] == [8, 9]
    assert captions[0].end == pytest.approx(17 / 4.25, abs=0.01)


def test_a_caption_of_a_word_stays_long_enough_to_be_seen(tmp_path: Path) -> None:
    """5/6 s at the least, and 7 s at the most however much there is to read."""
    word, _ = made(tmp_path, CaptionLine(words=words("Simba!", 0.2)))
    assert word[0].end == pytest.approx(5 / 6, abs=0.01)
    slowly, _ = made(tmp_path, CaptionLine(words=words(ENGLISH, 1)), max_characters_per_second=4)
    assert slowly[0].end == pytest.approx(7.0, abs=0.01)
