"""What a person reads when every rung failed, word for word, and what may be done next."""

import json
from dataclasses import asdict, replace

import pytest
from google.protobuf import json_format
from hypothesis import given
from hypothesis import strategies as st

from reelmesh.orchestrator.v1 import video_service_pb2
from services.orchestrator.adapters.messages import HERE, load_messages, load_texts
from services.orchestrator.convert.requests import video_request
from services.orchestrator.domain.friendly import Messages, friendly
from services.orchestrator.domain.money.budgets import price_difference
from services.orchestrator.domain.options import (
    CacheMode,
    CacheOptions,
    Enhance,
    Facets,
    Fit,
    ImageInput,
    Objective,
    Quality,
    Routing,
)
from services.orchestrator.domain.request import LANGUAGES, VideoRequest
from services.orchestrator.domain.retrying import as_json
from services.orchestrator.domain.values import AttemptState, Candidate, Decision, Failure
from tests.unit.orchestrator.examples import attempt, made, running

GOLDEN = {
    "en": {
        "status": "fallback",
        "message": "Pole sana! Our AI is taking a short break.",
        "cultural_message": "Like climbing Mount Kenya, great things take time! 🏔️",
        "spinner": "kenya_flag_spinner",
        "retry_options": [
            "Try again in a moment",
            "Use offline mode",
            "Browse existing content",
        ],
        "estimated_wait": "A few minutes",
        "support_message": "Harambee! We're working to get you back creating.",
        "offline_message": "",
        "wait_seconds": None,
    },
    "sw": {
        "status": "fallback",
        "message": "Pole sana! Akili bandia yetu inapumzika kidogo.",
        "cultural_message": "Kama kupanda Mlima Kenya, mambo makubwa huchukua muda! 🏔️",
        "spinner": "kenya_flag_spinner",
        "retry_options": [
            "Jaribu tena baada ya muda mfupi",
            "Tumia hali ya nje ya mtandao",
            "Tazama maudhui yaliyopo",
        ],
        "estimated_wait": "Dakika chache",
        "support_message": "Harambee! Tunafanya kazi ili urudi kuunda.",
        "offline_message": "",
        "wait_seconds": None,
    },
}


def failing(job, **facts):
    error = Failure(reason="GENERATION_FAILED", message="no", **facts)
    return replace(job, attempts=(attempt(state=AttemptState.FAILED, error=error),))


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_payload_is_the_first_designs_word_for_word(language):
    found = friendly(failing(running(language=language)), load_messages()[language])
    told = asdict(found) | {"retry_options": [o.label for o in found.retry_options]}
    assert told == GOLDEN[language]


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_language_has_every_word(language, tmp_path):
    whole = (HERE / f"{language}.toml").read_text().splitlines()
    lines = [line for line in whole if not line.startswith("#")]
    assert len(lines) == len(Messages.__dataclass_fields__)
    for other in LANGUAGES:
        (tmp_path / f"{other}.toml").write_text((HERE / f"{other}.toml").read_text())
    for missing in lines:
        rest = "\n".join(line for line in lines if line != missing)
        (tmp_path / f"{language}.toml").write_text(rest)
        key = missing.partition(" ")[0]
        with pytest.raises(ValueError, match=rf"{language}\.toml: .*\b{key}\b"):
            load_messages(tmp_path)


@pytest.mark.parametrize(
    ("seconds", "en", "sw"),
    [
        (5.0, "Less than a minute", "Chini ya dakika moja"),
        (60.0, "Less than a minute", "Chini ya dakika moja"),
        (61.0, "About 2 minutes", "Takriban dakika 2"),
        (600.0, "About 10 minutes", "Takriban dakika 10"),
    ],
)
def test_a_wait_that_is_known_is_told(seconds, en, sw):
    job = failing(running(), retry_after_seconds=seconds)
    words = load_messages()
    assert friendly(job, words["en"]).estimated_wait == en
    assert friendly(job, words["sw"]).estimated_wait == sw
    assert friendly(job, words["en"]).retry_options[0].delay_seconds == seconds


