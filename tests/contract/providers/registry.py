"""Every provider that the suite runs over: those of the product, and the toy."""

from services.generator.catalogue.loader import load_catalogue
from services.generator.domain.models import Model
from services.generator.providers import adapters
from services.generator.providers.adapter import Adapter, Submission
from tests.contract.providers import toy
from tests.contract.providers.conformance import (
    SECRET,
    Recording,
    adapter_of,
    recordings_of,
    submission_of,
)

CATALOGUE = load_catalogue()
PROVIDERS = [*adapters(), "toy"]


def provider(name: str) -> Adapter:
    return toy.Toy(api_key=SECRET) if name == "toy" else adapter_of(name)


def model_of(recording: Recording) -> Model:
    return toy.MODEL if recording.provider == "toy" else CATALOGUE.get(recording.told["model"])


def first_submission(name: str) -> tuple[Submission, list[Recording]]:
    """Return the submission that the recorded answers belong to, and all recordings."""
    told = recordings_of(name)
    asked = {one.name: one for one in told if one.name.startswith("submit_")}
    first = asked.get("submit_text") or next(iter(asked.values()))
    return submission_of(first, model_of(first)), told
