"""A prompt that was quantified before is made ready for a model; nothing is lost in silence."""

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from services.common.errors import InvalidArgument
from services.common.wording import units
from services.generator.domain.limits import Fit, validate_request
from services.prompt.adapters.rules.reader import RulesReader
from services.prompt.domain.knowledge import Knowledge
from services.prompt.domain.language_model import Draft, LanguageModelFailedError
from services.prompt.domain.parameters import NOTHING_SAID, VideoParameters
from services.prompt.domain.quantified import (
    Backend,
    CompileRequest,
    Enhance,
    Limits,
    Provenance,
    Quantified,
    QuantifyRequest,
)
from services.prompt.usecases.compile import CompilePrompt
from services.prompt.usecases.quantify import QuantifyPrompt
from tests.unit.prompt.test_compiling import (
    LONG,
    MODELS,
    REQUESTS,
    Remembering,
    limits_of,
    task_of,
)

pytestmark = pytest.mark.timeout(60)
SWAHILI = "Simba anatembea savana usiku, bila watu"


class Translator:
    """A language model that translates everything to one sentence, or fails."""

    def __init__(self, answer: str = "", *, fails: bool = False) -> None:
        self.answer = answer
        self.fails = fails
        self.asked: list[str] = []

    async def quantify(
        self, text: str, *, enhance: bool, translate_to: str = "", patience: float | None = None
    ) -> Draft:
        self.asked.append(translate_to)
        if self.fails:
            raise LanguageModelFailedError("away")
        spent = Backend(source="llm", model="m", tokens=7, cost_micros=3)
        return Draft(
            parameters=NOTHING_SAID, prompt=self.answer, language=translate_to, backend=spent
        )


@pytest.fixture(scope="module")
def remembering(reader: RulesReader) -> Remembering:
    return Remembering(reader)


@pytest.fixture(scope="module")
def compiling(remembering: Remembering, knowledge: Knowledge) -> CompilePrompt:
    return CompilePrompt(reader=remembering, knowledge=knowledge)


@pytest.fixture(scope="module")
def quantified(remembering: Remembering, knowledge: Knowledge) -> dict[str, Quantified]:
    quantify = QuantifyPrompt(reader=remembering, knowledge=knowledge)

    async def all_of_them() -> dict[str, Quantified]:
        return {name: await quantify(QuantifyRequest(**asked)) for name, asked in REQUESTS.items()}

    return asyncio.run(all_of_them())


def said(prompt: str, language: str = "en", **parameters: Any) -> Quantified:
    """A prompt whose parameters the caller has set."""
    return Quantified(
        original=prompt,
        prompt=prompt,
        language=language,
        parameters=VideoParameters(**parameters),
        provenance=dict.fromkeys(parameters, Provenance.CALLER),
    )


def order(quantified: Quantified, **limits: Any) -> CompileRequest:
    return CompileRequest(quantified=quantified, limits=Limits(**limits))


@pytest.mark.parametrize("name", sorted(MODELS))
async def test_every_model_accepts_what_was_compiled_for_it(
    name: str, compiling: CompilePrompt, quantified: dict[str, Quantified]
) -> None:
    model = MODELS[name]
    for request, found in quantified.items():
        made = await compiling(CompileRequest(quantified=found, limits=limits_of(model)))
        checked = validate_request(model, task_of(made, model), Fit.NEAREST)
        assert made.original == found.original
        assert not any("added to the prompt" in told for told in checked.warnings), request
        if limits_of(model).text and not model.placeholder and request == "swahili":
            assert made.prompt_language == "en"
            assert "lion" in made.prompt.lower()
            assert "simba" not in made.prompt.lower()


async def test_the_same_prompt_is_compiled_to_the_same_words(
    compiling: CompilePrompt, quantified: dict[str, Quantified]
) -> None:
    limits = Limits(max_prompt_characters=300, negative_prompt=False, languages=("en",))
    for found in quantified.values():
        request = CompileRequest(quantified=found, limits=limits)
        assert await compiling(request) == await compiling(request)


async def test_words_that_may_not_be_changed_are_sent_as_they_are(compiling: CompilePrompt) -> None:
    found = said(SWAHILI, "sw", style="anime", camera_motion="orbit", negative_prompt="magari")
    request = replace(order(found, languages=("en",), negative_prompt=False), enhance=Enhance.OFF)
    made = await compiling(request)
    assert made.prompt == SWAHILI
    assert made.prompt_language == ""
    assert len(made.warnings) == 4  # three that are lost, and a language that is not understood
    assert all(word in " ".join(made.warnings) for word in ("anime", "orbit", "magari"))
    assert all("Modeli" in told for told in made.warnings)