def test_without_a_network_the_person_is_told_what_still_works():
    words = load_messages()["en"]
    lost = failing(running(), metadata={"delivered": "no", "provider": "vendor"})
    assert friendly(lost, words).offline_message == words.offline_message
    routed = Failure(reason="NO_MODEL", message="none", metadata={"offline": "yes"})
    assert friendly(running(), words, routed).offline_message == words.offline_message
    answered = failing(running(), metadata={"provider": "vendor"})
    assert friendly(answered, words).offline_message == ""


def options_of(job):
    found = friendly(job, load_messages()["en"]).retry_options
    return [json.loads(o.request_json) for o in found]


def test_options_are_calls_that_make_one_job_however_often_they_are_chosen():
    job = failing(running(creative_id="c1", duration_seconds=7.5, seed=3))
    again, offline, browse = options_of(job)
    assert (again["requestId"], offline["requestId"]) == ("j1.again", "j1.offline")
    assert (again["creativeId"], again["duration"], again["seed"]) == ("c1", "7.5s", 3)
    assert offline["routing"] == {"localOnly": True, "allowPlaceholder": True}
    assert (offline["model"], offline["fit"]) == ("auto", "FIT_NEAREST")
    assert browse == {"states": ["STATE_SUCCEEDED"]}


word = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=20)
name = st.from_regex(r"[A-Za-z0-9._-]{1,12}", fullmatch=True)
micros = st.none() | st.integers(0, 10**12)
images = st.none() | st.sampled_from(
    [ImageInput(asset="assets/a1"), ImageInput(uri="https://example.com/a.png")]
)


@given(
    asked=st.builds(
        VideoRequest,
        prompt=word.filter(str.strip),
        model=name,
        variations=st.integers(1, 8),
        creative_id=st.just("") | name,
        negative_prompt=word,
        duration_seconds=st.none() | st.integers(1000, 60_000).map(lambda ms: ms / 1000),
        aspect_ratio=st.sampled_from(["", "16:9"]),
        resolution=st.sampled_from(["", "720p"]),
        fps=st.none() | st.integers(1, 60),
        seed=st.none() | st.integers(0, 2**32 - 1),
        style=word,
        camera_motion=st.sampled_from(["", "pan_left"]),
        image=images,
        last_image=images,
        enhance=st.sampled_from(Enhance),
        fit=st.sampled_from(Fit),
        routing=st.builds(
            Routing,
            objective=st.none() | st.sampled_from(Objective),
            order=st.lists(name, max_size=3).map(tuple),
            allow=st.lists(st.sampled_from(["a", "b"]), max_size=2).map(tuple),
            deny=st.lists(st.sampled_from(["c", "d"]), max_size=2).map(tuple),
            max_price_micros=micros,
            local_only=st.booleans(),
            allow_paid=st.booleans(),
            allow_placeholder=st.sampled_from([None, True, False]),
            min_quality=st.none() | st.sampled_from(Quality),
        ),
        cache=st.builds(
            CacheOptions,
            mode=st.sampled_from(CacheMode),
            min_similarity=st.sampled_from([0.0, 0.5, 0.8, 1.0]),
        ),
        project=word,
        budget_limit_micros=micros,
        language=st.sampled_from(LANGUAGES),
        facets=st.builds(
            Facets, characters=st.lists(word, max_size=2).map(tuple), shot_type=word, mood=word
        ),
        labels=st.dictionaries(word, word, max_size=3),
        options=st.sampled_from([{}, {"vendor": {"steps": 4.0, "names": ["a"]}}]),
    )
)
def test_a_request_survives_the_way_to_json_and_back(asked):
    message = video_service_pb2.GenerateVideoRequest()
    json_format.Parse(json.dumps(as_json(asked)), message)
    assert video_request(message) == asked


def test_a_model_that_serves_dearer_than_the_first_says_by_how_much():
    decision = Decision(
        chosen=(
            Candidate(model="cheap", provider="p", reason="", price_micros=50_000),
            Candidate(model="m", provider="p", reason="", price_micros=300_000),
        )
    )
    job = replace(running(), decision=decision, attempts=(made(),))
    assert load_texts().say("en", price_difference(job)) == (
        "m served at $0.30 a clip, $0.25 more than cheap, which failed.",
    )
    assert price_difference(replace(job, attempts=(made(model="cheap"),))) == ()
    assert price_difference(replace(job, decision=None)) == ()
