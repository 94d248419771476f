"""Everything that is said to people in jobs and films is there in every language."""

import ast
from pathlib import Path

import pytest
from pydantic import TypeAdapter

from reelmesh.errors.v1 import error_reason_pb2
from services.common.errors import GenerationFailed
from services.orchestrator.adapters.messages import HERE, load_texts
from services.orchestrator.domain.notices import Because, Notice, Said, Warned
from services.orchestrator.domain.request import LANGUAGES

SERVICE = HERE.parents[1]
REASONS = {name.removeprefix("ERROR_REASON_") for name in error_reason_pb2.ErrorReason.keys()[1:]}


def test_every_sentence_and_every_reason_is_there_in_every_language() -> None:
    texts = load_texts()
    assert set(texts.sentences) == set(texts.reasons) == set(LANGUAGES)
    for language in LANGUAGES:
        assert set(texts.sentences[language]) == set(Said)
        assert set(texts.reasons[language]) == REASONS
    for key in set(Said) - {Said.BLOCKED}:  # which is its reason alone
        assert texts.sentences["en"][key] != texts.sentences["sw"][key], key


@pytest.mark.parametrize(
    ("change", "named"),
    [
        (lambda text: text.replace("only_cached = ", "only_kept = "), "only_cached, only_kept"),
        (lambda text: text.replace("{why}", "{who}"), "only_cached"),
        (lambda text: text.replace("MODERATED = ", "MODERATE = "), "MODERATE, MODERATED"),
        (lambda text: text.replace('cut_plainly = "', 'cut_plainly = ""\nx = "'), "cut_plainly"),
    ],
)
def test_a_catalogue_that_lacks_something_is_refused_by_file_and_key(
    change: object, named: str, tmp_path: Path
) -> None:
    for language in LANGUAGES:
        text = (HERE / f"notices_{language}.toml").read_text()
        text = change(text) if language == "sw" else text  # type: ignore[operator]  # a lambda above
        (tmp_path / f"notices_{language}.toml").write_text(text)
    with pytest.raises(ValueError, match=rf"notices_sw\.toml.*{named}"):
        load_texts(tmp_path)


def test_every_key_is_said_somewhere_and_nothing_is_told_in_words_of_the_code() -> None:
    said: set[str] = set()
    words: list[str] = []
    for path in SERVICE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Attribute) and ast.unparse(node.value) == "Said":
                said.add(node.attr)
            if isinstance(node, ast.keyword) and node.arg in {"warning", "warnings"}:
                words += [f"{path.name}: {ast.unparse(node.value)}"] if _spoken(node) else []
    assert said == {key.name for key in Said}
    assert words == []


def _spoken(keyword: ast.keyword) -> bool:
    """Whether a sentence stands in the code itself."""
    texts = (n for n in ast.walk(keyword.value) if isinstance(n, ast.Constant))
    return any(isinstance(n.value, str) and len(n.value.split()) > 1 for n in texts)


def test_a_reason_is_told_in_full_in_english_and_by_its_meaning_elsewhere() -> None:
    error = GenerationFailed("vendor said: no")
    notice = Notice(Said.TASK_MISSING, {"task": "s1", "why": Because.of(error)})
    texts = load_texts()
    assert texts.say("en", [notice]) == ("s1 is missing: vendor said: no",)
    assert texts.say("sw", [notice]) == ("s1 haipo: modeli haikuweza kuitengeneza",)
    assert texts.say("fr", [notice]) == texts.say("en", [notice])
    assert texts.say("en", [notice, "as it is", "as it is", ""])[1:] == ("as it is",)


def test_notices_survive_where_films_are_kept() -> None:
    kept = TypeAdapter(tuple[Warned, ...])
    told: tuple[Warned, ...] = (
        "a sentence of before",
        Notice(
            Said.CUT, parts=(Notice(Said.CUT_PLAINLY), Notice(Said.CUT_WITHOUT, {"shots": "s"}))
        ),
        Notice(Said.TASK_MISSING, {"task": "s", "why": Because("INTERNAL", "no")}),
    )
    assert kept.validate_json(kept.dump_json(told)) == told
    assert len(load_texts().say("sw", told)) == 3