async def test_what_the_words_say_already_is_not_said_twice(compiling: CompilePrompt) -> None:
    found = replace(
        said("Slow pan left over a lake"),
        parameters=VideoParameters(camera_motion="pan_left"),
        provenance={"camera_motion": Provenance.RULES},
    )
    made = await compiling(order(found))
    assert (made.prompt, made.warnings) == ("Slow pan left over a lake", ())
    assert made.parameters.camera_motion == ""
    kept = await compiling(order(found, camera_motion=True))
    assert kept.parameters.camera_motion == "pan_left"


async def test_what_has_no_field_goes_into_the_words_and_outlives_a_cut(
    compiling: CompilePrompt,
) -> None:
    found = said(LONG[:2_000], style="anime", camera_motion="pan_left", negative_prompt="cars")
    made = await compiling(order(found, max_prompt_characters=400, negative_prompt=False))
    assert made.prompt.endswith("Style: anime. Camera: pan left. Avoid: cars.")
    assert units(made.prompt) <= 400
    assert len(made.warnings) == 4


async def test_the_limit_is_used_to_the_last_character(compiling: CompilePrompt) -> None:
    exactly = "x" * 1_000
    made = await compiling(order(said(exactly), max_prompt_characters=1_000))
    assert (made.prompt, made.warnings) == (exactly, ())


async def test_what_is_fixed_does_not_give_way(compiling: CompilePrompt) -> None:
    found = said("A cat", duration_seconds=7.0, fps=60)
    request = replace(order(found, durations=(5.0,), max_fps=30.0), fixed=frozenset({"fps"}))
    made = await compiling(request)
    assert (made.parameters.duration_seconds, made.parameters.fps) == (5.0, 60)
    assert len(made.warnings) == 1


async def test_a_rate_within_a_range_stays_and_one_outside_is_brought_to_its_edge(
    compiling: CompilePrompt,
) -> None:
    for asked, used in ((24, 24), (4, 8), (120, 60)):
        made = await compiling(order(said("A cat", fps=asked), min_fps=8.0, max_fps=60.0))
        assert made.parameters.fps == used
        assert bool(made.warnings) == (asked != used)


async def test_swahili_and_what_was_added_to_it_are_translated_for_who_needs_english(
    compiling: CompilePrompt, knowledge: Knowledge, quantify: QuantifyPrompt
) -> None:
    asked = QuantifyRequest(
        prompt=SWAHILI,
        enhance=Enhance.ON,
        parameters=VideoParameters(negative_prompt="magari na watu", style="cinematic"),
    )
    found = await quantify(asked)
    assert found.prompt != SWAHILI
    made = await compiling(order(found, languages=("en",)))
    assert made.prompt_language == "en"
    assert made.prompt.startswith("Lion walks savannah at night, without people, ")
    assert made.parameters.negative_prompt == "cars and people"
    assert any("neno kwa neno" in told for told in made.warnings)
    assert made.original == SWAHILI


async def test_a_language_model_translates_better_and_its_cost_is_told(
    remembering: Remembering, knowledge: Knowledge
) -> None:
    model = Translator("A lion walks over the savannah at night, without people")
    compiling = CompilePrompt(reader=remembering, knowledge=knowledge, model=model)
    made = await compiling(order(said(SWAHILI, "sw"), languages=("en", "zh")))
    assert made.prompt == model.answer
    assert (made.backend.tokens, made.backend.cost_micros) == (7, 3)
    assert model.asked == ["en"]
    english = await compiling(order(said("A lion"), languages=("en",)))
    assert english.prompt == "A lion"
    assert model.asked == ["en"]  # nothing else asks it


@pytest.mark.parametrize(
    "model", [Translator("A tiger"), Translator(fails=True)], ids=["loses the negation", "is away"]
)
async def test_a_translation_of_no_use_gives_way_to_the_word_list(
    model: Translator, remembering: Remembering, knowledge: Knowledge
) -> None:
    compiling = CompilePrompt(reader=remembering, knowledge=knowledge, model=model)
    made = await compiling(order(said(SWAHILI, "sw"), languages=("en",)))
    assert "without people" in made.prompt
    assert made.prompt_language == "en"
    assert len(made.warnings) == 2


async def test_a_language_that_nobody_here_translates_is_sent_with_a_warning(
    compiling: CompilePrompt,
) -> None:
    made = await compiling(order(said("Ein Löwe in der Savanne", "de"), languages=("en",)))
    assert made.prompt == "Ein Löwe in der Savanne"
    assert 'may not understand "de"' in made.warnings[0]


async def test_a_model_that_reads_no_words_needs_no_translation(compiling: CompilePrompt) -> None:
    made = await compiling(order(said(SWAHILI, "sw"), text=False, languages=("en",)))
    assert made.prompt == SWAHILI
    assert len(made.warnings) == 1


def test_what_is_fixed_must_be_a_parameter() -> None:
    with pytest.raises(InvalidArgument, match="fixed"):
        CompileRequest(quantified=said("A cat"), limits=Limits(), fixed=frozenset({"colour"}))
