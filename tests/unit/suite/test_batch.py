"""The file of a batch: JSON or a line each, every fault in it told at once."""

import json

import pytest

from services.common.errors import InvalidArgument
from services.suite.commands.batch import requests_in

ROWS = [
    {"prompt": "a heron", "duration": "5s", "requestId": "r1"},
    {"prompt": "a dhow", "variations": 2, "routing": {"localOnly": True}},
]


@pytest.mark.parametrize(
    "content",
    [
        json.dumps(ROWS),
        json.dumps(ROWS, indent=2),
        "\n".join(map(json.dumps, ROWS)),
        "\ufeff" + "\n\n".join(map(json.dumps, ROWS)) + "\n",
    ],
)
def test_a_list_and_lines_say_the_same(content: str):
    first, second = requests_in(content.encode())

    assert (first.prompt, first.duration.seconds, first.request_id) == ("a heron", 5, "r1")
    assert (second.variations, second.routing.local_only) == (2, True)


def test_every_faulty_line_is_named():
    lines = ['{"prompt": "fine"}', "{", '{"promt": "x"}', "[1]", '{"variations": "many"}']

    with pytest.raises(InvalidArgument) as told:
        requests_in("\n".join(lines).encode())

    assert [v.field for v in told.value.violations] == ["line 2", "line 3", "line 4", "line 5"]


def test_a_list_that_is_no_json_and_a_row_that_is_no_object_are_named():
    with pytest.raises(InvalidArgument, match="file"):
        requests_in(b"[{]")
    with pytest.raises(InvalidArgument, match="row 1"):
        requests_in(b"[1]")
