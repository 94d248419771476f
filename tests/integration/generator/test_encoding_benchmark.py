"""The measurement of encoding runs, and what it says of ours is so."""

from pathlib import Path

import pytest

from benchmarks import encoding


def test_our_encoder_keeps_the_picture_and_writes_what_plays_at_once(tmp_path: Path) -> None:
    ours = encoding.cost("ours", tmp_path, 9, 128, 96)
    assert ours.decibel > 33
    assert ours.plays_at_once
    assert ours.cpu > 0
    assert ours.memory > 0


@pytest.mark.stress
@pytest.mark.xdist_group("torch")
@pytest.mark.timeout(300)  # imports diffusers
def test_both_are_measured_side_by_side(tmp_path: Path) -> None:
    rows = {row.name.strip(): row for row in encoding.rows(9, 128, 96)}
    assert rows["plays before it is whole: ours, stock"].value == "yes, no"
    assert "of stock's" in rows["encoding 9 frames of 128x96, CPU"].value
