"""Signs, cosines, and one ranking of two."""

import math
import random
from datetime import UTC, datetime

import pytest

from services.storage.domain.assets import Asset, AssetState, Description, Lineage
from services.storage.domain.facets import Facets
from services.storage.domain.keys import ObjectKey
from services.storage.domain.vectors import (
    MAX_TEXT,
    NEARNESS,
    cosine,
    merged,
    packed,
    signs,
    text_of,
)


def test_a_sign_is_one_bit_padded_to_whole_bytes() -> None:
    assert signs((0.5, -0.5, 0.0, 0.1)) == bytes([0b10010000])
    assert signs((0.1,) * 8 + (-0.1, 0.1)) == bytes([0xFF, 0b01000000])


def test_a_packed_vector_has_the_cosine_that_it_had() -> None:
    one, other = (0.6, 0.8), (0.8, -0.6)
    assert cosine(one, packed(one)) == pytest.approx(1.0)
    assert cosine(one, packed(other)) == pytest.approx(0.0, abs=1e-6)


def test_signs_put_the_nearest_among_four_times_as_many_as_are_wanted() -> None:
    chance = random.Random(7)

    def unit(numbers: list[float]) -> tuple[float, ...]:
        length = math.hypot(*numbers)
        return tuple(number / length for number in numbers)

    def any_one() -> tuple[float, ...]:
        return unit([chance.gauss(0, 1) for _ in range(256)])

    themes = [any_one() for _ in range(20)]
    texts = [
        unit([a + 0.06 * chance.gauss(0, 1) for a in themes[number % 20]]) for number in range(1000)
    ]
    found = 0
    for theme in themes:
        exact = sorted(texts, key=lambda text: -math.fsum(map(float.__mul__, text, theme)))[:10]
        bits = int.from_bytes(signs(theme), "big")
        chosen = sorted(
            texts, key=lambda text: (int.from_bytes(signs(text), "big") ^ bits).bit_count()
        )
        found += len(set(exact) & set(chosen[:40]))
    assert found >= 190, "of 200"


def test_both_rankings_count_and_what_has_no_vector_goes_by_its_words() -> None:
    words = {"both": 0.5, "words": 0.9, "chance": 0.1}
    near = {"both": 0.5, "near": 0.8, "chance": 0.2, "far": -0.3}
    ranked = merged(words, near)
    assert [asset for asset, _ in ranked] == ["words", "near", "both", "chance"]
    scores = dict(ranked)
    assert scores["both"] == pytest.approx(0.5)
    assert scores["words"] == 0.9
    assert scores["near"] == pytest.approx(NEARNESS * 0.8)
    assert all(0 < score <= 1 for score in scores.values())


def test_equals_are_ranked_newest_first_and_rounding_never_goes_over_one() -> None:
    assert merged({}, {"a": 1.0000001, "b": 1.0}) == [("b", NEARNESS), ("a", NEARNESS)]
    assert merged({"a": 1.0}, {"a": 1.0000001}) == [("a", 1.0)]


def test_an_embedder_reads_facets_labels_and_prompt_up_to_a_bound() -> None:
    told = Description(
        content_type="video/mp4",
        facets=Facets(characters=("Emma",), mood="calm"),
        labels={"campaign": "winter"},
        lineage=Lineage(prompt="snow " * 3000),
    )
    asset = Asset(
        id="a", tenant="acme", state=AssetState.STORED, key=ObjectKey("a", 1, "mp4"),
        description=told, request_id="r", fingerprint="f",
        create_time=datetime(2026, 11, 1, tzinfo=UTC),
    )  # fmt: skip
    text = text_of(asset)
    assert text.startswith("emma ; calm ; video ; winter ; snow snow")
    assert len(text) == MAX_TEXT
