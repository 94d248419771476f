"""The caller's words survive: enhancement appends, OFF sends the same bytes."""

import asyncio

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.prompt.adapters.rules.reader import RulesReader
from services.prompt.domain.preservation import Preservation
from services.prompt.domain.quantified import Enhance, QuantifyRequest
from services.prompt.packs import load_knowledge
from services.prompt.usecases.quantify import QuantifyPrompt
from tests.unit.prompt.golden_set import load

pytestmark = pytest.mark.timeout(60)

KNOWLEDGE = load_knowledge()
READER = RulesReader(KNOWLEDGE.lexicons, KNOWLEDGE.names)
PRESERVATION = Preservation(KNOWLEDGE.lexicons, KNOWLEDGE.names)
QUANTIFY = QuantifyPrompt(reader=READER, knowledge=KNOWLEDGE)

SUBJECTS = st.sampled_from(
    ["Emma walks slowly", "Wanjiku and Otieno dance", "three cats run", "Mama anapika chakula"]
)
QUOTES = st.sampled_from(
    ['says "no more than 5 apples"', "“Karibu nyumbani”", "'welcome to Kisumu'", ""]
)
NEGATIONS = st.sampled_from(
    ["no people", "without any text", "bila watu", "not scary", "usionyeshe nembo", ""]
)
NUMBERS = st.sampled_from(
    ["for 7 seconds", "with 42 balloons", "in 1963", "sekunde kumi", "16:9", ""]
)
TIMES = st.sampled_from(["at sunset", "usiku", "in the morning", ""])
PROMPTS = st.tuples(SUBJECTS, QUOTES, NUMBERS, TIMES, NEGATIONS).map(
    lambda parts: ", ".join(part for part in parts if part)
)


def enhanced(prompt: str, enhance: Enhance) -> str:
    return asyncio.run(QUANTIFY(QuantifyRequest(prompt=prompt, enhance=enhance))).prompt


@settings(max_examples=300, deadline=None)
@given(PROMPTS)
def test_quotes_names_numbers_negations_and_language_survive(prompt: str) -> None:
    result = enhanced(prompt, Enhance.ON)
    assert result.startswith(prompt)
    assert PRESERVATION.lost(prompt, result) == ()
    before = READER.read(prompt).language
    assert before == "mul" or READER.read(result).language == before


@settings(max_examples=200, deadline=None)
@given(st.text(min_size=1, max_size=300).filter(str.strip))
def test_whatever_the_text_is_it_stays_and_off_sends_its_bytes(text: str) -> None:
    assert enhanced(text, Enhance.ON).startswith(text.rstrip())
    assert enhanced(text, Enhance.OFF).encode("utf-8", "surrogatepass") == text.encode(
        "utf-8", "surrogatepass"
    )


def test_every_golden_prompt_survives_its_enhancement() -> None:
    for row in load("dev") + load("holdout"):
        result = enhanced(row["prompt"], Enhance.ON)
        assert PRESERVATION.lost(row["prompt"], result) == ()


def test_the_seeds_sunset_becomes_a_cinematic_golden_hour() -> None:
    result = enhanced("Create a cool video of a sunset", Enhance.AUTO)
    assert result == (
        "Create a cool video of a sunset, cinematic, golden hour lighting, peaceful atmosphere"
    )


def test_a_swahili_prompt_is_enhanced_in_swahili() -> None:
    result = enhanced("Simba anatembea savana wakati wa machweo.", Enhance.ON)
    assert result.startswith("Simba anatembea savana wakati wa machweo. Mtindo wa sinema")


def test_a_prompt_rich_in_detail_is_left_alone_by_auto() -> None:
    prompt = "An old man " + "with a very long beard and many stories " * 5
    assert enhanced(prompt, Enhance.AUTO) == prompt
