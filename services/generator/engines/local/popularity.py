"""Which local models are asked for most, over restarts: those are loaded before they are asked."""

import json
from collections import Counter
from collections.abc import Container
from pathlib import Path
from threading import Lock

_MOST = 10_000
"""Counts are halved when one gets here, so that what was popular once does not stay so for ever."""


class Popularity:
    """Counts uses in a file; one that cannot be read counts as empty. For many threads at once."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._uses: Counter[str] = Counter(_read(path))
        self._writing = Lock()

    def used(self, model: str) -> None:
        """Count a use. Raises OSError when the file cannot be written."""
        with self._writing:
            self._uses[model] += 1
            if self._uses[model] >= _MOST:
                self._uses = Counter({name: count // 2 for name, count in self._uses.items()})
            self._path.parent.mkdir(parents=True, exist_ok=True)
            partial = self._path.with_suffix(".part")
            partial.write_text(json.dumps(self._uses))
            partial.replace(self._path)

    def favourites(self, among: Container[str], most: int) -> tuple[str, ...]:
        """Return the models used most, the first most of all; equals by name."""
        with self._writing:
            uses = dict(self._uses)
        ranked = sorted(uses.items(), key=lambda each: (-each[1], each[0]))
        return tuple(name for name, _ in ranked if name in among)[:most]


def _read(path: Path) -> dict[str, int]:
    try:
        found = json.loads(path.read_text())
    except (OSError, ValueError):
        return {}
    if not isinstance(found, dict):
        return {}
    return {name: count for name, count in found.items() if isinstance(count, int) and count > 0}
