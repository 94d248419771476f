"""Values of the domain as JSON values and back, by the types that their classes declare."""

import base64
import types
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from enum import Enum
from functools import cache
from typing import Any, TypeVar, Union, get_args, get_origin, get_type_hints

T = TypeVar("T")


def to_record(value: Any) -> Any:
    """Return a dataclass, or what is inside one, as JSON values; bytes become base64."""
    if is_dataclass(value):
        return {item.name: to_record(getattr(value, item.name)) for item in fields(value)}
    if isinstance(value, Mapping):
        return {key: to_record(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [to_record(item) for item in value]
    if isinstance(value, bytes):
        return base64.b64encode(value).decode("ascii")
    return value.value if isinstance(value, Enum) else value


def from_record(kind: type[T], record: Mapping[str, Any]) -> T:
    """Rebuild (and check again) the dataclass `kind` from what `to_record` made of one."""
    declared: Any = kind
    hints = _hints(declared)
    return kind(**{name: _built(hints[name], value) for name, value in record.items()})


@cache
def _hints(kind: Any) -> dict[str, Any]:
    return get_type_hints(kind)


def _built(hint: Any, value: Any) -> Any:
    if value is None:
        return None
    origin, arguments = get_origin(hint), get_args(hint)
    if origin in {Union, types.UnionType}:
        real = [each for each in arguments if each is not type(None)]
        return _built(real[0], value) if len(real) == 1 else value
    if origin is tuple:
        return tuple(_built(arguments[0], item) for item in value)
    return _built_plain(hint, value) if isinstance(hint, type) else value


def _built_plain(kind: type[Any], value: Any) -> Any:
    if is_dataclass(kind):
        return from_record(kind, value)
    if issubclass(kind, Enum):
        return kind(value)
    return base64.b64decode(value) if kind is bytes else value
