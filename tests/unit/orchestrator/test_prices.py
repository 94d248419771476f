"""Sizes of pictures have one meaning."""

import pytest

from services.orchestrator.domain.images.painting import largest, smallest
from services.orchestrator.domain.models import Model
from services.orchestrator.domain.prices import lines_of


@pytest.mark.parametrize(
    ("resolution", "lines"),
    [
        ("768p", 768),
        ("1024x576", 576),
        ("2k", 1440),
        ("2K", 1440),
        ("4K", 2160),
        ("8k", 4320),
        ("1080P", 1080),
        ("", 0),
    ],
)
def test_a_resolution_means_so_many_lines(resolution, lines):
    assert lines_of(resolution) == lines


def test_the_smallest_and_the_largest_size_of_a_model_are_told_by_their_lines():
    model = Model(id="any", provider="any", task="image", resolutions=("2K", "1536p", "2048x720"))
    assert (smallest(model), largest(model)) == ("2048x720", "1536p")
    assert smallest(Model(id="any", provider="any", task="image")) == ""
