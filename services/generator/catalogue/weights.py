"""Which repository holds the weights of a local model."""

import tomllib
from collections.abc import Mapping
from functools import cache
from pathlib import Path

FILE = Path(__file__).with_name("weights.toml")


@cache
def repositories(path: Path = FILE) -> Mapping[str, str]:
    """Return `owner/name` by the model's id."""
    found: dict[str, str] = tomllib.loads(path.read_text(encoding="utf-8"))["repositories"]
    return found
