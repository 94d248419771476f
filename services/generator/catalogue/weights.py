"""Which repository holds the weights of a local model, and why some have none."""

import tomllib
from collections.abc import Mapping
from functools import cache
from pathlib import Path

FILE = Path(__file__).with_name("weights.toml")


def repositories(path: Path = FILE) -> Mapping[str, str]:
    """Return `owner/name` by the model's id."""
    return _tables(path)["repositories"]


def reasons(path: Path = FILE) -> Mapping[str, str]:
    """Return why a model has no repository and what to do instead, by the model's id."""
    return _tables(path)["reasons"]


@cache
def _tables(path: Path) -> Mapping[str, Mapping[str, str]]:
    return tomllib.loads(path.read_text(encoding="utf-8"))
