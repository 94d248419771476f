"""A benchmark fails by its marks."""

import pytest

from benchmarks.table import Row


@pytest.mark.parametrize(
    ("value", "against", "missed"),
    [
        ("9.9 ms", "< 10 ms", False),
        ("10.0 ms", "< 10 ms", True),
        ("10.8% of a core", "< 5 %", True),
        ("-1.6 %", "<= 3 %", False),
        ("1,204 jobs/s", ">= 1000", False),
        ("0.89 (0.85, 0.89, 0.92)", ">= 0.9", True),
        (".95", ">= 0.9", False),
        ("81 MiB, 76 before", "<= 96 MiB; the script: 70 MiB", False),
        ("it failed", ">= 3", True),
        ("83 MiB/s", "the script: 98 MiB/s", False),
        ("12 s", "", False),
    ],
)
def test_the_first_number_of_a_figure_is_held_against_its_mark(
    value: str, against: str, missed: bool
) -> None:
    assert Row("figure", value, against).missed is missed


@pytest.mark.parametrize(
    ("number", "value", "against", "missed"),
    [
        (2.95, "3.0", ">= 3", True),
        (3.0, "3.0", ">= 3", False),
        (10.4, "10 MiB", "<= 10 MiB", True),
        (9.96, "10.0 ms", "< 10 ms", False),
        (0.0, "none", "<= 3 %", False),
        (float("nan"), "3.0", ">= 3", True),
    ],
)
def test_what_a_figure_was_before_it_was_rounded_is_held_against_its_mark(
    number: float, value: str, against: str, missed: bool
) -> None:
    assert Row("figure", value, against, number).missed is missed
