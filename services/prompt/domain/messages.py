"""What is said to people, by key and language."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Messages:
    """Texts with holes; every key is there in every language."""

    texts: Mapping[str, Mapping[str, str]]

    def say(self, key: str, language: str, /, **values: object) -> str:
        """The text in the caller's language, or in English where we do not speak it."""
        texts = self.texts[key]
        return texts.get(language, texts["en"]).format(**values)
