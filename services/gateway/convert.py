"""HTTP to protobuf and back: proto3 JSON, query strings, ``google.rpc.Status`` as an answer."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from google.protobuf import json_format
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message_factory import GetMessageClass

from reelmesh.generator.v1 import vendor_key_service_pb2
from reelmesh.orchestrator.v1 import (
    budget_service_pb2,
    cache_service_pb2,
    character_service_pb2,
    comparison_service_pb2,
    film_service_pb2,
    policy_service_pb2,
    video_job_pb2,
    video_service_pb2,
)
from reelmesh.storage.v1 import storage_service_pb2
from services.common.errors import InvalidArgument, ServiceError, Unauthenticated
from services.common.status import to_status
from services.gateway.domain.endpoints import API_PREFIX

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from google.protobuf.descriptor import Descriptor
    from google.protobuf.message import Message

    from services.gateway.domain.endpoints import Endpoint

# Methods of the services that are spoken to over HTTP; no two have one name.
_METHODS = {
    method.name: method
    for service in (
        video_service_pb2.DESCRIPTOR.services_by_name["VideoService"],
        film_service_pb2.DESCRIPTOR.services_by_name["FilmService"],
        budget_service_pb2.DESCRIPTOR.services_by_name["BudgetService"],
        policy_service_pb2.DESCRIPTOR.services_by_name["PolicyService"],
        cache_service_pb2.DESCRIPTOR.services_by_name["CacheService"],
        vendor_key_service_pb2.DESCRIPTOR.services_by_name["VendorKeyService"],
        comparison_service_pb2.DESCRIPTOR.services_by_name["ComparisonService"],
        character_service_pb2.DESCRIPTOR.services_by_name["CharacterService"],
        storage_service_pb2.DESCRIPTOR.services_by_name["StorageService"],
    )
    for method in service.methods
}
_NO_SUCH_FIELD = re.compile(r'has no field named "([^"]*)"')
_FAILED_FIELD = re.compile(r"Failed to parse (\w+) field: (.*)", re.DOTALL)
_MESSAGES = {
    "google.protobuf.Duration": 'must be a string of seconds such as "5s" or "2.5s"',
    "google.protobuf.Timestamp": 'must be a string such as "2026-01-31T12:00:00Z"',
}
_SCALARS = {
    FieldDescriptor.CPPTYPE_STRING: "must be a string",
    FieldDescriptor.CPPTYPE_BOOL: "must be true or false",
    FieldDescriptor.CPPTYPE_DOUBLE: "must be a number",
    FieldDescriptor.CPPTYPE_FLOAT: "must be a number",
}
_TERMINAL = frozenset({"SUCCEEDED", "PARTIAL", "FAILED", "FALLBACK", "CANCELLED"})

# The mapping that google/rpc/code.proto documents.
_HTTP_STATUS = {
    1: 499,  # CANCELLED
    2: 500,  # UNKNOWN
    3: 400,  # INVALID_ARGUMENT
    4: 504,  # DEADLINE_EXCEEDED
    5: 404,  # NOT_FOUND
    6: 409,  # ALREADY_EXISTS
    7: 403,  # PERMISSION_DENIED
    8: 429,  # RESOURCE_EXHAUSTED
    9: 400,  # FAILED_PRECONDITION
    10: 409,  # ABORTED
    11: 400,  # OUT_OF_RANGE
    12: 501,  # UNIMPLEMENTED
    13: 500,  # INTERNAL
    14: 503,  # UNAVAILABLE
    15: 500,  # DATA_LOSS
    16: 401,  # UNAUTHENTICATED
}


def request_message(
    endpoint: Endpoint,
    *,
    identifier: str = "",
    query: Iterable[tuple[str, str]] = (),
    body: bytes = b"",
) -> Message:
    """Return the request message of ``endpoint``.

    Raises ``InvalidArgument`` naming the field for unknown fields, wrong types and broken JSON.
    """
    descriptor = _METHODS[endpoint.rpc].input_type
    fields = _from_query(query, descriptor)
    if endpoint.body == "*":
        fields |= _from_body(body)
    elif endpoint.body:
        fields[endpoint.body] = _from_body(body)
    if endpoint.collection:  # what the path says is not the body's to change
        fields["name"] = f"{endpoint.collection}/{identifier}"
    return _parse(fields, descriptor)


def to_json(message: Message) -> dict[str, object]:
    """Return ``message`` as proto3 JSON in camelCase, with zero values written out."""
    return json_format.MessageToDict(message, always_print_fields_with_no_presence=True)


def location(answer: Mapping[str, object]) -> str:
    """Return where the job or film that was accepted is to be found."""
    found = answer.get("job") or answer.get("film")
    name = found.get("name", "") if isinstance(found, dict) else ""
    return f"{API_PREFIX}/{name}"


def sequence(message: Message) -> int:
    """Return the sequence of the newest event of the job or film in ``message``."""
    found = _followed(message)
    return 0 if found is None else int(found.sequence)


def ends(message: Message) -> bool:
    """Whether the job or film in the answer of a watch or a get is in a terminal state."""
    found = _followed(message)
    if found is None:
        return False
    return str(found.State.Name(found.state)).removeprefix("STATE_") in _TERMINAL


def _followed(message: Message) -> Any:
    """Return the job or film of an answer, None where it has neither."""
    found = getattr(message, "job", None) or getattr(message, "film", None)
    known = isinstance(found, video_job_pb2.VideoJob | film_service_pb2.Film)
    return found if known else None


def http_error(error: ServiceError) -> tuple[int, dict[str, object], dict[str, str]]:
    """Return HTTP status, body (``google.rpc.Status`` as JSON) and headers of an error."""
    status = to_status(error)
    headers = {"Cache-Control": "no-store"}
    if error.retry_after is not None:
        headers["Retry-After"] = str(max(1, round(error.retry_after)))
    if isinstance(error, Unauthenticated):
        headers["WWW-Authenticate"] = 'Bearer realm="reelmesh"'
    return _HTTP_STATUS.get(status.code, 500), json_format.MessageToDict(status), headers


def plain_error(status: int, message: str) -> dict[str, object]:
    """Return a ``google.rpc.Status`` as JSON for an error of HTTP itself, such as 405 or 413."""
    code = next((code for code, http in _HTTP_STATUS.items() if http == status), 3)
    return {"code": code, "message": message, "details": []}


def _from_body(body: bytes) -> dict[str, object]:
    try:
        parsed = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise InvalidArgument("body", "must be JSON in UTF-8") from error
    if not isinstance(parsed, dict):
        raise InvalidArgument("body", "must be a JSON object")
    return parsed


def _from_query(query: Iterable[tuple[str, str]], descriptor: Descriptor) -> dict[str, object]:
    names = {
        **{f.name: f for f in descriptor.fields},
        **{f.json_name: f for f in descriptor.fields},
    }
    fields: dict[str, object] = {}
    lists: dict[str, list[str]] = {}
    for key, value in query:
        field = names.get(key)
        if field is None or key == "name":
            raise InvalidArgument(key, "is not a parameter", allowed=_writable(descriptor))
        if field.is_repeated:
            lists.setdefault(field.name, []).extend(value.split(","))
        else:
            fields[field.name] = _scalar(field, value)
    return {**fields, **lists}


def _writable(descriptor: Descriptor) -> list[str]:
    return sorted(field.name for field in descriptor.fields if field.name != "name")


def _scalar(field: FieldDescriptor, value: str) -> object:
    if field.type != field.TYPE_BOOL:
        return value
    if value not in {"true", "false"}:
        raise InvalidArgument(field.name, "must be a boolean", allowed=("true", "false"))
    return value == "true"


def _parse(fields: Mapping[str, object], descriptor: Descriptor) -> Message:
    try:
        return json_format.ParseDict(dict(fields), GetMessageClass(descriptor)())
    except json_format.ParseError as error:
        raise _invalid(str(error), descriptor) from error
    except (RecursionError, ValueError, TypeError, AttributeError) as error:
        raise InvalidArgument("body", "does not fit the request message") from error


def _invalid(text: str, descriptor: Descriptor) -> InvalidArgument:
    """Turn a parser's sentence into an error that names the field and the values it takes.

    The parser's own words speak of Python and of message types; only its path is used.
    """
    path: list[str] = []
    field: FieldDescriptor | None = None
    while failed := _FAILED_FIELD.match(text):
        name, text = failed.groups()
        field = next((f for f in descriptor.fields if name in {f.name, f.json_name}), None)
        path.append(field.name if field else name)
        if field is None or field.message_type is None:
            break
        descriptor = field.message_type
    unknown = _NO_SUCH_FIELD.search(text)
    if unknown:
        return InvalidArgument(
            ".".join([*path, unknown.group(1)]), "is not a field", allowed=_writable(descriptor)
        )
    if '"oneof"' in text or "oneof fields" in text:
        names = [f.name for f in descriptor.oneofs[0].fields]
        return InvalidArgument(
            ".".join(path) or "body", "takes only one of its fields", allowed=names
        )
    message, allowed = _expected(field) if field else ("is malformed", [])
    return InvalidArgument(".".join(path) or "body", message, allowed=allowed)


def _expected(field: FieldDescriptor) -> tuple[str, list[str]]:
    if field.is_repeated and not _is_map(field):
        return "must be a list of values of its type", []
    if field.enum_type is not None:
        return "has an unknown value", [value.name for value in field.enum_type.values]
    if field.message_type is not None:
        return _MESSAGES.get(field.message_type.full_name, "must be an object"), []
    return _SCALARS.get(field.cpp_type, "must be an integer in its range"), []


def _is_map(field: FieldDescriptor) -> bool:
    return field.message_type is not None and field.message_type.GetOptions().map_entry
