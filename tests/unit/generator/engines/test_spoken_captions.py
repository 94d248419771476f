"""Captions go by a model that hears the words, where there is one; they are set in any case."""

from services.generator.domain.captions import CaptionLine, CaptionsTask
from services.generator.domain.facts import Quality, WordTime
from services.generator.domain.media import Media
from services.generator.engines.heard import Heard
from services.generator.engines.spoken_captions import timed

THERE = Media(url="https://assets.invalid/a1")
HEARD = WordTime(text="hello", start_seconds=0.4, end_seconds=0.9)


class Ears:
    """Hears one word in every recording, or nothing."""

    def __init__(self, *words: WordTime, wrong: int = 0):
        self._heard = Heard(words, wrong, 4) if words else Heard()
        self.asked: list[tuple[str, str, str, str]] = []

    async def words(self, identifier, audio, text, language):
        self.asked.append((identifier, audio.name, text, language))
        return self._heard


async def test_a_text_is_timed_by_what_is_heard_in_its_recording():
    ears, task = Ears(HEARD), CaptionsTask(text="hello", audio=THERE, language="en")
    found, quality = await timed(ears, "g1", task, "/x/audio-0", [])
    assert (found.text, found.audio, found.lines) == ("", None, (CaptionLine(words=(HEARD,)),))
    assert ears.asked == [("g1-heard", "audio-0", "hello", "en")]
    assert quality == Quality(score=1.0)


async def test_each_line_is_timed_by_its_own_recording_and_known_words_are_left_alone():
    lines = (
        CaptionLine(text="hello", audio=THERE, start_seconds=2.0),
        CaptionLine(words=(HEARD,)),
        CaptionLine(text="silence", duration_seconds=1.0),
    )
    ears, task = Ears(HEARD, wrong=1), CaptionsTask(lines=lines)
    found, quality = await timed(ears, "g1", task, None, ["/x/recordings-0", None, None])
    assert found.lines[0].words == (HEARD,)
    assert found.lines[0].start_seconds == 2.0
    assert found.lines[1:] == lines[1:]
    assert [name for _, name, _, _ in ears.asked] == ["recordings-0"]
    assert quality is not None
    assert quality.score == 0.75
    assert [(one.start_seconds, one.explanation) for one in quality.findings] == [
        (2.0, "1 of 4 words were heard otherwise (word error rate 0.25)")
    ]


async def test_where_nothing_is_heard_the_task_stays_as_it_is():
    task = CaptionsTask(text="hello", audio=THERE)
    assert await timed(Ears(), "g1", task, "/x/audio-0", []) == (task, None)
    line = CaptionsTask(lines=(CaptionLine(text="hello", audio=THERE),))
    assert await timed(Ears(), "g1", line, None, ["/x/recordings-0"]) == (line, None)
