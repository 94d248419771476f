"""The six keys: always there, fast, and complexity grows with scenes and length."""

import time
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.common.errors import InvalidArgument
from services.prompt.adapters.rules.reader import RulesReader
from services.prompt.domain.analysis import AnalyzeRequest, complexity, count_scenes
from services.prompt.domain.knowledge import Knowledge
from services.prompt.usecases.analyze import AnalyzePrompt
from tests.unit.prompt.golden_set import load

SENTENCES = [
    "A cat sleeps.", "Then it wakes.", "Next, it runs!", "Cut to: a lake at dawn.",
    "Kisha analala.", "INT. ATTIC - NIGHT", "\n\nEXT. STREET - DAY\n",
    "Finally nobody is there", "16:9, 8 seconds",
]  # fmt: skip
pytestmark = pytest.mark.timeout(60)


@pytest.fixture(scope="module")
def analyze(reader: RulesReader, knowledge: Knowledge) -> AnalyzePrompt:
    return AnalyzePrompt(reader, knowledge.packs)


def request(prompt: str, **other: object) -> AnalyzeRequest:
    return AnalyzeRequest(prompt=prompt, **{"user_preferences": {}, **other})  # type: ignore[arg-type]  # checked on building


async def test_all_six_keys_are_there_for_every_golden_prompt_in_time(
    analyze: AnalyzePrompt,
) -> None:
    times = []
    for row in load("dev") + load("holdout"):
        started = time.process_time()
        found = await analyze(request(row["prompt"], available_models=("placeholder",)))
        times.append(time.process_time() - started)
        assert 0 < found.complexity < 1
        assert found.resource_requirements.scenes >= 1
        assert found.resource_requirements.vram_mib > 0
        assert found.network_status == "unknown"
        assert found.available_models == ("placeholder",)
        assert found.user_preferences == {}
    assert sorted(times)[len(times) * 95 // 100] < 0.05


@settings(max_examples=200, deadline=None)
@given(st.text(alphabet="abc ,.", min_size=1, max_size=300), st.integers(1, 20))
def test_complexity_grows_with_words_and_scenes(text: str, scenes: int) -> None:
    assert complexity(text + " more", scenes) >= complexity(text, scenes)
    assert complexity(text, scenes + 1) > complexity(text, scenes) or scenes > 15


@pytest.mark.parametrize(
    ("prompt", "scenes"),
    [
        ("A cat sleeps", 1),
        ("A cat sleeps, then it wakes. Finally it runs", 3),
        ("Paka analala. Kisha anaamka, halafu anakimbia", 3),
        ("INT. ATTIC - NIGHT\nEmma waits.\n\nEXT. STREET - DAY\nShe leaves.", 2),
        ("Then a cat sleeps", 1),
    ],
)
def test_scenes_are_counted(prompt: str, scenes: int) -> None:
    assert count_scenes(prompt) == scenes


async def test_cultural_elements_tell_their_place_in_code_points(analyze: AnalyzePrompt) -> None:
    prompt = "🎬 Simba karibu na Mlima Kenya, a matatu and ugali"
    found = (await analyze(request(prompt))).cultural_elements
    assert [(f.element.id, f.element.kind) for f in found] == [
        ("lion", "wildlife"),
        ("mount_kenya", "place"),
        ("matatu", "word"),
        ("ugali", "food"),
    ]
    assert all(prompt[f.start : f.end] == f.text for f in found)


async def test_a_prompt_without_culture_has_no_elements(analyze: AnalyzePrompt) -> None:
    assert (await analyze(request("A red car in the rain in Berlin"))).cultural_elements == ()


async def test_needs_grow_with_the_picture(analyze: AnalyzePrompt) -> None:
    small = (await analyze(request("A cat, 5 seconds, 480p"))).resource_requirements
    large = (await analyze(request("A cat, 60 seconds, 4K"))).resource_requirements
    assert (small.weight, large.weight) == ("light", "heavy")
    assert small.vram_mib < large.vram_mib


@given(st.lists(st.sampled_from(SENTENCES), min_size=2, max_size=8))
def test_a_text_that_goes_on_is_never_simpler(sentences: list[str]) -> None:
    found = []
    for count in range(1, len(sentences) + 1):
        text = " ".join(sentences[:count])
        found.append((complexity(text, count_scenes(text)), count_scenes(text)))
    assert found == sorted(found)


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"user_preferences": {str(n): "x" for n in range(65)}}, "user_preferences"),
        ({"user_preferences": {"x": "y" * 1_001}}, "user_preferences"),
        ({"available_models": ("x" * 201,)}, "available_models"),
    ],
)
def test_more_than_anybody_needs_is_refused(wrong: dict[str, Any], field: str) -> None:
    with pytest.raises(InvalidArgument, match=field):
        request("A cat", **wrong)


def test_an_unknown_network_state_is_refused() -> None:
    with pytest.raises(InvalidArgument, match="network_status"):
        request("A cat", network_status="slow")
