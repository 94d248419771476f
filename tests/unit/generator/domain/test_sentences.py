"""Whatever a generation has to say, it says in every language."""

import ast
from collections.abc import Iterator
from itertools import product
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import services.generator
from services.common.errors import InvalidArgument
from services.generator.catalogue.loader import load_catalogue
from services.generator.domain import sentences as module
from services.generator.domain.limits import Fit, validate_request
from services.generator.domain.models import Need
from services.generator.domain.sentences import (
    LANGUAGES,
    Said,
    found_wrong,
    said,
    sentences,
    told,
)
from services.generator.domain.tasks import Media, VideoTask
from services.generator.media import checks

SOURCE = Path(services.generator.__file__).parent
CATALOGUE = (SOURCE / "domain" / "sentences.toml").read_text(encoding="utf-8")
PICTURE = Media(url="https://example.com/a.png")


def holes(key: Said) -> list[str]:
    return module._holes(sentences()[key]["en"])


@pytest.mark.parametrize("key", list(Said))
def test_every_sentence_is_read_back_and_told_in_every_language(key: Said) -> None:
    values = {name: f"<{name} 1:5>" for name in holes(key)}
    found = told(said(key, **values))
    assert (found.key, dict(found.values)) == (key, values)
    assert set(found.texts) == set(LANGUAGES)
    assert found.texts["en"] == said(key, **values)
    assert found.texts["sw"] != found.texts["en"]
    assert all(value in text for value in values.values() for text in found.texts.values())


@given(
    key=st.sampled_from(list(Said)), texts=st.lists(st.text(max_size=12), min_size=5, max_size=5)
)
def test_no_value_makes_a_sentence_another_one_in_english(key: Said, texts: list[str]) -> None:
    sentence = said(key, **dict(zip(holes(key), texts, strict=False)))
    found = told(sentence)
    assert found.key
    assert found.texts["en"] == sentence


def test_a_sentence_that_nobody_here_says_is_told_as_it_is() -> None:
    found = told("the vendor was closed on Sunday")
    assert (found.key, dict(found.texts)) == ("", {"en": "the vendor was closed on Sunday"})


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("[no_seed]", "[no_seeds]"),
        ('sw = "matokeo yamefika', 'de = "matokeo yamefika'),
        ('sw = "{provider} huenda', 'sw = "huenda'),
        ('en = "{provider} may still', 'en = "{provider} {provider} may still'),
        ("matokeo yamefika baada ya mwisho; yamehifadhiwa", " "),
    ],
)
def test_a_catalogue_that_lacks_anything_is_refused_by_name(old: str, new: str) -> None:
    assert old in CATALOGUE
    with pytest.raises(ValueError, match=r"no_seed|late_result|may_be_billed"):
        sentences(CATALOGUE.replace(old, new))


def _python() -> Iterator[tuple[Path, ast.Module]]:
    for path in sorted(SOURCE.rglob("*.py")):
        yield path, ast.parse(path.read_text(encoding="utf-8"))


def test_every_sentence_is_said_somewhere() -> None:
    used = {
        node.attr
        for _, tree in _python()
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and getattr(node.value, "id", "") == "Said"
    }
    assert used == {key.name for key in Said if not key.startswith("finding_")}


def test_every_kind_of_finding_has_its_sentence() -> None:
    elsewhere = {"misheard", "off_prompt"}
    kinds = {key.removeprefix("finding_") for key in Said if key.startswith("finding_")}
    assert kinds == {*checks._WORST, *elsewhere}
    for key in Said:
        if key.startswith("finding_"):
            values = dict.fromkeys(holes(key), "x")
            assert found_wrong(key.removeprefix("finding_"), **values) == said(key, **values)


def _told_plainly(node: ast.AST) -> bool:
    """Whether words of a language stand in an expression outside of `said`."""
    if isinstance(node, ast.Call):
        return any(map(_told_plainly, [*node.args, *(k.value for k in node.keywords)])) and (
            getattr(node.func, "id", "") not in {"said", "found_wrong"}
        )
    if isinstance(node, ast.JoinedStr):
        return True
    if isinstance(node, ast.Constant):
        return isinstance(node.value, str) and " " in node.value
    return any(map(_told_plainly, ast.iter_child_nodes(node)))


def _warned(tree: ast.Module) -> Iterator[ast.AST]:
    """Every expression that becomes a warning."""
    names = {"warning", "warnings", "notes"}
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            told_by = {"warning", "warnings", "explanation"}
            yield from (k.value for k in node.keywords if k.arg in told_by)
            added = isinstance(node.func, ast.Attribute) and node.func.attr in {"append", "extend"}
            target = getattr(node.func, "value", None)
            if added and getattr(target, "attr", getattr(target, "id", "")) in names:
                yield from node.args
        elif isinstance(node, ast.Assign):
            targets = {getattr(t, "attr", getattr(t, "id", "")) for t in node.targets}
            yield from [node.value] if targets & names else ()


def test_no_warning_is_written_in_one_language_alone() -> None:
    plain = [
        f"{path.relative_to(SOURCE)}:{getattr(node, 'lineno', 0)}"
        for path, tree in _python()
        for node in _warned(tree)
        if _told_plainly(node)
    ]
    assert plain == []
    planted = ast.parse('self.warnings.append(f"{name} was left out")')
    assert [_told_plainly(node) for node in _warned(planted)] == [True]


def test_every_liberty_that_is_taken_for_any_model_is_told_in_every_language() -> None:
    wild: dict[str, Any] = {
        "prompt": "a dhow",
        "duration_seconds": 7.3,
        "aspect_ratio": "3:7",
        "resolution": "2160p",
        "fps": 49,
        "style": "anime",
        "camera_motion": "orbit",
        "negative_prompt": "cars",
    }
    keys = set()
    for model, audio, seed in product(load_catalogue(), (True, False), (5, 2**62)):
        if model.operation.value != "video" or model.inputs.video is Need.REQUIRED:
            continue
        picture = PICTURE if model.inputs.image is Need.REQUIRED else None
        task = VideoTask(**wild, audio=audio, seed=seed, image=picture)
        try:
            checked = validate_request(model, task, Fit.NEAREST)
        except InvalidArgument:
            continue
        for warning in checked.warnings:
            found = told(warning)
            assert found.key, warning
            assert set(found.texts) == set(LANGUAGES)
            keys.add(found.key)
    assert keys >= {
        *("value_taken", "no_seed", "silent_clips", "always_sound", "no_negative_prompt"),
        *("put_in_words", "picture_alone"),
    }


def test_what_is_refused_says_what_is_wrong_and_not_what_would_have_been_done() -> None:
    model = load_catalogue().get("kling")
    task = VideoTask(prompt="a dhow", negative_prompt="cars", duration_seconds=5)
    with pytest.raises(InvalidArgument) as refused:
        validate_request(model, task)
    assert refused.value.violations[0].message.startswith("kling has no negative prompt")
    assert "left out" not in refused.value.message
