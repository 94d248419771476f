"""When words are spoken, out of vendors' alignments of single characters."""

from services.generator.domain.facts import WordTime
from services.generator.domain.tasks import Json
from services.generator.providers.adapter.reading import items, number, text


def words_of(alignment: Json) -> tuple[WordTime, ...]:
    """Return the words of ElevenLabs' `alignment`, none where its three lists do not agree."""
    letters = items(alignment, "characters")
    starts = items(alignment, "character_start_times_seconds")
    ends = items(alignment, "character_end_times_seconds")
    if not len(letters) == len(starts) == len(ends):
        return ()
    words: list[WordTime] = []
    spelled, begun = "", 0.0
    for place in range(len(letters) + 1):
        letter = text(letters, place)
        if letter.strip():
            begun = begun if spelled else number(starts, place) or 0.0
            spelled += letter
        elif spelled:
            end = max(begun, number(ends, place - 1) or 0.0)
            words.append(WordTime(text=spelled, start_seconds=begun, end_seconds=end))
            spelled = ""
    return tuple(words)
