"""Packs are data: enrichment only where wanted, presets, translation, and every message twice."""

import ast
import re
import string
from dataclasses import replace
from pathlib import Path

import pytest
from pydantic import ValidationError

import services.prompt
from services.common.errors import InvalidArgument
from services.prompt.adapters.rules.reader import RulesReader
from services.prompt.domain.knowledge import Knowledge
from services.prompt.domain.parameters import VideoParameters
from services.prompt.domain.quantified import Enhance, Limits, Provenance, QuantifyRequest
from services.prompt.packs import load_knowledge
from services.prompt.packs.culture_files import PackFile
from services.prompt.usecases.quantify import QuantifyPrompt

SERVICE = Path(services.prompt.__path__[0])
LANDMARK = "A hiker looks up at Mount Kenya"


async def test_a_landmark_is_enriched_only_when_the_pack_is_enabled(
    quantify: QuantifyPrompt,
) -> None:
    plain = await quantify(QuantifyRequest(prompt=LANDMARK))
    enabled = await quantify(QuantifyRequest(prompt=LANDMARK, packs=("kenya",)))
    assert "lobelia" not in plain.prompt
    assert "lobelia" in enabled.prompt
    assert enabled.prompt.startswith(LANDMARK)


async def test_a_prompt_may_ask_for_the_pack_itself(quantify: QuantifyPrompt) -> None:
    asked = await quantify(QuantifyRequest(prompt="A matatu ride, Kenyan style"))
    assert "painted matatu" in asked.prompt


async def test_an_unrelated_prompt_is_the_same_with_and_without_the_pack(
    quantify: QuantifyPrompt,
) -> None:
    prompt = "A red car in the rain in Berlin"
    plain = await quantify(QuantifyRequest(prompt=prompt))
    enabled = await quantify(QuantifyRequest(prompt=prompt, packs=("kenya",)))
    assert plain.prompt == enabled.prompt


async def test_wording_that_hurts_is_answered_with_a_better_one(quantify: QuantifyPrompt) -> None:
    request = QuantifyRequest(prompt="Tribal dancers in Kenya", packs=("kenya",))
    result = await quantify(request)
    assert result.prompt.startswith("Tribal dancers in Kenya")
    assert 'other words for "Tribal"' in result.warnings[0]


async def test_off_is_never_enriched(quantify: QuantifyPrompt) -> None:
    request = QuantifyRequest(prompt=LANDMARK, packs=("kenya",), preset="news", enhance=Enhance.OFF)
    assert (await quantify(request)).prompt == LANDMARK


async def test_a_preset_sets_what_the_caller_left_open(quantify: QuantifyPrompt) -> None:
    request = QuantifyRequest(
        prompt="A hiker at a lake",
        preset="mount_kenya_dawn",
        parameters=VideoParameters(mood="tense"),
    )
    result = await quantify(request)
    assert result.parameters.mood == "tense"
    assert result.parameters.time_of_day == "dawn"
    assert result.parameters.landscapes == ("Mount Kenya",)
    assert result.provenance["time_of_day"] is Provenance.PRESET
    assert result.provenance["mood"] is Provenance.CALLER
    assert "peaks of Mount Kenya at first light" in result.prompt


async def test_a_preset_gives_way_to_the_model_and_tells_where_the_words_say_otherwise(
    quantify: QuantifyPrompt,
) -> None:
    asked = QuantifyRequest(
        prompt="A news desk, close-up", preset="news", language="en", limits=Limits(fps=(24,))
    )
    result = await quantify(asked)
    assert result.provenance["fps"] is Provenance.PRESET
    assert result.parameters.fps == 24
    assert result.parameters.shot_type == "medium"
    told = [text for text in result.warnings if "preset" in text]
    assert told == [
        'The preset sets shot_type to "medium" but the text says "close_up"; "medium" was kept.'
    ]
    mine = replace(asked, parameters=VideoParameters(shot_type="wide", fps=60), limits=None)
    assert (await quantify(mine)).parameters.fps == 60
    assert not [text for text in (await quantify(mine)).warnings if "preset" in text]


async def test_a_frame_and_a_length_that_the_words_name_are_not_the_presets(
    quantify: QuantifyPrompt,
) -> None:
    result = await quantify(QuantifyRequest(prompt="A dhow, 1:1, 60 fps, 7 s", preset="news"))
    read = result.parameters
    assert (read.aspect_ratio, read.fps, read.duration_seconds) == ("1:1", 60, 7)
    assert {result.provenance[name] for name in ("aspect_ratio", "fps")} == {Provenance.RULES}


@pytest.mark.parametrize(
    ("request_", "field"),
    [({"preset": "nope"}, "preset"), ({"packs": ("atlantis",)}, "packs")],
)
async def test_a_preset_or_pack_that_is_not_installed_is_refused(
    request_: dict[str, object], field: str, quantify: QuantifyPrompt
) -> None:
    with pytest.raises(InvalidArgument) as refused:
        await quantify(QuantifyRequest(prompt="A cat", **request_))  # type: ignore[arg-type]  # checked on building
    assert refused.value.violations[0].field == field


def test_the_presets_of_the_design_are_there(knowledge: Knowledge) -> None:
    assert {"news", "offline", "cartoon", "anime", "basic", "cinematic"} <= set(knowledge.presets)
    assert sum(name.startswith("mount_kenya") for name in knowledge.presets) >= 3


def test_another_country_is_a_file_and_no_code() -> None:
    file = PackFile.model_validate(
        {
            "pack": "iceland",
            "elements": {
                "geysir": {
                    "kind": "place",
                    "words": ["geysir"],
                    "phrase": {"en": "steam", "sw": "mvuke"},
                }
            },
        }
    )
    assert file.culture().elements[0].pattern.search("at Geysir today")


