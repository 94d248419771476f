"""The rules of moderation: one file of words, checked when it is read."""

import tomllib
from functools import cache
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from services.orchestrator.domain.moderation import Rule, RulesPack

FILE = Path(__file__).with_name("rules.toml")


class _Row(BaseModel):
    model_config = ConfigDict(extra="forbid")

    category: str
    groups: tuple[tuple[str, ...], ...]
    always: bool = False


class _File(BaseModel):
    model_config = ConfigDict(extra="forbid")

    rules: tuple[_Row, ...]


@cache
def load_rules(path: Path = FILE) -> RulesPack:
    """The rules of a file. Raises ValueError naming what does not hold together."""
    found = _File.model_validate(tomllib.loads(path.read_text(encoding="utf-8")))
    rules = (Rule(category=r.category, groups=r.groups, always=r.always) for r in found.rules)
    return RulesPack(tuple(rules))
