"""Captions against the speech that they follow: what is spoken, when, and how it is read."""

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.common.errors import InvalidArgument
from services.generator.domain.captions import CaptionLine, CaptionsTask, CaptionStyle, Position
from services.generator.domain.compositions import CaptionMode, Clip, ComposeTask
from services.generator.domain.facts import WordTime
from services.generator.domain.media import Media
from services.generator.domain.tasks import SpeechTask
from services.generator.media.alignment import aligned
from services.generator.media.attaching import attach, letters
from services.generator.media.breaking import broken, language_of, width
from services.generator.media.captioning import caption
from services.generator.media.captions import Caption, one_at_a_time, read
from services.generator.media.compose import Inputs, compose
from services.generator.media.speech import say
from tests.fakes.clips import decoded, make_clip, number_of

ANY = Media(url="https://example.com/any")
ENGLISH = (
    "The lighthouse keeper has **seen** many storms, but this one is different. [thunder] "
    "He climbs the stairs while the wind howls around the tower, and he lights the lamp."
)
SWAHILI = (
    "Habari ya asubuhi. Simba anatembea savana, lakini mtoto anacheka kwa furaha na marafiki "
    "zake wote. Jua linachomoza juu ya mlima."
)

pytestmark = pytest.mark.timeout(60)


def made(folder: Path, lines: Sequence[CaptionLine], **task: Any) -> list[Caption]:
    order = CaptionsTask(lines=tuple(lines), **task)
    path = folder / f"captions.{order.format}"
    caption(order, None, [None] * len(lines), path)
    return read(path, "captions")


def sound(captions: Sequence[Caption]) -> None:
    assert all(each.end - each.start >= 0.04 for each in captions)
    assert all(before.end <= after.start for before, after in pairwise(captions))
    assert all(each.lines and all(line.strip() for line in each.lines) for each in captions)


@pytest.mark.parametrize("kind", ["srt", "vtt"])
@pytest.mark.parametrize(("language", "text"), [("en", ENGLISH), ("sw", SWAHILI)])
def test_captions_begin_with_the_words_that_they_show(
    tmp_path: Path, language: str, text: str, kind: str
) -> None:
    said = say(SpeechTask(text=text, language=language), tmp_path / "s.flac")
    line = CaptionLine(text=text, start_seconds=3.0, words=said.words)
    captions = made(tmp_path, [line], language=language, format=kind)
    sound(captions)
    shown = [word for each in captions for text in each.lines for word in text.split()]
    assert shown == [word.text for word in said.words]
    number = 0
    for each in captions:
        count = sum(len(text.split()) for text in each.lines)
        first, last = said.words[number], said.words[number + count - 1]
        assert each.start == pytest.approx(3 + first.start_seconds, abs=0.08)
        assert each.end >= 3 + last.end_seconds - 0.08
        assert len(each.lines) <= 2
        assert all(width(text) <= 42 for text in each.lines)
        assert each.end - each.start <= 7.1
        number += count
    assert "**" not in " ".join(shown)
    assert "thunder" not in " ".join(shown)


def test_nothing_is_left_alone_in_a_caption(tmp_path: Path) -> None:
    said = say(SpeechTask(text=ENGLISH), tmp_path / "s.flac")
    captions = made(tmp_path, [CaptionLine(text=ENGLISH, words=said.words)])
    assert min(sum(len(text.split()) for text in each.lines) for each in captions) >= 3


def test_the_last_caption_ends_with_the_film(tmp_path: Path) -> None:
    """It would stand for as long as it takes to read; the words themselves may outlast the film."""
    words = (WordTime(text="Kwaheri, rafiki zangu wote!", start_seconds=3.0, end_seconds=3.2),)
    free = made(tmp_path, [CaptionLine(words=words)])
    held = made(tmp_path, [CaptionLine(words=words)], film_seconds=3.5)
    assert free[0].end > 4
    assert (held[0].start, held[0].end) == (3.0, 3.5)
    longer = replace(words[0], end_seconds=9.0)
    assert made(tmp_path, [CaptionLine(words=(longer,))], film_seconds=3.5)[0].end == 3.5


def test_words_after_the_end_of_the_film_are_not_seen(tmp_path: Path) -> None:
    """Neither those of a line that it ends in, nor those of lines after it."""
    words = tuple(
        WordTime(text=f"word{n}", start_seconds=n / 2, end_seconds=n / 2 + 0.4) for n in range(8)
    )
    lines = [
        CaptionLine(words=words, start_seconds=1.0),
        CaptionLine(
            text="said word by word until long after the end",
            start_seconds=2.0,
            duration_seconds=8.0,
        ),
        CaptionLine(text="Never", start_seconds=3.5, duration_seconds=1.0),
    ]
    found = made(tmp_path, lines, film_seconds=3.4)
    sound(found)
    shown = " ".join(text for each in found for text in each.lines).split()
    assert set(shown) == {"word0", "word1", "word2", "word3", "word4", "said", "word"}
    assert found[-1].end == 3.4
    with pytest.raises(InvalidArgument, match="film_duration"):
        made(tmp_path, lines[2:], film_seconds=3.4)


