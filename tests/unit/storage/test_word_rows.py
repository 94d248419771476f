"""Rows of the full-text index lie in the order of ids, whatever somebody sends for an id."""

import random
from itertools import pairwise

import pytest

from services.common.ids import new_id
from services.storage.adapters.word_rows import ROWS, newest_rows, rows_of

TIMES = ("0000000000", "01m81mnq1b", "01m81mnq1c", "01m81mnq20", "7zzzzzzzzz")


def test_rows_lie_in_the_order_of_the_milliseconds_and_never_overlap() -> None:
    chance = random.Random(7)
    found = [rows_of(time + f"{chance.getrandbits(60):016x}") for time in TIMES]
    assert all(each["last_row"] == each["first_row"] + ROWS - 1 for each in found)
    for one, next_one in pairwise(found):
        assert one["last_row"] < next_one["first_row"]
    assert found[-1]["last_row"] < 2**63


def test_ids_of_one_millisecond_share_its_rows() -> None:
    now = new_id()
    assert rows_of(now) == rows_of(now[:10] + "z" * 16)


def test_a_page_counts_what_is_surely_older_and_looks_at_what_may_be() -> None:
    before = newest_rows(TIMES[2] + "0" * 16, 20)
    assert before["counted_row"] == rows_of(TIMES[1])["last_row"]
    assert before["last_row"] == rows_of(TIMES[2])["last_row"]
    assert before["but_one"] == 19
    assert newest_rows("", 20)["counted_row"] > rows_of(TIMES[-1])["last_row"]


@pytest.mark.parametrize("made_up", ["z", "ZZZZZZZZZZZZZZZZZZ", "-~", "ééééééééééé", "z" * 500])
def test_what_is_no_id_has_rows_as_well(made_up: str) -> None:
    found = rows_of(made_up)
    assert 0 <= found["first_row"] < found["last_row"] < 2**63
