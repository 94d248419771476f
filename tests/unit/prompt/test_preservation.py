"""A rewrite that loses something is found out."""

import pytest

from services.prompt.adapters.rules.reader import RulesReader
from services.prompt.domain.knowledge import Knowledge
from services.prompt.domain.names import find_names
from services.prompt.domain.preservation import Preservation

ORIGINAL = 'Emma says "come home" to 3 dogs in Nairobi, no cars, five cats'
KEPT = 'In Nairobi, Emma warmly says "come home" to 3 dogs and five cats on a road with no cars'


def test_a_faithful_rewrite_loses_nothing(preservation: Preservation) -> None:
    assert preservation.lost(ORIGINAL, KEPT) == ()


@pytest.mark.parametrize(
    ("change", "lost"),
    [
        (("come home", "come back"), '"come home"'),
        (("3 dogs", "some dogs"), "3"),
        (("five cats", "cats"), "five"),
        (("Emma", "a girl"), "Emma"),
        (("Nairobi", "a city"), "Nairobi"),
        (("no cars", "fast cars"), "no cars"),
    ],
)
def test_a_loss_is_named(change: tuple[str, str], lost: str, preservation: Preservation) -> None:
    assert preservation.lost(ORIGINAL, KEPT.replace(*change)) == (lost,)


def test_a_translation_may_say_names_of_places_and_negations_its_own_way(
    preservation: Preservation,
) -> None:
    lost = preservation.lost(
        "Wanjiku anatembea Mlima Kenya, bila watu, sekunde 5",
        "Wanjiku walks on Mount Kenya without people, 5 seconds",
        translated=True,
    )
    assert lost == ()
    assert preservation.lost("Paka bila watu", "A cat with people", translated=True) == (
        "bila watu",
    )


@pytest.mark.parametrize(
    ("text", "people", "places"),
    [
        ("I don't want music. A chef plates dessert", [], []),
        ("A man walks down Baker Street", [], ["Baker Street"]),
        ("Dr. Amina Hassan meets Mr. Bean", ["Dr. Amina Hassan", "Mr. Bean"], []),
        ("Wavuvi ziwani Victoria", [], ["Victoria"]),
        ("EVERY WORD IS LOUD HERE", [], []),
        ("Emma's cat sleeps in Nairobi", ["Emma"], ["Nairobi"]),
    ],
)
def test_names_are_told_from_words_that_begin_a_sentence(
    text: str, people: list[str], places: list[str], knowledge: Knowledge
) -> None:
    found = find_names(text, knowledge.names)
    assert [name.text for name in found if not name.is_place] == people
    assert [name.text for name in found if name.is_place] == places


def test_a_word_that_opens_a_sentence_of_its_language_is_nobodys_name(reader: RulesReader) -> None:
    def people(text: str) -> tuple[str, ...]:
        return reader.read(text).parameters.characters

    assert people("Simba anatembea savana usiku, bila watu") == ()
    assert people("Mtoto anayeitwa Simba anacheza na Juma kijijini") == ("Simba", "Juma")
    assert people("Simba walks across the savannah and looks at the moon") == ("Simba",)
