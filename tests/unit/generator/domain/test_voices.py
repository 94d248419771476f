"""Languages by model, cues as sounds, and leave to clone a voice."""

from dataclasses import replace

import pytest

from services.common.errors import InvalidArgument, PermissionDenied
from services.generator.catalogue.loader import load_catalogue
from services.generator.domain.limits import validate_request
from services.generator.domain.tasks import Json, SpeechTask
from services.generator.domain.voices import (
    BARK_LANGUAGES,
    KOKORO_LANGUAGES,
    XTTS_LANGUAGES,
    bark_text,
    consent_of,
    language_of,
    long_enough,
)


def test_xtts_speaks_exactly_its_seventeen_languages():
    assert set(XTTS_LANGUAGES) == {
        "en", "es", "fr", "de", "it", "pt", "pl", "tr", "ru", "nl", "cs", "ar", "zh-cn", "ja",
        "hu", "ko", "hi",
    }  # fmt: skip
    assert len(XTTS_LANGUAGES) == 17


@pytest.mark.parametrize("table", [XTTS_LANGUAGES, BARK_LANGUAGES, tuple(KOKORO_LANGUAGES)])
def test_nobody_of_them_speaks_swahili(table):
    for asked in ("sw", "sw-KE", "SW_TZ"):
        with pytest.raises(InvalidArgument) as caught:
            language_of(asked, {code: code for code in table}, "it")
        assert caught.value.violations[0].field == "language"
        assert str(sorted(table)[0]) in str(caught.value)


@pytest.mark.parametrize(
    ("asked", "wanted"),
    [("", "en-us"), ("en", "en-us"), ("EN_gb", "en-gb"), ("fr-CA", "fr-fr"), ("pt-PT", "pt-br")],
)
def test_a_language_is_found_by_its_region_or_without(asked, wanted):
    assert language_of(asked, KOKORO_LANGUAGES, "Kokoro") == wanted


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("[laughs] Hello there", "[laughs] Hello there"),
        ("Well (sighs) so be it.", "Well [sighs] so be it."),
        ("[Giggles] Hi [pause] you", "[laughs] Hi … you"),
        ("[clears  throat] Friends", "[clears throat] Friends"),
        ("[groans] My back", "[sighs] ugh… My back"),
        ("[sings] over the river. Then silence.", "♪ over the river. ♪ Then silence."),
        ("[door slams] Who is there?", "Who is there?"),
        ("It costs (about) ten", "It costs (about) ten"),
        ("[anacheka] Habari", "[laughs] Habari"),
        ("see [laughs](https://example.org)", "see [laughs](https://example.org)"),
    ],
)
def test_cues_become_the_sounds_that_bark_knows(line, said):
    assert bark_text(line) == said


def test_a_voice_is_not_cloned_without_a_consent():
    for options in ({}, {"consent": "yes"}, {"consent": {"speaker": "Amina"}},
                    {"consent": {"speaker": " ", "record": "r/1"}}):  # fmt: skip
        with pytest.raises(PermissionDenied):
            consent_of(options)
    given = consent_of({"consent": {"speaker": "Amina Njeri", "record": "consents/2026-41"}})
    assert (given.speaker, given.record) == ("Amina Njeri", "consents/2026-41")


CATALOGUE = load_catalogue()
CONSENT: dict[str, Json] = {"consent": {"speaker": "Amina Njeri", "record": "consents/2026-41"}}


def test_the_catalogue_tells_what_each_voice_speaks():
    spoken = {name: set(CATALOGUE.get(name).languages) for name in ("xtts_v2", "bark", "kokoro")}
    assert spoken["xtts_v2"] == {code.partition("-")[0] for code in XTTS_LANGUAGES}
    assert spoken["bark"] == set(BARK_LANGUAGES)
    assert spoken["kokoro"] == {code.partition("-")[0] for code in KOKORO_LANGUAGES}


@pytest.mark.parametrize("model", ["xtts_v2", "bark", "kokoro"])
def test_swahili_is_refused_before_anything_is_accepted(model):
    for asked in ("sw", "sw-KE"):
        task = SpeechTask(text="habari", language=asked, options={"local": CONSENT})
        with pytest.raises(InvalidArgument) as caught:
            validate_request(CATALOGUE.get(model), task)
        assert caught.value.violations[0].field == "language"


def test_a_clone_is_refused_before_anything_is_accepted_without_consent_or_sample():
    xtts = CATALOGUE.get("xtts_v2")
    with pytest.raises(PermissionDenied):
        validate_request(xtts, SpeechTask(text="hello", voice="assets/a1"))
    agreed: dict[str, Json] = {"local": CONSENT}
    for voice in ("", "Amina", "assets/../x"):
        with pytest.raises(InvalidArgument) as caught:
            validate_request(xtts, SpeechTask(text="hello", voice=voice, options=agreed))
        assert caught.value.violations[0].field == "voice"
    task = SpeechTask(text="hello", voice="assets/a1", language="en-GB", options=agreed)
    assert validate_request(xtts, task).task.options == CONSENT


def test_a_voice_that_a_model_has_not_is_refused():
    model = replace(CATALOGUE.get("kokoro"), voices=("af_heart",))
    validate_request(model, SpeechTask(text="hello", voice="af_heart"))
    with pytest.raises(InvalidArgument, match="af_heart"):
        validate_request(model, SpeechTask(text="hello", voice="nobody"))


def test_a_sample_of_less_than_six_seconds_is_refused():
    long_enough(6.0)
    with pytest.raises(InvalidArgument, match=r"5\.9 s"):
        long_enough(5.9)
