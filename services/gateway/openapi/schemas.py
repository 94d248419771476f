"""JSON schemas of protobuf messages in proto3 JSON, with the comments of the .proto files."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

from google.protobuf.descriptor_pb2 import FieldDescriptorProto as Field

if TYPE_CHECKING:
    from collections.abc import Iterator

    from google.protobuf.descriptor_pb2 import (
        DescriptorProto,
        EnumDescriptorProto,
        FileDescriptorProto,
        FileDescriptorSet,
        MethodDescriptorProto,
    )

Schema: TypeAlias = dict[str, object]
Path: TypeAlias = tuple[int, ...]

_REF = "#/components/schemas/"
_WELL_KNOWN: dict[str, Schema] = {
    "google.protobuf.Duration": {
        "type": "string",
        "pattern": r"^-?\d+(\.\d{1,9})?s$",
        "examples": ["5s"],
    },
    "google.protobuf.Timestamp": {"type": "string", "format": "date-time"},
    "google.protobuf.Struct": {"type": "object", "additionalProperties": True},
    "google.protobuf.Any": {
        "type": "object",
        "properties": {"@type": {"type": "string"}},
        "required": ["@type"],
        "additionalProperties": True,
    },
}
_SCALARS: dict[int, Schema] = {
    Field.TYPE_STRING: {"type": "string"},
    Field.TYPE_BYTES: {"type": "string", "contentEncoding": "base64"},
    Field.TYPE_BOOL: {"type": "boolean"},
    Field.TYPE_DOUBLE: {"type": "number", "format": "double"},
    Field.TYPE_INT32: {"type": "integer", "format": "int32"},
    # proto3 JSON writes 64 bits as a string and reads both.
    Field.TYPE_INT64: {"type": ["string", "integer"], "format": "int64"},
}

_SERVED = frozenset(
    {
        *("VideoService", "FilmService", "BudgetService", "CacheService", "PolicyService"),
        *("VendorKeyService", "ComparisonService", "CharacterService", "StorageService"),
    }
)


class Catalogue:
    """Messages, enums and methods of a descriptor set by full name, with their comments."""

    def __init__(self, files: FileDescriptorSet) -> None:
        """Index every type; the set must have been built with source info."""
        self._messages: dict[str, DescriptorProto] = {}
        self._enums: dict[str, EnumDescriptorProto] = {}
        self._methods: dict[str, MethodDescriptorProto] = {}
        self._comments: dict[str, str] = {}
        for file in files.file:
            self._add_file(file)

    def method(self, name: str) -> tuple[MethodDescriptorProto, str]:
        """Return a method of the services behind HTTP and its comment."""
        return self._methods[name], self._comments.get(f"method {name}", "")

    def message(self, full_name: str) -> DescriptorProto:
        """Return the descriptor of a message."""
        return self._messages[full_name]

    def properties(self, full_name: str) -> dict[str, Schema]:
        """Return the schema of each field by its JSON name."""
        return {
            field.json_name: self.field(field, self._comments.get(f"{full_name}.{field.name}", ""))
            for field in self._messages[full_name].field
        }

    def schema(self, full_name: str) -> Schema:
        """Return the schema of a message or enum."""
        full_name = full_name.lstrip(".")
        description = self._comments.get(full_name, "")
        if full_name in self._enums:
            values = [value.name for value in self._enums[full_name].value]
            lines = [f"- `{v}`: {self._comments.get(f'{full_name}.{v}', '')}" for v in values]
            text = "\n".join([description, *lines])
            return {"type": "string", "enum": values, "description": text}
        known = _WELL_KNOWN.get(full_name)
        if known is not None:
            return dict(known)
        schema: Schema = {"type": "object", "properties": self.properties(full_name)}
        required = [
            field.json_name
            for field in self._messages[full_name].field
            if self._comments.get(f"{full_name}.{field.name}", "").startswith("Required.")
        ]
        if required:
            schema["required"] = required
        return {"description": description, **schema} if description else schema

    def field(self, field: Field, description: str) -> Schema:
        """Return the schema of one field: a scalar, a list, a map or a reference."""
        schema = self._single(field)
        entry = self._messages.get(field.type_name.lstrip("."))
        if entry is not None and entry.options.map_entry:
            schema = {"type": "object", "additionalProperties": self._single(entry.field[1])}
        elif field.label == Field.LABEL_REPEATED:
            schema = {"type": "array", "items": schema}
        return {**schema, "description": description} if description else schema

    def references(self, full_name: str) -> Iterator[str]:
        """Yield the full names of the types that the fields of a message have."""
        message = self._messages.get(full_name.lstrip("."))
        for field in message.field if message else ():
            name = field.type_name.lstrip(".")
            entry = self._messages.get(name)
            if entry is not None and entry.options.map_entry:
                name = entry.field[1].type_name.lstrip(".")
            if name and name not in _WELL_KNOWN:
                yield name

    def _single(self, field: Field) -> Schema:
        if not field.type_name:
            return dict(_SCALARS[field.type])
        name = field.type_name.lstrip(".")
        return dict(_WELL_KNOWN[name]) if name in _WELL_KNOWN else {"$ref": _REF + name}

    def _add_file(self, file: FileDescriptorProto) -> None:
        comments = {
            tuple(location.path): " ".join(location.leading_comments.split())
            for location in file.source_code_info.location
            if location.leading_comments
        }
        for number, message in enumerate(file.message_type):
            self._add_message(f"{file.package}.{message.name}", message, (4, number), comments)
        for number, enum in enumerate(file.enum_type):
            self._add_enum(f"{file.package}.{enum.name}", enum, (5, number), comments)
        for number, service in enumerate(file.service):
            for position, method in enumerate(service.method):
                if service.name in _SERVED:
                    self._methods[method.name] = method
                    comment = comments.get((6, number, 2, position), "")
                    self._comments[f"method {method.name}"] = comment

    def _add_message(
        self, name: str, message: DescriptorProto, path: Path, comments: dict[Path, str]
    ) -> None:
        self._messages[name] = message
        self._comments[name] = comments.get(path, "")
        for number, field in enumerate(message.field):
            self._comments[f"{name}.{field.name}"] = comments.get((*path, 2, number), "")
        for number, nested in enumerate(message.nested_type):
            self._add_message(f"{name}.{nested.name}", nested, (*path, 3, number), comments)
        for number, enum in enumerate(message.enum_type):
            self._add_enum(f"{name}.{enum.name}", enum, (*path, 4, number), comments)

    def _add_enum(
        self, name: str, enum: EnumDescriptorProto, path: Path, comments: dict[Path, str]
    ) -> None:
        self._enums[name] = enum
        self._comments[name] = comments.get(path, "")
        for number, value in enumerate(enum.value):
            self._comments[f"{name}.{value.name}"] = comments.get((*path, 2, number), "")
