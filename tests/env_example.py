"""Renders .env.example from the settings classes: `python -m tests.env_example > .env.example`."""

import ast
import importlib
import inspect
import json
import sys
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

from pydantic import AliasChoices, BaseModel, SecretStr
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined
from pydantic_settings import BaseSettings

from services.common.settings import ServiceSettings
from services.generator.catalogue.loader import load_catalogue
from services.generator.providers import adapters
from services.generator.providers import variables as providers_variables

ROOT = Path(__file__).parents[1]
_OWN_SECTIONS = {"BillSettings": "bills", "HubSettings": "hub", "BucketSettings": "bucket"}
HEAD = """\
# Every setting of every service, with its default. Copy to .env, uncomment what you change.
# Written by `make env-example` from the settings classes; a test compares the two.
"""


@dataclass(frozen=True)
class Variable:
    """One environment variable."""

    name: str
    default: str
    comment: str


def settings_classes() -> Iterator[tuple[str, type[BaseSettings]]]:
    """Each service's name with its settings class, in alphabetical order."""
    names = [path.parent.name for path in sorted(ROOT.glob("services/*/settings.py"))]
    modules = {name: f"services.{name}.settings" for name in names if name != "common"}
    modules["gpu_worker"] = "services.generator.worker.gpu.settings"
    for name, where in sorted(modules.items()):
        module = importlib.import_module(where)
        for _, found in inspect.getmembers(module, inspect.isclass):
            own = found.__module__ == module.__name__
            if own and issubclass(found, BaseSettings):
                yield (
                    _OWN_SECTIONS.get(found.__name__, name),
                    found,
                )


def variables(settings: type[BaseSettings]) -> Iterator[Variable]:
    """What the class reads from the environment."""
    config = settings.model_config
    yield from _fields(settings, config.get("env_prefix", ""), config.get("env_nested_delimiter"))


def vendors() -> Iterator[Variable]:
    """What the vendors' adapters read, in their order; a name that several read comes once."""
    seen: set[str] = set()
    for provider, adapter in adapters().items():
        for name in providers_variables(provider):
            if name in seen:
                continue
            seen.add(name)
            key = next(k for k in adapter.model_fields if name.endswith(f"_{k.upper()}"))
            field = adapter.model_fields[key]
            told = {"api_key": "API key", "base_url": "Address"}.get(key, key.replace("_", " "))
            vendor = name.removesuffix(f"_{key.upper()}").lower()
            words = _comments(adapter).get(key) or f"{told[0].upper()}{told[1:]} of {vendor}."
            yield Variable(name, _default(field), words)


def local_models() -> Iterator[Variable]:
    """Where the checkpoints of local models lie, by the catalogue's ids."""
    for model in load_catalogue():
        if model.provider == "local" and not model.group:
            words = f"Checkpoint of {model.display_name}: a folder, or owner/name@revision."
            yield Variable(f"LOCAL_{model.id.upper()}_PATH", "", words)


def _fields(model: type[BaseModel], prefix: str, delimiter: str | None) -> Iterator[Variable]:
    comments = _comments(model)
    for name, field in model.model_fields.items():
        variable = _variable_name(name, field, prefix)
        nested = _nested_model(field)
        if nested and delimiter:
            yield from _fields(nested, f"{variable}{delimiter}", delimiter)
        else:
            yield Variable(variable, _default(field), comments.get(name, field.description or ""))


def _variable_name(name: str, field: FieldInfo, prefix: str) -> str:
    alias = field.validation_alias
    if isinstance(alias, AliasChoices):
        alias = next(choice for choice in alias.choices if isinstance(choice, str))
    return str(alias or f"{prefix}{name}").upper()


def _nested_model(field: FieldInfo) -> type[BaseModel] | None:
    options = [field.annotation, *getattr(field.annotation, "__args__", ())]
    models = [each for each in options if inspect.isclass(each) and issubclass(each, BaseModel)]
    return models[0] if models else None


def _default(field: FieldInfo) -> str:
    value: Any = field.default
    if value is PydanticUndefined and field.default_factory is not None:
        value = field.get_default(call_default_factory=True, validated_data={})
    if value is PydanticUndefined or value is None or isinstance(value, SecretStr):
        return ""
    if isinstance(value, timedelta):
        return f"PT{value.total_seconds():.9g}S"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list | tuple | set | frozenset):
        value = sorted(value) if isinstance(value, set | frozenset) else list(value)
    if isinstance(value, list | dict):
        return json.dumps(value) if value else ""
    return str(value)


def _comments(model: type[BaseModel]) -> dict[str, str]:
    """The string under each field, base classes first."""
    found: dict[str, str] = {}
    for each in reversed(model.__mro__):
        if issubclass(each, BaseModel) and each.__module__.startswith("services."):
            body = ast.parse(textwrap.dedent(inspect.getsource(each))).body[0]
            assert isinstance(body, ast.ClassDef)
            found |= dict(_attribute_docstrings(body))
    return found


def _attribute_docstrings(body: ast.ClassDef) -> Iterator[tuple[str, str]]:
    for pair in zip(body.body, body.body[1:], strict=False):
        match pair:
            case (
                ast.AnnAssign(target=ast.Name(id=name)),
                ast.Expr(value=ast.Constant(value=str(words))),
            ):
                yield name, inspect.cleandoc(words)


def render() -> str:
    """The whole file: what all services share first, then each service's own."""
    classes = dict(settings_classes())
    read = {name: list(variables(settings)) for name, settings in classes.items()}
    known = {each.name for own in read.values() for each in own}
    shared = [each for each in variables(ServiceSettings) if each.name in known]
    sections = [HEAD, *_section("shared", shared)]
    seen = {each.name for each in shared}
    for service, own in read.items():
        others = tuple(f"{other.upper()}_" for other in read if other != service)
        fresh = [each for each in own if each.name not in seen and not each.name.startswith(others)]
        seen |= {each.name for each in fresh}
        sections += _section(service, fresh)
    sections += _section("vendors", [each for each in vendors() if each.name not in seen])
    sections += _section("local models", list(local_models()))
    left = [each for own in read.values() for each in own if each.name not in seen]
    assert not left, f"named after a service that does not read them: {left}"
    return "".join(sections)


def _section(title: str, content: list[Variable]) -> Iterator[str]:
    yield f"\n# {title} {'-' * (97 - len(title))}\n"
    for each in content:
        yield from (f"# {line}\n" for line in textwrap.wrap(each.comment, 97))
        yield f"#{each.name}={each.default}\n"


if __name__ == "__main__":
    sys.stdout.write(render())
