"""Words that a shot is read from, in English, Swahili and a few more languages.

Latin words match whole words (a final plural s is dropped); other scripts match as substrings.
"""

import itertools
import re
import tomllib
from pathlib import Path

_TABLES: dict[str, dict[str, str]] = tomllib.loads(
    Path(__file__).with_suffix(".toml").read_text(encoding="utf-8")
)
_WORD = re.compile(r"[^\W\d_]+(?:['’-][^\W\d_]+)*")


class Words:
    """The words of one prompt, ready to be asked what they mean."""

    def __init__(self, prompt: str) -> None:
        text = prompt.casefold()[:4000]
        self._text = text
        whole = _WORD.findall(text)
        parts = [part for word in whole for part in re.split(r"[-'’]", word)]
        joined = {f"{a}-{b}" for a, b in itertools.pairwise(parts)}
        joined |= {"-".join(parts[i : i + 3]) for i in range(len(parts) - 2)}
        self._words = set(whole) | set(parts) | joined
        self._words |= {word[:-1] for word in self._words if word.endswith("s")}
        self._words |= {word[:-2] for word in self._words if word.endswith("ni")}  # Swahili: at, in

    def all(self, table: str) -> list[str]:
        """Return every meaning of the table found in the prompt, in the table's order."""
        return [
            name for name, words in _TABLES[table].items() if any(map(self._has, words.split()))
        ]

    def first(self, table: str, default: str = "") -> str:
        """Return the table's first meaning found, or the default."""
        return next(iter(self.all(table)), default)

    def _has(self, word: str) -> bool:
        return word in self._words if word[0] < "\u0250" else word in self._text
