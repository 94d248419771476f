"""How what is in storage is told of in a terminal."""

from datetime import timedelta

import pytest

from services.suite.commands.gallery import _lasting


@pytest.mark.parametrize(
    ("kept", "told"),
    [
        (timedelta(days=30), "for 30 days"),
        (timedelta(days=1), "for 1 day"),
        (timedelta(hours=12), "for 12 hours"),
        (timedelta(hours=36), "for 36 hours"),
        (timedelta(minutes=1), "for 1 minute"),
        (timedelta(seconds=90), "for 90 seconds"),
        (timedelta(days=20, seconds=1), "for 1728001 seconds"),
    ],
)
def test_a_retention_is_told_in_the_largest_unit_in_which_it_is_whole(
    kept: timedelta, told: str
) -> None:
    assert _lasting(kept) == told
