"""Message catalogues: files of words for each language, checked when they are read."""

import tomllib
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from string import Formatter
from typing import Any

from services.orchestrator.domain.friendly import Messages
from services.orchestrator.domain.notices import Said, Texts
from services.orchestrator.domain.request import LANGUAGES

HERE = Path(__file__).parent
_TABLES = ("notices", "reasons")


@cache
def load_messages(folder: Path = HERE) -> Mapping[str, Messages]:
    """The friendly words of every language by its code. Raises ValueError naming file and key."""
    return {language: _friendly(folder / f"{language}.toml") for language in LANGUAGES}


@cache
def load_texts(folder: Path = HERE) -> Texts:
    """The sentences of every language. Raises ValueError naming file and key.

    Every language says everything, with the same holes as English.
    """
    files = {language: _read(folder / f"notices_{language}.toml") for language in LANGUAGES}
    wanted = {"notices": set(Said), "reasons": set(files["en"].get("reasons", {}))}
    for language, file in files.items():
        for table in _TABLES:
            _check(f"notices_{language}.toml: {table}", file, files["en"], table, wanted[table])
    return Texts(*({tag: file[table] for tag, file in files.items()} for table in _TABLES))


def _check(
    place: str, file: Mapping[str, Any], english: Mapping[str, Any], table: str, wanted: set[str]
) -> None:
    said: Mapping[str, str] = file.get(table, {})
    wrong = sorted(wanted ^ said.keys())
    wrong += sorted(key for key in wanted & said.keys() if not said[key].strip())
    wrong += sorted(k for k in wanted & said.keys() if _holes(said[k]) != _holes(english[table][k]))
    if wrong:
        message = f"{place}: missing, unknown, empty or with other holes: {', '.join(wrong)}"
        raise ValueError(message)


def _holes(text: str) -> set[str | None]:
    return {name for _, name, _, _ in Formatter().parse(text) if name is not None}


def _friendly(path: Path) -> Messages:
    try:
        return Messages.of(_read(path))
    except ValueError as error:
        message = f"{path.name}: {error}"
        raise ValueError(message) from error


def _read(path: Path) -> dict[str, Any]:
    return tomllib.loads(path.read_text(encoding="utf-8"))