WORDS = st.lists(
    st.tuples(
        st.text("abcdefgh,.!?—漢字かな مرحبا", min_size=1, max_size=14).filter(str.strip),
        st.floats(0, 1.5),
        st.floats(0, 1.0),
    ),
    min_size=1,
    max_size=40,
)


@settings(max_examples=50)
@given(st.lists(WORDS, min_size=1, max_size=3), st.integers(8, 60), st.integers(1, 3))
def test_whatever_is_said_no_caption_is_empty_or_covers_another(
    tmp_path_factory: pytest.TempPathFactory, speakers: Any, columns: int, rows: int
) -> None:
    lines = []
    for number, words in enumerate(speakers):
        at, timed = 0.0, []
        for text, pause, length in words:
            timed.append(
                WordTime(text=text, start_seconds=at + pause, end_seconds=at + pause + length)
            )
            at += pause + length
        lines.append(CaptionLine(words=tuple(timed), start_seconds=number * 0.7))
    folder = tmp_path_factory.mktemp("captions")
    sound(made(folder, lines, max_line_characters=columns, max_lines=rows))


@pytest.mark.parametrize(
    ("text", "language", "lines"),
    [
        (
            "The keeper of the lighthouse and his old dog wait",
            "en",
            ["The keeper of the lighthouse", "and his old dog wait"],
        ),
        (
            "Mtoto anacheka kwa furaha na marafiki zake wote",
            "sw",
            ["Mtoto anacheka kwa furaha", "na marafiki zake wote"],
        ),
        (
            "今天的天气非常好，我们一起去海边看日出吧。",
            "zh",
            ["今天的天气非常好，", "我们一起去海边看日出吧。"],
        ),
    ],
)
def test_lines_break_where_the_language_lets_them(
    text: str, language: str, lines: list[str]
) -> None:
    assert broken(text, 32, language_of(language, text)) == lines


@pytest.mark.parametrize(
    ("text", "language", "voice", "speed"),
    [
        (ENGLISH, "en", "f2", 1.2),
        (ENGLISH, "en", "en-us+klatt2", 0.9),  # another synthesiser within eSpeak NG
        (ENGLISH, "en", "en-us+whisper", 1.0),
        (SWAHILI, "sw", "m3", 0.85),
    ],
)
def test_every_word_of_a_recording_without_times_is_found(
    tmp_path: Path, text: str, language: str, voice: str, speed: float
) -> None:
    """Against the times of the synthesiser that spoke it, which the alignment does not see."""
    plain = text.replace("**", "").replace("[thunder] ", "")
    task = SpeechTask(text=plain, language=language, voice=voice, speed=speed)
    recording = tmp_path / "s.flac"
    said = say(task, recording)
    words = [word.text for word in said.words]
    found = aligned(words, recording, "audio", language)
    assert [word.text for word in found] == words
    drift = [abs(a.start_seconds - b.start_seconds) for a, b in zip(found, said.words, strict=True)]
    assert max(drift) < 0.08, f"{max(drift) * 1e3:.0f} ms"


def test_captions_of_a_recording_begin_with_its_words(tmp_path: Path) -> None:
    text = ENGLISH.replace("**", "").replace("[thunder] ", "")
    said = say(SpeechTask(text=text, voice="f3"), tmp_path / "s.flac")
    path = tmp_path / "c.srt"
    line = CaptionLine(text=text, start_seconds=2.0, audio=ANY)
    caption(CaptionsTask(lines=(line,)), None, [tmp_path / "s.flac"], path)
    captions = read(path, "captions")
    sound(captions)
    starts = {word.text: word.start_seconds for word in said.words}
    for each in captions:
        assert each.start == pytest.approx(2.0 + starts[each.lines[0].split()[0]], abs=0.08)


@pytest.mark.parametrize(("language", "text"), [("en", SWAHILI), ("xx", ENGLISH)])
def test_what_cannot_be_laid_beside_speech_is_spread_over_it(
    tmp_path: Path, language: str, text: str
) -> None:
    """Words that are not those of the recording, and a language that nobody here speaks."""
    plain = ENGLISH.replace("**", "").replace("[thunder] ", "")
    said = say(SpeechTask(text=plain, voice="f3"), tmp_path / "s.flac")
    words = text.replace("**", "").replace("[thunder] ", "").split()
    found = aligned(words, tmp_path / "s.flac", "audio", language)
    starts = [word.start_seconds for word in found]
    assert starts == sorted(starts)
    assert found[0].start_seconds == pytest.approx(said.words[0].start_seconds, abs=0.1)
    assert found[-1].end_seconds == pytest.approx(said.words[-1].end_seconds, abs=0.2)


