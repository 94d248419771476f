"""Exact keys: the same request has the same key, any other has another one."""

from dataclasses import replace

import pytest

from services.orchestrator.domain.cache.keys import exact_key, shape_key
from services.orchestrator.domain.options import (
    CacheOptions,
    Enhance,
    Facets,
    Fit,
    ImageInput,
    Objective,
    Operation,
    Routing,
    VideoInput,
)
from tests.unit.orchestrator.examples import WANTED, request


def key(asked, *, tenant="acme", model="auto", iteration=1, references=None):
    return exact_key(tenant, asked, model=model, iteration=iteration, references=references or {})


CHANGES = {
    "prompt": "a lighthouse at dawn",
    "negative_prompt": "people",
    "duration_seconds": 6.0,
    "aspect_ratio": "9:16",
    "resolution": "1080p",
    "fps": 30,
    "seed": 7,
    "style": "noir",
    "camera_motion": "orbit",
    "enhance": Enhance.OFF,
    "fit": Fit.NEAREST,
    "facets": Facets(mood="calm"),
    "options": {"vendor": {"audio": True}},
    "routing": Routing(objective=Objective.QUALITY),
}


@pytest.mark.parametrize("field", CHANGES)
def test_any_field_that_changes_the_clip_changes_the_key(field):
    assert key(request(**{field: CHANGES[field]})) != key(request())


@pytest.mark.parametrize(
    "changes",
    [
        {"creative_id": "c1"},
        {"project": "spring"},
        {"budget_limit_micros": 5},
        {"labels": {"a": "b"}},
        {"language": "sw"},
        {"variations": 4},
        {"cache": CacheOptions(min_similarity=0.9)},
        {"routing": Routing(max_price_micros=10)},
    ],
)
def test_who_pays_and_who_is_told_does_not(changes):
    assert key(request(**changes)) == key(request())


def test_tenant_model_and_references_are_part_of_it():
    plain = key(request())
    assert key(request(), tenant="other") != plain
    assert key(request(), model="veo") != plain
    assert key(request(), references={"image": "ab"}) != plain
    assert key(request(), references={"image": "ab"}) != key(
        request(), references={"last_image": "ab"}
    )


def test_a_picture_is_known_by_its_bytes_and_not_by_where_it_lies():
    here = request(image=ImageInput(uri="https://a.example/cat.png"))
    there = request(image=ImageInput(uri="https://b.example/the-cat.png?signed=1"))
    assert key(here, references={"image": "d1"}) == key(there, references={"image": "d1"})
    assert key(here, references={"image": "d1"}) != key(here, references={"image": "d2"})


def test_parts_that_join_to_the_same_text_are_not_the_same():
    assert key(request(prompt="ab", negative_prompt="c")) != key(
        request(prompt="a", negative_prompt="bc")
    )


def test_order_does_not_matter_where_it_means_nothing():
    one = request(routing=Routing(allow=("a", "b")), facets=Facets(characters=("x", "y")))
    two = request(routing=Routing(allow=("b", "a")), facets=Facets(characters=("y", "x")))
    assert key(one) == key(two)


def test_variations_are_known_by_their_seed_where_there_is_one():
    assert key(request(seed=5), iteration=2) == key(request(seed=6), iteration=1)
    assert key(request(), iteration=2) != key(request(), iteration=1)


def test_what_routing_may_choose_from_does_not_matter_to_a_named_model():
    one = request(model="veo", routing=Routing(objective=Objective.QUALITY))
    assert key(one, model="veo") == key(request(model="veo"), model="veo")


def test_the_shape_leaves_out_the_words_alone():
    def shape(asked, wanted=WANTED):
        return shape_key("acme", asked, wanted, references={})

    assert shape(request(prompt="anything else")) == shape(request())
    assert shape(request(), replace(WANTED, duration_seconds=6.0)) != shape(request())
    assert shape(request(), replace(WANTED, aspect_ratio="1:1")) != shape(request())
    assert shape(request(negative_prompt="people")) != shape(request())
    assert shape(request(negative_prompt=" No  People ")) == shape(
        request(negative_prompt="no people")
    )
    assert shape_key("other", request(), WANTED, references={}) != shape(request())


def test_what_is_done_to_a_clip_is_part_of_what_a_request_is_known_by():
    clip, references = VideoInput(asset="assets/a"), {"video": "digest"}
    keys = {
        key(request(video=clip, operation=operation), references=references)
        for operation in (Operation.EXTEND, Operation.REMIX)
    }
    keys |= {key(request()), key(request(video=clip, operation=Operation.EXTEND))}
    assert len(keys) == 4
