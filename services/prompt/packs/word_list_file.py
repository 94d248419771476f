"""The shape of `packs/translation/<from>_<to>.yaml`."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from services.prompt.domain.inflection import Inflection, Verb
from services.prompt.domain.translation import ADJECTIVE, NOUN, NUMBER, OTHER, Entry, WordList

_Tense = Literal["present", "past", "future", "participle"]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class MorphologyFile(_Strict):
    """What stands before and behind a stem."""

    subjects: tuple[str, ...] = ()
    plain: frozenset[str] = frozenset()
    tenses: dict[str, _Tense] = {}
    relatives: tuple[str, ...] = ()
    objects: tuple[str, ...] = ()
    negatives: tuple[str, ...] = ()
    prohibitions: tuple[str, ...] = ()
    infinitives: tuple[str, ...] = ()
    agreements: tuple[str, ...] = ()
    locative: str = ""
    place: str = ""
    prepositions: tuple[str, ...] = ()


class WordListFile(_Strict):
    """Words by their kind; a word in two kinds is a noun first.

    A phrase that begins with a connector ("of the old times") moves like an adjective.
    """

    source: str = Field(alias="from")
    target: str = Field(alias="to")
    morphology: MorphologyFile = MorphologyFile()
    names: frozenset[str] = frozenset()
    connectors: dict[str, str] = {}
    drop: frozenset[str] = frozenset()
    phrases: dict[str, str] = {}
    words: dict[str, str] = {}
    nouns: dict[str, str] = {}
    adjectives: dict[str, str] = {}
    numbers: dict[str, str] = {}
    verbs: dict[str, tuple[str, str, str, str]] = {}

    def word_list(self) -> WordList:
        """Ready to translate."""
        entries: dict[str, Entry] = {}
        for kind, words in (
            (OTHER, self.phrases),
            (OTHER, self.connectors),
            (NOUN, self.nouns),
            (NUMBER, self.numbers),
            (OTHER, self.words),
        ):
            for word, text in words.items():
                tells = kind == OTHER and " " in word and word.split()[0] in self.connectors
                entries.setdefault(word, Entry(text, ADJECTIVE if tells else kind))
        return WordList(
            source=self.source,
            target=self.target,
            entries=entries,
            inflection=Inflection(
                verbs={stem: Verb(*forms) for stem, forms in self.verbs.items()},
                adjectives=self.adjectives,
                **self.morphology.model_dump(),
            ),
            drop=self.drop,
            names=self.names,
        )