def test_a_silent_recording_is_refused(tmp_path: Path) -> None:
    from tests.fakes.clips import make_sound

    quiet = make_sound(tmp_path / "q.flac", np.zeros(48_000, np.float32))
    with pytest.raises(InvalidArgument, match="audio"):
        caption(CaptionsTask(text="Hello", audio=ANY), quiet, [], tmp_path / "c.srt")


def film(folder: Path, captions: str, **task: Any) -> Path:
    clips = [
        make_clip(folder / name, size=(384, 216), frames=48, key_every=12)
        for name in ("a.mp4", "b.mp4")
    ]
    text = folder / "c.srt"
    text.write_text(captions, encoding="utf-8")
    order = ComposeTask(clips=(Clip(media=ANY), Clip(media=ANY)), captions=ANY, **task)
    path = folder / "film.mp4"
    made = compose(order, Inputs(clips=clips, captions=text), path, lambda _: None)
    assert made.warnings == ()
    assert made.method == ("smart" if order.caption_mode is CaptionMode.BURN else "copied")
    return path


def bright(frame: Any, low: float, high: float) -> int:
    luma = frame.to_ndarray(format="gray")
    return int(np.count_nonzero(luma[int(low * 216) : int(high * 216)] > 200))


@pytest.mark.parametrize(
    "words",
    ["The keeper waits", "Habari ya asubuhi", "你好，世界", "مرحبا بالعالم", "שלום עולם", "नमस्ते"],
)
def test_burnt_captions_are_seen_while_they_last_and_at_no_other_time(
    tmp_path: Path, words: str
) -> None:
    frames = list(decoded(film(tmp_path, f"1\n00:00:01,000 --> 00:00:02,000\n{words}\n")))
    assert [number_of(frame) for frame in frames] == [*range(48)] * 2
    seen = [number for number, frame in enumerate(frames) if bright(frame, 0.6, 1.0) > 20]
    assert seen == [*range(24, 48)]


def test_captions_stand_where_they_are_told(tmp_path: Path) -> None:
    style = CaptionStyle(position=Position.TOP, box=True, size_percent=8)
    path = film(tmp_path, "1\n00:00:01,000 --> 00:00:02,000\nUp here\n", caption_style=style)
    frame = list(decoded(path))[30]
    assert bright(frame, 0.6, 1.0) == 0 < bright(frame, 0.05, 0.4)


def test_attached_captions_cost_no_picture_and_can_be_read_back(tmp_path: Path) -> None:
    path = film(
        tmp_path,
        "1\n00:00:01,000 --> 00:00:02,000\nHabari\n",
        caption_mode=CaptionMode.ATTACH,
        caption_language="sw",
    )
    with av.open(str(path)) as file:
        stream = file.streams.subtitles[0]
        assert (stream.codec_context.name, stream.language) == ("mov_text", "swa")
        texts = [bytes(packet) for packet in file.demux(stream) if packet.size > 2]
    assert [text[2:].decode() for text in texts] == ["Habari"]


@pytest.mark.parametrize(
    ("tag", "code"),
    [
        ("de", "deu"), ("es", "spa"), ("pt-BR", "por"), ("ja", "jpn"), ("ko", "kor"), ("he", "heb"),
        ("iw", "heb"), ("sw-KE", "swa"), ("zh-Hant", "zho"), ("am", "amh"), ("lg", "lug"),
        ("", "und"), ("no language", "und"), ("qq", "und"), ("x-private", "und"),
    ],
)  # fmt: skip
def test_every_language_has_its_letters(tag: str, code: str) -> None:
    assert letters(tag) == code


def test_why_captions_were_not_attached_is_told(tmp_path: Path) -> None:
    (tmp_path / "film.mp4").write_bytes(b"no film")
    (tmp_path / "c.srt").write_text("1\n00:00:01,000 --> 00:00:02,000\nHabari\n")
    with pytest.raises(RuntimeError, match="Invalid data found"):
        attach(tmp_path / "film.mp4", tmp_path / "c.srt", "sw")
    assert (tmp_path / "film.mp4").read_bytes() == b"no film"
    assert {each.name for each in tmp_path.iterdir()} == {"film.mp4", "c.srt"}


UNSORTED = """3
00:00:03,000 --> 00:00:03,500
Later

1
00:00:01,000 --> 00:00:02,000
First

2
00:00:01,500 --> 00:00:02,500
Second

4
00:00:01,000 --> 00:00:01,000
Never
"""


