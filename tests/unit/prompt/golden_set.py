"""Reads the golden prompts and scores a reader against them, field by field."""

from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from services.prompt.domain.parameters import FIELDS
from services.prompt.domain.ports import Reader

FOLDER = Path(__file__).parent / "golden"


@dataclass
class Score:
    """Right and wrong answers; `said` counts only fields that the prompt or the reader fills."""

    prompts: int = 0
    right: Counter[str] = field(default_factory=Counter)
    total: Counter[str] = field(default_factory=Counter)
    said_right: int = 0
    said: int = 0
    wrong: list[str] = field(default_factory=list)

    @property
    def accuracy(self) -> float:
        return sum(self.right.values()) / sum(self.total.values())

    @property
    def said_accuracy(self) -> float:
        return self.said_right / self.said

    def table(self) -> str:
        return "  ".join(f"{n} {self.right[n] / self.total[n]:.0%}" for n in self.total)


def load(prefix: str) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    for path in sorted(FOLDER.glob(f"{prefix}_*.yaml")):
        rows += yaml.safe_load(path.read_text(encoding="utf-8"))
    return rows


def score(reader: Reader, rows: list[dict[str, Any]]) -> Score:
    result = Score(prompts=len(rows))
    for row in rows:
        reading = reader.read(row["prompt"])
        _count(result, row, "language", row.get("language", "en"), reading.language)
        for name in FIELDS:
            actual: Any = reading.parameters.get(name)
            if name in reading.implied:
                actual = ""
            _count(result, row, name, _plain(row.get(name)), _plain(actual))
    return result


def _count(result: Score, row: dict[str, Any], name: str, expected: Any, actual: Any) -> None:
    same = expected == actual
    result.total[name] += 1
    result.right[name] += same
    if expected or actual:
        result.said += 1
        result.said_right += same
    if not same:
        result.wrong.append(f"{row['prompt'][:70]!r} {name}: expected {expected!r}, got {actual!r}")


def _plain(value: Any) -> Any:
    if isinstance(value, list | tuple):
        return sorted(value) or None
    return value or None
