"""Message catalogues: one file of words for each language, checked when they are read."""

import tomllib
from collections.abc import Mapping
from functools import cache
from pathlib import Path

from services.orchestrator.domain.friendly import Messages
from services.orchestrator.domain.request import LANGUAGES

HERE = Path(__file__).parent


@cache
def load_messages(folder: Path = HERE) -> Mapping[str, Messages]:
    """The words of every language by its code. Raises ValueError naming file and key."""
    return {language: _read(folder / f"{language}.toml") for language in LANGUAGES}


def _read(path: Path) -> Messages:
    try:
        return Messages.of(tomllib.loads(path.read_text(encoding="utf-8")))
    except ValueError as error:
        message = f"{path.name}: {error}"
        raise ValueError(message) from error
