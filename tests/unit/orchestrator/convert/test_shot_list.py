"""Shots as JSON: the example, every fault at once, and the schema that is published."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.common.errors import InvalidArgument
from services.orchestrator.convert.shot_list import schema, shot_source
from services.orchestrator.domain.films.shots import Line

ROOT = Path(__file__).parents[4]
EXAMPLE = (ROOT / "examples/five_shots.json").read_text()


def faults(data):
    """Field and message of every fault."""
    with pytest.raises(InvalidArgument) as refused:
        shot_source(data if isinstance(data, str) else json.dumps(data))
    return {v.field: v.message for v in refused.value.violations}


def shot(**facts):
    return {"shot_id": "a", "prompt": "A lighthouse"} | facts


def test_the_example_is_read():
    found = shot_source(EXAMPLE)
    assert found.title == "The attic"
    assert [s.shot_id for s in found.shots] == [f"shot_00{n}" for n in range(1, 6)]
    first = found.shots[0]
    assert (first.duration_seconds, first.characters, first.shot_type) == (5.0, ("Emma",), "wide")
    assert first.lines == (Line(text="Emma climbs to a forgotten room."),)
    assert found.shots[1].background
    assert found.shots[4].transition == "fade_black"


def test_a_bare_list_is_shots_as_well():
    assert [s.shot_id for s in shot_source(json.dumps([shot()])).shots] == ["a"]


def test_every_fault_is_named_at_once():
    bad = {
        "shots": [
            shot(duration=0.5, colour="red"),
            {"shot_id": "b c", "prompt": ""},
            shot(camera_motion="fly", seed=-1, characters=["x" * 200]),
        ]
    }
    found = faults(bad)
    assert set(found) == {
        "shots[0].duration",
        "shots[0].colour",
        "shots[1].shot_id",
        "shots[1].prompt",
        "shots[2].camera_motion",
        "shots[2].seed",
        "shots[2].characters[0]",
    }
    assert "allowed: shot_id, prompt, duration" in found["shots[0].colour"]
    assert "pan_left" in found["shots[2].camera_motion"]


@pytest.mark.parametrize(("text", "place"), [
    ("{", "source.shots_json"),
    ("[" * 100_000, "source.shots_json"),
    ("[]", "shots"),
    ('{"shots": []}', "shots"),
    ('{"film": 1}', "shots"),
    ("3", "shots"),
    ("null", "shots"),
])  # fmt: skip
def test_what_is_no_list_of_shots_is_refused(text, place):
    assert place in faults(text)


def test_ids_that_are_taken_are_named_with_who_has_them():
    found = faults([shot(), shot(), shot(shot_id="b"), shot()])
    assert found == {
        "shots[1].shot_id": "'a' is taken by shots[0]",
        "shots[3].shot_id": "'a' is taken by shots[0]",
    }


def test_a_file_that_is_too_large_is_refused():
    assert "source.shots_json" in faults(json.dumps([shot(prompt="x" * 2_000_001)]))


@pytest.mark.parametrize(("facts", "lines"), [
    ({"dialogue": "Hello"}, (Line(text="Hello"),)),
    ({"dialogue": "Hello", "characters": ["Emma"]}, (Line(text="Hello", speaker="Emma"),)),
    ({"dialogue": "Hello", "characters": ["Emma", "Otto"]}, (Line(text="Hello"),)),
    (
        {"narration": "Once", "dialogue": [{"speaker": "Emma", "text": "Hi"}, {"text": "So"}]},
        (Line(text="Once"), Line(text="Hi", speaker="Emma"), Line(text="So")),
    ),
    ({"narration": "  "}, ()),
])  # fmt: skip
def test_words_become_lines_with_their_speakers(facts, lines):
    (found,) = shot_source(json.dumps([shot(**facts)])).shots
    assert found.lines == lines


def test_a_bad_line_of_dialogue_is_named():
    found = faults([shot(dialogue=[{"speaker": "Emma"}, {"text": "x", "loud": True}])])
    assert {"shots[0].dialogue[0].text", "shots[0].dialogue[1].loud"} <= set(found)


def test_models_of_a_shot_are_named_by_task():
    named = {"image_provider": "p", "video_provider": "v", "audio_provider": "s"}
    (found,) = shot_source(json.dumps([shot(**named)])).shots
    assert found.providers == {"image": "p", "animation": "v", "audio": "s"}


json_values = st.recursive(
    st.none() | st.booleans() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["shots", "shot_id", "prompt", "duration", "dialogue", "x"]),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@given(json_values)
def test_any_json_is_read_or_refused_with_a_place(value):
    refused: tuple[str, ...] = ()
    try:
        found = len(shot_source(json.dumps(value)).shots)
    except InvalidArgument as error:
        found, refused = 0, tuple(violation.field for violation in error.violations)
    assert bool(found) != bool(refused)
    assert all(refused)


def test_the_published_schema_is_that_of_the_reader():
    published = json.loads((ROOT / "docs/schemas/shots.schema.json").read_text())
    assert published == schema(), "run `make schemas`"


def test_the_schema_knows_every_field_and_describes_it():
    fields = schema()["$defs"]["ShotFile"]["properties"]
    assert {"shot_id", "prompt", "duration", "narration", "video_provider"} <= set(fields)
    assert [name for name, facts in fields.items() if not facts.get("description")] == []
