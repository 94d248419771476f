"""QuantifyPrompt by rules: who wins, what is warned of, what a model's limits do."""

import pytest

from services.common.errors import InvalidArgument
from services.prompt.domain.parameters import VideoParameters
from services.prompt.domain.quantified import Enhance, Limits, Provenance, QuantifyRequest
from services.prompt.usecases.quantify import QuantifyPrompt


async def test_the_caller_wins_and_hears_of_the_conflict(quantify: QuantifyPrompt) -> None:
    result = await quantify(
        QuantifyRequest(
            prompt="A 5 second anime sunset",
            parameters=VideoParameters(duration_seconds=10, style="documentary"),
        )
    )
    assert result.parameters.duration_seconds == 10
    assert result.parameters.style == "documentary"
    assert result.provenance["duration_seconds"] is Provenance.CALLER
    assert result.provenance["time_of_day"] is Provenance.RULES
    assert result.provenance["fps"] is Provenance.DEFAULT
    assert result.warnings == (
        'You set duration_seconds to "10" but the text says "5"; "10" was kept.',
        'You set style to "documentary" but the text says "anime"; "documentary" was kept.',
    )


async def test_the_same_value_written_otherwise_is_no_conflict(quantify: QuantifyPrompt) -> None:
    request = QuantifyRequest(
        prompt="close-up of a bee", parameters=VideoParameters(shot_type="Close-Up")
    )
    assert (await quantify(request)).warnings == ()


async def test_warnings_speak_the_callers_language(quantify: QuantifyPrompt) -> None:
    request = QuantifyRequest(
        prompt="Video ya sekunde 5 ya simba akitembea",
        parameters=VideoParameters(duration_seconds=8),
    )
    assert (await quantify(request)).warnings[0].startswith("Umeweka duration_seconds")
    english = QuantifyRequest(prompt=request.prompt, parameters=request.parameters, language="en")
    assert (await quantify(english)).warnings[0].startswith("You set")


async def test_the_original_is_kept_byte_for_byte(quantify: QuantifyPrompt) -> None:
    prompt = "  A dog\r\n\t🐕 na paka…  "
    result = await quantify(QuantifyRequest(prompt=prompt, enhance=Enhance.ON))
    assert result.original == prompt


async def test_more_variations_than_are_made_at_once_are_capped(quantify: QuantifyPrompt) -> None:
    result = await quantify(QuantifyRequest(prompt="Give me 20 variations of a red car"))
    assert result.parameters.variations == 8
    assert result.warnings == ("The text asks for 20 variations; at most 8 are made at once.",)


@pytest.mark.parametrize("prompt", ["", "   ", "x" * 20_001])
def test_a_prompt_without_words_or_too_long_is_refused(prompt: str) -> None:
    with pytest.raises(InvalidArgument) as refused:
        QuantifyRequest(prompt=prompt)
    assert refused.value.violations[0].field == "prompt"


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("duration_seconds", -1.0),
        ("duration_seconds", 0.0),
        ("aspect_ratio", "16x9"),
        ("aspect_ratio", "16:0"),
        ("resolution", "big"),
        ("fps", 1000),
        ("fps", -1),
        ("quality", "superb"),
        ("variations", 9),
        ("style", "x" * 101),
        ("negative_prompt", "x" * 5001),
        ("characters", ("",)),
    ],
)
def test_parameters_cannot_be_built_wrong(field: str, value: object) -> None:
    with pytest.raises(InvalidArgument) as refused:
        VideoParameters(**{field: value})  # type: ignore[arg-type]  # checked on building
    assert refused.value.violations[0].field.startswith("parameters.")


LIMITS = Limits(
    max_prompt_characters=120,
    negative_prompt=False,
    durations=(4, 8),
    aspect_ratios=("16:9", "9:16"),
    resolutions=("720p", "1080p"),
    languages=("en",),
)


async def test_a_prompt_is_compiled_for_what_the_model_takes(quantify: QuantifyPrompt) -> None:
    result = await quantify(
        QuantifyRequest(
            prompt="A 7 second square video of a cat in 4K",
            parameters=VideoParameters(negative_prompt="blur, dogs"),
            limits=LIMITS,
        )
    )
    assert result.parameters.duration_seconds == 8
    assert result.parameters.aspect_ratio in LIMITS.aspect_ratios
    assert result.parameters.resolution == "1080p"
    assert "Avoid: blur, dogs." in result.prompt
    assert len(result.prompt) <= 120
    assert any("negative" in warning for warning in result.warnings)
    assert any("7 s" in warning for warning in result.warnings)
    assert any("2160p" in warning for warning in result.warnings)


async def test_a_default_gives_way_to_the_model_without_a_word(quantify: QuantifyPrompt) -> None:
    limits = Limits(durations=(6, 10), aspect_ratios=("1:1",), resolutions=("1080p",))
    result = await quantify(QuantifyRequest(prompt="A cat", limits=limits))
    assert result.parameters.duration_seconds == 6
    assert result.parameters.aspect_ratio == "1:1"
    assert result.warnings == ()


async def test_a_prompt_that_is_too_long_is_cut_at_a_word_with_a_warning(
    quantify: QuantifyPrompt,
) -> None:
    prompt = "a red car drives " * 20
    limits = Limits(max_prompt_characters=100)
    cut = await quantify(QuantifyRequest(prompt=prompt, limits=limits))
    assert len(cut.prompt) <= 100
    assert prompt.startswith(cut.prompt)
    assert prompt[len(cut.prompt)] == " "
    assert cut.warnings
    off = await quantify(QuantifyRequest(prompt=prompt, limits=limits, enhance=Enhance.OFF))
    assert off.prompt == prompt
    assert off.warnings


async def test_a_negative_prompt_that_may_not_be_written_is_reported(
    quantify: QuantifyPrompt,
) -> None:
    result = await quantify(
        QuantifyRequest(
            prompt="A cat",
            parameters=VideoParameters(negative_prompt="dogs"),
            enhance=Enhance.OFF,
            limits=Limits(negative_prompt=False),
        )
    )
    assert result.prompt == "A cat"
    assert "dogs" in result.warnings[0]
