"""docs/providers.md names what there is, and leaves out no vendor."""

import re
from pathlib import Path

from services.generator.catalogue.loader import load_catalogue
from services.generator.providers import adapters
from tests.env_example import render

ROOT = Path(__file__).parents[4]
PAGE = (ROOT / "docs/providers.md").read_text()


def test_every_variable_on_the_page_exists() -> None:
    known = set(re.findall(r"^#?([A-Z0-9_]+)=", render(), re.MULTILINE))
    named = set(re.findall(r"\b([A-Z][A-Z0-9]*_[A-Z0-9_]+)\b", PAGE))
    words = {"RESOURCE_EXHAUSTED", "CIRCUIT_OPEN", "NOT_FOUND", "OPERATION_EXTEND"}
    assert named
    assert sorted(named - known - words) == []


def test_every_variable_that_a_hosted_model_needs_is_on_the_page() -> None:
    hosted = [model for model in load_catalogue() if model.provider in adapters()]
    groups = {group for model in hosted for group in model.credentials}
    prefixes = {name.rpartition("_")[0].partition("_")[0] for group in groups for name in group}
    assert len(prefixes) > 12
    assert sorted(prefix for prefix in prefixes if f"{prefix}_" not in PAGE) == []


def test_the_page_counts_the_providers_right() -> None:
    told = re.search(r"at (\d+) hosted services", PAGE)
    assert told is not None
    assert int(told[1]) == len(adapters())
