"""Sizes of pictures have one meaning, and what one costs is the price of its size."""

import pytest

from services.orchestrator.domain.films.estimate import unit_price_micros
from services.orchestrator.domain.images.painting import largest, price_of, smallest
from services.orchestrator.domain.models import Model
from services.orchestrator.domain.prices import Price, PriceTier, lines_of

SIZED = Price(
    kind="per_image",
    tiers=(
        PriceTier(amount_micros=10_000, resolution="1024p"),
        PriceTier(amount_micros=40_000, resolution="4k"),
    ),
)


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


@pytest.mark.parametrize(
    ("resolution", "micros"), [("1024p", 10_000), ("4k", 40_000), ("", 40_000), ("1080p", 10_000)]
)
def test_a_picture_costs_what_its_size_costs_and_the_most_where_none_is_told(resolution, micros):
    model = Model(id="any", provider="any", task="image", price=SIZED)
    assert price_of(model, resolution) == micros
    assert unit_price_micros(SIZED, seconds=0, characters=0, resolution=resolution) == micros
    flat = Price(kind="per_image", amount_micros=3_000)
    assert unit_price_micros(flat, seconds=0, characters=0, resolution=resolution) == 3_000