def test_captions_that_overlap_or_come_in_any_order_are_all_seen(tmp_path: Path) -> None:
    (tmp_path / "c.srt").write_text(UNSORTED)
    given = read(tmp_path / "c.srt", "captions")
    assert [each.start for each in given] == [1, 1, 1.5, 3]
    assert one_at_a_time(given) == [
        Caption(1.0, 1.5, ("First",)),
        Caption(1.5, 2.0, ("First", "Second")),
        Caption(2.0, 2.5, ("Second",)),
        Caption(3.0, 3.5, ("Later",)),
    ]


def test_captions_of_any_order_are_burnt_while_they_last(tmp_path: Path) -> None:
    frames = list(decoded(film(tmp_path, UNSORTED)))
    seen = [number for number, frame in enumerate(frames) if bright(frame, 0.6, 1.0) > 20]
    assert seen == [*range(24, 60), *range(72, 84)]
    areas = [bright(frames[number], 0.6, 1.0) for number in (30, 42, 54)]
    assert areas[1] > 1.5 * max(areas[0], areas[2]), "where two overlap both are read"


def test_captions_of_any_order_are_all_attached(tmp_path: Path) -> None:
    path = film(tmp_path, UNSORTED, caption_mode=CaptionMode.ATTACH, caption_language="de-AT")
    with av.open(str(path)) as file:
        stream = file.streams.subtitles[0]
        assert stream.language == "deu"
        told = [
            (float((packet.pts or 0) * packet.time_base), bytes(packet)[2:].decode())
            for packet in file.demux(stream)
            if packet.size > 2
        ]
    assert told == [(1.0, "First"), (1.5, "First\nSecond"), (2.0, "Second"), (3.0, "Later")]


LATE = """1
00:00:03,000 --> 00:00:09,000
Seen until the end

2
00:00:06,000 --> 00:00:07,000
Never
"""


def test_attached_captions_end_with_the_film(tmp_path: Path) -> None:
    """Of four seconds; text after them would keep players on the last picture."""
    path = film(tmp_path, LATE, caption_mode=CaptionMode.ATTACH)
    with av.open(str(path)) as file:
        stream = file.streams.subtitles[0]
        texts = [bytes(packet)[2:].decode() for packet in file.demux(stream) if packet.size > 2]
    with av.open(str(path)) as file:
        assert (file.duration or 0) / av.time_base == pytest.approx(4, abs=0.05)
    assert texts == ["Seen until the end"]


def test_a_film_that_ends_before_its_captions_begin_carries_none(tmp_path: Path) -> None:
    late = "1\n00:00:06,000 --> 00:00:07,000\nNever\n"
    with av.open(str(film(tmp_path, late, caption_mode=CaptionMode.ATTACH))) as file:
        assert not file.streams.subtitles
        assert (file.duration or 0) / av.time_base == pytest.approx(4, abs=0.05)


CAPTIONS = st.lists(
    st.tuples(st.integers(0, 60), st.integers(0, 20)).map(
        lambda both: (both[0] / 4, (both[0] + both[1]) / 4)
    ),
    max_size=10,
)


@given(CAPTIONS)
def test_whatever_overlaps_each_moment_shows_what_was_given_for_it(
    spans: list[tuple[float, float]],
) -> None:
    captions = [Caption(a, b, (str(n),)) for n, (a, b) in enumerate(sorted(spans))]
    shown = one_at_a_time(captions)
    assert all(before.end <= after.start for before, after in pairwise(shown))
    for moment in np.arange(0.125, 21, 0.25):
        wanted = [each.lines[0] for each in captions if each.start <= moment < each.end]
        seen = [line for each in shown if each.start <= moment < each.end for line in each.lines]
        assert seen == wanted


def test_more_lines_than_a_picture_has_room_for_are_refused(tmp_path: Path) -> None:
    """Before each has been joined with every other: a file can have a caption for each byte."""
    at_once = "".join(f"{n}\n00:00:01,000 --> 00:00:02,000\nLine {n}\n\n" for n in range(11))
    with pytest.raises(InvalidArgument, match="captions: has 11 lines at"):
        film(tmp_path, at_once)


def test_a_file_of_too_many_captions_is_refused(tmp_path: Path) -> None:
    text = "WEBVTT\n\n" + "00:01.000 --> 00:02.000\nx\n\n" * 20_001
    (tmp_path / "c.vtt").write_text(text)
    with pytest.raises(InvalidArgument, match="captions: holds 20001 captions"):
        read(tmp_path / "c.vtt", "captions")


@pytest.mark.parametrize("text", ["", "no captions here", "WEBVTT\n"])
def test_what_are_no_captions_is_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(InvalidArgument, match="captions"):
        film(tmp_path, text)