ICELAND = """
pack: iceland
asks: ["in iceland"]
elements:
  geysir:
    kind: place
    words: [geysir]
    phrase: {en: "a column of steam", sw: "mvuke unaopanda"}
presets:
  black_beach:
    display_name: {en: Black beach, sw: Ufukwe mweusi}
    phrase: {en: "black sand under low clouds", sw: "mchanga mweusi chini ya mawingu"}
    parameters: {mood: mysterious}
"""


async def test_a_file_in_the_operators_folder_is_a_pack(
    tmp_path: Path, reader: RulesReader
) -> None:
    (tmp_path / "iceland.yaml").write_text(ICELAND, encoding="utf-8")
    knowledge = load_knowledge(tmp_path)
    quantify = QuantifyPrompt(reader=reader, knowledge=knowledge)
    made = await quantify(QuantifyRequest(prompt="A hiker at Geysir", packs=("iceland",)))
    assert "a column of steam" in made.prompt
    assert knowledge.presets["black_beach"].pack == "iceland"
    assert "kenya" in knowledge.packs


def test_the_pack_in_the_documentation_is_one(tmp_path: Path) -> None:
    page = (SERVICE.parents[1] / "docs" / "prompts.md").read_text(encoding="utf-8")
    found = re.search(r"```yaml\n(.*?)```", page, re.DOTALL)
    assert found is not None
    (tmp_path / "iceland.yaml").write_text(found[1], encoding="utf-8")
    assert "geysir" in {e.id for e in load_knowledge(tmp_path).packs["iceland"].elements}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (ICELAND.replace("pack: iceland", "pack: kenya"), "kenya is there already"),
        (ICELAND.replace("black_beach", "news"), "news is there already"),
        (ICELAND.replace("kind: place", "kind: planet"), "elements.geysir.kind"),
        (ICELAND.replace(', sw: "mvuke unaopanda"', ""), "elements.geysir.phrase.sw"),
        ("{", "line 1"),
    ],
)
def test_a_pack_that_cannot_be_read_is_named_at_start(
    text: str, words: str, tmp_path: Path
) -> None:
    (tmp_path / "own.yaml").write_text(text, encoding="utf-8")
    with pytest.raises(ValueError, match=r"^own\.yaml: ") as refused:
        load_knowledge(tmp_path)
    assert words in str(refused.value)


@pytest.mark.parametrize(
    "broken",
    [
        {"kind": "planet", "words": ["x"], "phrase": {"en": "a", "sw": "b"}},
        {"kind": "place", "words": ["x"], "phrase": {"en": "a"}},
        {"kind": "place", "words": ["x"], "phrase": {"en": "a", "sw": "b"}, "extra": 1},
    ],
)
def test_a_broken_pack_is_refused(broken: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        PackFile.model_validate({"pack": "p", "elements": {"e": broken}})


def test_every_message_is_there_in_english_and_swahili_with_the_same_holes(
    knowledge: Knowledge,
) -> None:
    def holes(text: str) -> set[str | None]:
        return {name for _, name, _, _ in string.Formatter().parse(text) if name}

    for key, texts in knowledge.messages.texts.items():
        assert set(texts) == {"en", "sw"}, key
        assert holes(texts["en"]) == holes(texts["sw"]), key


def test_every_message_that_the_code_says_is_there_and_none_is_left_over(
    knowledge: Knowledge,
) -> None:
    said: set[str] = set()
    written: set[str] = set()
    for path in SERVICE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                written.add(node.value)
            if isinstance(node, ast.Call) and node.args and isinstance(node.args[0], ast.Constant):
                name = ast.unparse(node.func).rpartition(".")[2]
                said |= {str(node.args[0].value)} if name in {"Notice", "say"} else set()
    assert len(said) > 10
    assert said - knowledge.messages.texts.keys() == set()
    assert knowledge.messages.texts.keys() - written == set()


def test_every_value_that_the_rules_find_has_a_phrase_in_both_languages(
    knowledge: Knowledge,
) -> None:
    for lexicon in knowledge.lexicons.values():
        for field in ("style", "mood", "time_of_day", "camera_motion", "shot_type"):
            for value in lexicon.fields[field].values:
                for other in knowledge.lexicons.values():
                    assert other.phrase(field, value), (field, value, other.language)


async def test_swahili_is_translated_for_a_model_that_needs_english(
    quantify: QuantifyPrompt,
) -> None:
    prompt = 'Simba anatembea msituni usiku, sekunde 8, Wanjiku anasema "karibu nyumbani"'
    result = await quantify(QuantifyRequest(prompt=prompt, limits=Limits(languages=("en",))))
    assert result.original == prompt
    assert result.prompt.startswith("Lion" if result.prompt[0].isupper() else "lion")
    assert "walks in the forest at night" in result.prompt
    assert '"karibu nyumbani"' in result.prompt
    assert "Wanjiku" in result.prompt
    assert "word by word" in result.warnings[0] or "neno kwa neno" in result.warnings[0]
    assert result.language == "sw"


async def test_a_model_that_knows_swahili_gets_swahili(quantify: QuantifyPrompt) -> None:
    request = QuantifyRequest(
        prompt="Simba anatembea msituni", limits=Limits(languages=("sw", "en"))
    )
    assert (await quantify(request)).prompt.startswith("Simba anatembea msituni")


async def test_a_language_that_nobody_can_translate_is_warned_of(quantify: QuantifyPrompt) -> None:
    prompt = "Un chien joue dans le parc avec un enfant pendant que le soleil brille"
    result = await quantify(QuantifyRequest(prompt=prompt, limits=Limits(languages=("en",))))
    assert result.prompt.startswith(prompt)
    assert any('"fr"' in warning for warning in result.warnings)
