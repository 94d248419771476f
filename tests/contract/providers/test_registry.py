"""No provider slips through: each has recordings for what it claims, a catalogue, a short file."""

import inspect
from pathlib import Path

import pytest

from services.generator.providers import adapters
from services.generator.providers.adapter import Signature
from tests.contract.providers.conformance import RECORDINGS, recordings_of
from tests.contract.providers.registry import CATALOGUE, PROVIDERS, first_submission, provider


@pytest.mark.parametrize("name", PROVIDERS)
def test_the_recordings_cover_what_the_adapter_claims(name: str) -> None:
    adapter, told = provider(name), recordings_of(name)
    seen = {one.name.partition("_")[0] for one in told}
    assert {"submit", "refused", "unknown"} <= seen
    assert any(one.name.startswith("refused_unauthenticated") for one in told)
    if "submitted" in seen:
        assert {"running", "succeeded", "failed", "moderated"} <= seen
    else:
        assert "answered" in seen
    assert ("cancel" in seen) is adapter.cancels
    assert ("webhook" in seen) is (adapter.signature is not Signature.NONE)
    submission, _ = first_submission(name)
    assert ("found" in seen) is (adapter.look_up(submission) is not None)


@pytest.mark.parametrize("name", PROVIDERS)
def test_every_provider_is_one_short_file_with_a_catalogue_of_its_own(name: str) -> None:
    path = Path(inspect.getfile(type(provider(name))))
    assert len(path.read_text().splitlines()) <= 120
    assert name == "toy" or [model.id for model in CATALOGUE if model.provider == name]


def test_every_provider_in_the_catalogue_has_an_adapter_or_an_engine() -> None:
    ours = {"reelmesh", "local", "media", "espeak", "synth"}
    assert {model.provider for model in CATALOGUE} - {*adapters()} == ours


def test_a_provider_without_recorded_answers_fails_the_suite(tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match="newcomer has no recorded answers"):
        recordings_of("newcomer", tmp_path)
    assert {path.name for path in RECORDINGS.iterdir()} == {*PROVIDERS}
