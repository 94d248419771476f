"""Tests that share many processes follow each other, and what they share stops behind them."""

from types import SimpleNamespace
from typing import Any

from tests import thrift


def item(name: str, *fixtures: str, **values: Any) -> Any:
    """A test as pytest's hooks see it."""
    return SimpleNamespace(name=name, fixturenames=fixtures, funcargs=values)


class Kept:
    """Something that can rest."""

    def __init__(self) -> None:
        self.rests: list[str] = []

    def rest(self) -> None:
        self.rests.append("rested")


def test_each_group_stands_together_in_a_third_of_its_own_and_no_test_is_lost():
    items = [
        item(f"{n}", "kept_stack" if n % 5 == 0 else "kept_suite" if n % 5 == 1 else "tmp_path")
        for n in range(60)
    ]
    found = thrift.gathered(items, ("kept_stack", "kept_suite"))
    uses = [thrift.fixtures(test) for test in found]
    assert uses[:12] == [("kept_stack",)] * 12
    assert uses[20:32] == [("kept_suite",)] * 12
    assert sorted(int(test.name) for test in found) == list(range(60))
    assert [t.name for t in found[:12]] == [
        t.name for t in items if t.fixturenames == ("kept_stack",)
    ]


def test_tests_that_share_nothing_keep_their_order():
    items = [item(f"{n}") for n in range(10)]
    assert thrift.gathered(items, ("kept_stack", "kept_suite")) == items


def test_what_the_next_test_does_not_use_rests():
    kept = Kept()
    now = item("now", "kept_stack", kept_stack=kept)
    thrift.pytest_runtest_teardown(now, item("next", "kept_stack"))
    assert kept.rests == []
    thrift.pytest_runtest_teardown(now, item("next", "tmp_path"))
    thrift.pytest_runtest_teardown(now, None)
    assert kept.rests == ["rested", "rested"]


def test_a_test_whose_set_up_failed_has_nothing_to_stop():
    thrift.pytest_runtest_teardown(item("now", "kept_stack"), None)
