"""Whether a language model's rewrite or translation says what the caller said."""

import re

from services.prompt.domain.knowledge import Knowledge
from services.prompt.domain.ports import Reader
from services.prompt.domain.preservation import Preservation
from services.prompt.domain.translation import WordList

# Of fewer words nobody can tell the language.
_TELLING_WORDS = 4


class Faithfulness:
    """Compares by rules, which cannot be talked into anything."""

    def __init__(self, reader: Reader, knowledge: Knowledge) -> None:
        self._reader = reader
        self._knowledge = knowledge
        self._preservation = Preservation(knowledge.lexicons, knowledge.names)

    def lost(
        self, original: str, rewritten: str, *, language: str, translate_to: str = ""
    ) -> tuple[str, ...]:
        """What was lost, for a message: quotations, names, numbers, negations, the language.

        `language` is that of the original; empty when nothing was lost.
        """
        lost = self._preservation.lost(original, rewritten, translated=bool(translate_to))
        if translate_to:
            words = self._knowledge.word_list(language, (translate_to,))
            lost = tuple(word for word in lost if not (words and _opens(original, word, words)))
        wanted = translate_to or language
        changed = self._reader.read(rewritten).language != wanted
        return (*lost, wanted) if changed and len(original.split()) >= _TELLING_WORDS else lost


def _opens(original: str, word: str, words: WordList) -> bool:
    """Whether it is an ordinary word whose capital is that of a sentence: "Simba" is a lion."""
    within = re.search(rf"[^.!?:\n\s]\s+{re.escape(word)}\b", original)
    return within is None and words.find(word.casefold()) is not None
