"""Languages, messages, culture packs and presets: data, and the code that reads it."""

from collections.abc import Iterator, Mapping
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any

import yaml

from services.prompt.domain.culture import Pack, Preset
from services.prompt.domain.feedback import FeedbackRules
from services.prompt.domain.knowledge import Knowledge
from services.prompt.domain.lexicon import Lexicon
from services.prompt.domain.messages import Messages
from services.prompt.domain.names import NameBook
from services.prompt.domain.translation import WordList
from services.prompt.packs.culture_files import PackFile
from services.prompt.packs.feedback_file import FeedbackFile
from services.prompt.packs.schema import LanguageFile, NamesFile
from services.prompt.packs.word_list_file import WordListFile

_HERE = files("services.prompt.packs")


def load_knowledge(more: Path | None = None) -> Knowledge:
    """Everything at once; `more` is a folder with culture packs of the operator's own.

    Raises:
        ValueError: a file of that folder is no pack, or names what another one has; says which.
    """
    own = {path.name: _pack(path) for path in sorted(more.glob("*.yaml"))} if more else {}
    packs, presets = load_cultures(), load_presets()
    for name, file in own.items():
        twice = {file.pack} & packs.keys() | file.presets.keys() & presets.keys()
        if twice:
            msg = f"{name}: {', '.join(sorted(twice))} is there already"
            raise ValueError(msg)
        packs[file.pack] = file.culture()
        presets |= {preset.id: preset for preset in file.all_presets()}
    lexicons = load_lexicons()
    added = [*_phrases(lexicons), *(preset.phrase for preset in presets.values())]
    added += [element.phrase for pack in packs.values() for element in pack.elements]
    return Knowledge(
        lexicons=lexicons,
        names=load_names(),
        messages=load_messages(),
        packs=packs,
        presets=presets,
        word_lists=tuple(words.knowing(added) for words in load_word_lists()),
    )


def _phrases(lexicons: Mapping[str, Lexicon]) -> Iterator[Mapping[str, str]]:
    """What enhancing may add, in each language."""
    keys = {
        (name, value)
        for lex in lexicons.values()
        for name, of in lex.phrases.items()
        for value in of
    }
    for name, value in sorted(keys):
        yield {tag: lexicon.phrase(name, value) for tag, lexicon in lexicons.items()}


def _pack(path: Path) -> PackFile:
    try:
        return PackFile.model_validate(_read(path))
    except (ValueError, yaml.YAMLError) as error:
        msg = f"{path.name}: {error}"
        raise ValueError(msg) from error


def load_word_lists() -> tuple[WordList, ...]:
    """Every list for translating word by word."""
    return tuple(
        WordListFile.model_validate(_read(path)).word_list() for path in _yaml_in("translation")
    )


def load_feedback() -> FeedbackRules:
    """The common vocabulary of feedback."""
    return FeedbackFile.model_validate(_read(_HERE / "feedback.yaml")).feedback_rules()


def load_lexicons() -> dict[str, Lexicon]:
    """Every language that the rules speak, by its tag."""
    phrases = _read(_HERE / "phrases.yaml")
    found = (LanguageFile.model_validate(_read(path)) for path in _yaml_in("language"))
    return {file.language: file.lexicon(phrases) for file in found}


def load_messages() -> Messages:
    """Everything that the service says to people."""
    return Messages(_read(_HERE / "messages.yaml"))


def load_names() -> NameBook:
    """Proper names that rules may trust."""
    return NamesFile.model_validate(_read(_HERE / "names.yaml")).book()


def load_cultures() -> dict[str, Pack]:
    """Every culture pack, by its id."""
    packs = (PackFile.model_validate(_read(path)).culture() for path in _yaml_in("culture"))
    return {pack.id: pack for pack in packs}


def load_presets() -> dict[str, Preset]:
    """Every preset of every pack, by its id."""
    paths = [*_yaml_in("presets"), *_yaml_in("culture")]
    presets = (p for path in paths for p in PackFile.model_validate(_read(path)).all_presets())
    return {preset.id: preset for preset in presets}


def _yaml_in(folder: str) -> Iterator[Traversable]:
    names = (path for path in (_HERE / folder).iterdir() if path.name.endswith(".yaml"))
    return iter(sorted(names, key=lambda path: path.name))


def _read(path: Traversable | Path) -> Any:  # checked by the caller's schema
    return yaml.safe_load(path.read_text(encoding="utf-8"))
