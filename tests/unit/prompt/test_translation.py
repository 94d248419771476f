"""Swahili to English from a word list: what it knows, how it inflects, and what always stays."""

from collections.abc import Hashable
from pathlib import Path
from typing import Any

import pytest
import yaml

from services.prompt.domain.knowledge import Knowledge
from services.prompt.domain.translation import NOUN, NUMBER, Entry, WordList
from services.prompt.packs import load_word_lists
from tests.unit.prompt.golden_set import FOLDER, load

PACKS = Path(__file__).parents[3] / "services" / "prompt" / "packs"


@pytest.fixture(scope="module")
def words() -> WordList:
    return load_word_lists()[0]


@pytest.mark.parametrize(
    ("swahili", "english"),
    [
        ("Mtoto mdogo anakimbia kwenye mvua", "Small child runs in rain"),
        ("Wanawake watatu wanauza samaki sokoni", "Three women sell fish in the market"),
        ("Ndege wakubwa weupe wanaruka", "Big white bird fly"),
        ("Mzee ameketi chini ya mti mkubwa", "Old man sitting under big tree"),
        ("Msichana anayecheza ngoma", "Girl playing drums"),
        ("Daktari anamsaidia mgonjwa hospitalini", "Doctor helps patient in the hospital"),
        ("Mlango wa zamani wa nyumba", "Old door of house"),
        ("Kamera imetulia", "Camera being still"),
        ("Video ya sekunde 8", "Video of 8 seconds"),
        ("sekunde kumi na tano", "fifteen seconds"),
        ("simba atakimbia", "lion will run"),
        ("vitabu vingi kutoka jijini", "many books from the city"),
        ("kutembea msituni", "to walk in the forest"),
    ],
)
def test_agreement_tense_place_and_order_are_read(
    swahili: str, english: str, words: WordList
) -> None:
    assert words.translate(swahili).text == english


@pytest.mark.parametrize(
    ("swahili", "english"),
    [
        ("paka bila watu", "cat without people"),
        ("hakuna maandishi wala nembo", "no text nor logo"),
        ("usionyeshe uso", "do not show face"),
        ("asikimbie", "do not run"),
        ("mwalimu hafundishi", "teacher not teaching"),
        ("mtoto hakulia", "child not crying"),
        ("isiwe na watu", "without people"),
        ("usiweke nembo", "do not add logo"),
    ],
)
def test_a_negation_stays_a_negation(swahili: str, english: str, words: WordList) -> None:
    assert words.translate(swahili).text == english


@pytest.mark.parametrize(
    ("swahili", "kept"),
    [
        ('Juma anasema "njoo saa kumi usiku"', '"njoo saa kumi usiku"'),
        ("Msichana Baraka anakimbia", "Baraka"),
        ("Wanjiku anatembea Kisumu", "Kisumu"),
        ("picha ya 16:9, 1080p", "16:9, 1080p"),
        ("🦁 simba", "🦁 lion"),
    ],
)
def test_quotes_names_and_numbers_stay(swahili: str, kept: str, words: WordList) -> None:
    assert kept in words.translate(swahili).text


def test_the_list_knows_most_words_of_prompts_that_it_was_not_made_from(
    words: WordList, capsys: pytest.CaptureFixture[str]
) -> None:
    """At first sight: 96.7 % of 182 words of plainer prompts (added since), 86.2 % of these."""
    prompts = yaml.safe_load((FOLDER / "unseen_sw.yaml").read_text(encoding="utf-8"))
    done = [words.translate(prompt) for prompt in prompts]
    said, unknown = sum(d.words for d in done), sum(d.unknown for d in done)
    size = len(words.entries) + len(words.inflection.adjectives) + len(words.inflection.verbs)
    with capsys.disabled():
        print(
            f"\nSwahili word list: {size} entries, knows {1 - unknown / said:.1%} of {said} words "
            f"in {len(prompts)} unseen prompts"
        )
    assert size >= 800
    assert unknown <= 0.2 * said


def test_every_swahili_prompt_of_the_golden_set_keeps_what_must_not_be_seen(
    words: WordList,
) -> None:
    negatives = [
        row
        for row in load("dev") + load("holdout")
        if row.get("language") == "sw" and row.get("negative_prompt")
    ]
    assert len(negatives) >= 5
    for row in negatives:
        english = words.translate(row["prompt"]).text.lower()
        assert any(word in english.split() for word in ("without", "no", "not", "nor")), english


def test_a_word_that_nobody_knows_stays_and_is_counted(words: WordList) -> None:
    done = words.translate("simba zubagaza mti")
    assert done.text == "lion zubagaza tree"
    assert (done.words, done.unknown) == (3, 1)


def test_a_list_without_grammar_exchanges_words() -> None:
    plain = WordList(
        source="xx", target="en", entries={"a": Entry("ant", NOUN), "b": Entry("two", NUMBER)}
    )
    assert plain.translate("a b, a c").text == "two ant, ant c"


@pytest.mark.parametrize("path", sorted(PACKS.rglob("*.yaml")), ids=lambda path: path.name)
def test_no_pack_says_a_thing_twice(path: Path) -> None:
    class Loader(yaml.SafeLoader):
        def construct_mapping(self, node: Any, deep: bool = False) -> dict[Hashable, Any]:
            keys = [self.construct_object(key, deep=True) for key, _ in node.value]
            twice = {key for key in keys if keys.count(key) > 1}
            assert not twice, f"{path.name}: {sorted(map(str, twice))}"
            return super().construct_mapping(node, deep)

    yaml.load(path.read_text(encoding="utf-8"), Loader)


def test_every_phrase_that_enhancing_adds_in_swahili_is_known_in_english(
    knowledge: Knowledge,
) -> None:
    words = knowledge.word_list("sw", ("en",))
    assert words is not None
    phrases = [p for of in knowledge.lexicons["sw"].phrases.values() for p in of.values()]
    phrases += [preset.phrase["sw"] for preset in knowledge.presets.values()]
    missing = [phrase for phrase in phrases if words.translate(phrase).unknown]
    assert missing == []
