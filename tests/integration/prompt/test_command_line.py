"""`reelmesh prompt` and `reelmesh script` as a person uses them, without a suite running."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from services.suite.cli import app

pytestmark = pytest.mark.timeout(60)

ATTIC = Path(__file__).parents[2] / "unit" / "prompt" / "scripts" / "attic.fountain"


def reelmesh(*arguments: str, text: str | None = None) -> Result:
    environment = {"COLUMNS": "200", "PROMPT_ADDRESS": "", "PROMPT_LLM_MODEL": ""}
    return CliRunner().invoke(app, [*arguments, "--env-file", "none"], input=text, env=environment)


def test_a_prompt_is_told_with_where_everything_came_from_and_what_feedback_changed() -> None:
    answer = reelmesh(
        "prompt", "A dhow at sunset, slow pan left", "--duration", "6", "--feedback",
        "warmer, no people, zorble it",
    )  # fmt: skip
    lines = answer.output.splitlines()

    assert answer.exit_code == 0
    assert lines[0].startswith("A dhow at sunset, slow pan left, cinematic")
    rows = {" ".join(line.split()) for line in lines}
    assert {
        "duration 6 s you set it",
        "camera motion pan left your words say it",
        "fps 24 the default",
    } <= rows
    assert any(line.startswith("negative prompt") and '"no people"' in line for line in lines)
    assert '! This part of the feedback was not understood: "zorble it".' in lines
    assert lines[-1] == "English · understood by rules"


def test_a_prompt_in_json_is_for_programs() -> None:
    answer = reelmesh("prompt", "Simba savana usiku, sekunde 8", "--json")

    found = json.loads(answer.output)
    assert found["language"] == "sw"
    assert found["parameters"]["duration"] == "8s"
    assert found["provenance"]["duration"] == "rules"


def test_a_script_is_told_scene_by_scene_with_its_characters() -> None:
    answer = reelmesh("script", str(ATTIC))

    assert answer.exit_code == 0
    assert answer.output.startswith("The Attic\n3 scenes, 6 shots, about 30 s\n")
    assert "1. INT. ATTIC - NIGHT  attic · night · 3 shots" in answer.output
    assert "Emma Jones: [laughs] Tom! You nearly killed me." in answer.output
    assert "   4  aerial · static · 2.6 s  Aerial view of a busy street." in answer.output


def test_a_brief_script_leaves_the_shots_out_and_reads_standard_input() -> None:
    answer = reelmesh("script", "-", "--brief", text=ATTIC.read_text(encoding="utf-8"))

    assert "3. INT. HOSPITAL - DAWN" in answer.output
    assert "Emma Jones" in answer.output
    assert "Karibu" not in answer.output


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["prompt", ""], "prompt: must not be empty"),
        (["prompt", "a cat", "--preset", "nope"], "cinematic"),
        (["prompt", "a cat", "--set", "x"], "animal=lion"),
        (["script", "/does/not/exist"], "No such file"),
        (["script", "/dev/null"], "script: must not be empty"),
    ],
)
def test_what_cannot_work_is_refused_with_words_that_help(arguments: list[str], words: str) -> None:
    answer = reelmesh(*arguments)

    assert answer.exit_code in {2, 4}
    assert words in answer.output + answer.stderr


def test_a_file_that_is_no_text_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.pdf").write_bytes(b"%PDF\xff\xfe")
    answer = reelmesh("script", str(tmp_path / "a.pdf"))

    assert answer.exit_code == 2
    assert "not UTF-8 text (at byte 4)" in answer.stderr
