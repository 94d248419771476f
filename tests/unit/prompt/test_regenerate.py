"""Feedback: what changes, why, and what was not understood."""

from dataclasses import replace

import pytest

from services.common.errors import InvalidArgument
from services.prompt.adapters.rules.reader import RulesReader
from services.prompt.domain.feedback import Regenerated, RegenerateRequest
from services.prompt.domain.knowledge import Knowledge
from services.prompt.domain.quantified import Quantified, QuantifyRequest
from services.prompt.packs import load_feedback
from services.prompt.usecases.quantify import QuantifyPrompt
from services.prompt.usecases.regenerate import RegeneratePrompt


@pytest.fixture(scope="module")
def regenerate(reader: RulesReader, knowledge: Knowledge) -> RegeneratePrompt:
    return RegeneratePrompt(reader=reader, knowledge=knowledge, rules=load_feedback())


@pytest.fixture
async def sunset(quantify: QuantifyPrompt) -> Quantified:
    return await quantify(QuantifyRequest(prompt="Create a cool video of a sunset"))


def fields(made: Regenerated) -> dict[str, tuple[str, str]]:
    return {c.because: (c.field, c.after) for c in made.changes}


async def test_slower_warmer_no_people(regenerate: RegeneratePrompt, sunset: Quantified) -> None:
    made = await regenerate(
        RegenerateRequest(previous=sunset, feedback="slower, warmer, no people")
    )
    assert made.iteration == 2
    assert made.parent_iteration == 1
    assert fields(made) == {
        "slower": ("prompt", "slow, unhurried movement"),
        "warmer": ("prompt", "warm colours"),
        "no people": ("negative_prompt", "people"),
    }
    assert made.quantified.prompt.startswith(sunset.prompt)
    assert made.quantified.parameters.negative_prompt == "people"
    assert made.quantified.original == sunset.original
    assert made.not_understood == ()


async def test_three_rounds_give_iterations_and_lineage(
    regenerate: RegeneratePrompt, sunset: Quantified
) -> None:
    previous, iteration = sunset, 1
    for feedback in ("slower", "make it longer", "faster"):
        made = await regenerate(
            RegenerateRequest(
                previous=previous, feedback=feedback, iteration=iteration, creative_id="c-1"
            )
        )
        assert (made.parent_iteration, made.iteration) == (iteration, iteration + 1)
        assert made.creative_id == "c-1"
        previous, iteration = made.quantified, made.iteration
    assert iteration == 4
    assert previous.parameters.duration_seconds == 8
    assert "unhurried" not in previous.prompt
    assert "fast, lively movement" in previous.prompt


@pytest.mark.parametrize(
    ("feedback", "field", "value"),
    [
        ("make it 8 seconds", "duration_seconds", 8),
        ("too long", "duration_seconds", 3),
        ("vertical please", "aspect_ratio", "9:16"),
        ("in 4K", "resolution", "2160p"),
        ("anime style instead", "style", "anime"),
        ("at night", "time_of_day", "night"),
        ("closer", "shot_type", "close_up"),
        ("wider", "shot_type", "full"),
        ("zoom in", "camera_motion", "zoom_in"),
        ("steadier", "camera_motion", "static"),
        ("happier", "mood", "joyful"),
        ("without text or logos", "negative_prompt", "text, logos"),
        ("iwe sekunde 12", "duration_seconds", 12),
        ("bila watu", "negative_prompt", "watu"),
        ("furaha zaidi", "mood", "joyful"),
    ],
)
async def test_common_feedback_changes_one_parameter(
    feedback: str, field: str, value: object, regenerate: RegeneratePrompt, sunset: Quantified
) -> None:
    made = await regenerate(RegenerateRequest(previous=sunset, feedback=feedback))
    assert made.quantified.parameters.get(field) == value
    assert field in {change.field for change in made.changes}
    assert made.not_understood == ()


async def test_a_new_time_of_day_takes_the_old_light_away(
    regenerate: RegeneratePrompt, sunset: Quantified
) -> None:
    made = await regenerate(RegenerateRequest(previous=sunset, feedback="at night"))
    assert "golden hour" not in made.quantified.prompt
    assert "sunset" not in made.quantified.prompt
    assert "moonlight" in made.quantified.prompt


async def test_what_is_not_understood_is_named(
    regenerate: RegeneratePrompt, sunset: Quantified
) -> None:
    made = await regenerate(
        RegenerateRequest(previous=sunset, feedback="slower, frobnicate the gizmo")
    )
    assert made.not_understood == ("frobnicate the gizmo",)
    assert "frobnicate the gizmo" in made.quantified.warnings[0]
    assert made.quantified.prompt.endswith("slow, unhurried movement")


async def test_negatives_add_up(regenerate: RegeneratePrompt, sunset: Quantified) -> None:
    first = await regenerate(RegenerateRequest(previous=sunset, feedback="no people"))
    second = await regenerate(RegenerateRequest(previous=first.quantified, feedback="no cars"))
    assert second.quantified.parameters.negative_prompt == "people, cars"


async def test_feedback_cannot_multiply_the_variations(
    regenerate: RegeneratePrompt, sunset: Quantified
) -> None:
    made = await regenerate(RegenerateRequest(previous=sunset, feedback="make 8 variations"))
    assert made.quantified.parameters.variations == sunset.parameters.variations


async def test_a_thousand_wishes_are_not_all_looked_at_and_the_rest_is_named(
    regenerate: RegeneratePrompt, sunset: Quantified
) -> None:
    request = RegenerateRequest(previous=sunset, feedback="slower," + "q," * 900)
    made = await regenerate(request)
    assert made.quantified.prompt.endswith("slow, unhurried movement")
    assert len(made.not_understood) == 900


def test_a_prompt_that_nobody_could_have_made_is_refused(sunset: Quantified) -> None:
    with pytest.raises(InvalidArgument, match=r"previous\.prompt"):
        RegenerateRequest(previous=replace(sunset, prompt="x" * 30_001), feedback="slower")


@pytest.mark.parametrize(("feedback", "iteration"), [("", 1), ("x" * 2001, 1), ("slower", -1)])
def test_bad_requests_are_refused(feedback: str, iteration: int, sunset: Quantified) -> None:
    with pytest.raises(InvalidArgument):
        RegenerateRequest(previous=sunset, feedback=feedback, iteration=iteration)
