"""Puts the endpoint table and the schemas together into one OpenAPI 3.1 document."""

from __future__ import annotations

from typing import TYPE_CHECKING

from services.gateway.domain.endpoints import ENDPOINTS
from services.gateway.openapi.schemas import Catalogue

if TYPE_CHECKING:
    from google.protobuf.descriptor_pb2 import FileDescriptorSet

    from services.gateway.domain.endpoints import Endpoint
    from services.gateway.openapi.schemas import Schema

_STATUS = "google.rpc.Status"
_DESCRIPTION = (
    "Video from a prompt: any vendor or your own GPU, a stored clip, an honest bill. Bodies are "
    "proto3 JSON: camelCase or snake_case going in, camelCase coming out, durations as `5s`, "
    "64-bit integers as strings. Errors are `google.rpc.Status`; `reason` in its ErrorInfo is "
    "meant for programs, and `Retry-After` is set where waiting helps. The same service speaks "
    "gRPC."
)
_ERRORS = {
    "400": "A field is wrong, or the system is not in a state in which the call can work.",
    "401": "No API key, or one that is unknown, expired or revoked.",
    "404": "No such resource in the caller's tenant.",
    "429": "A quota, a rate or a budget is used up. `Retry-After` is set where waiting helps.",
    "503": "A part is away or starting. `Retry-After` is set.",
}


def build(files: FileDescriptorSet, *, version: str) -> Schema:
    """Return the document as JSON-ready data; the same input gives the same output."""
    catalogue = Catalogue(files)
    paths: dict[str, dict[str, Schema]] = {}
    roots = {_STATUS}
    for endpoint in ENDPOINTS:
        method, _ = catalogue.method(endpoint.rpc)
        roots.add(method.output_type.lstrip("."))
        roots.add(_body_type(endpoint, catalogue))
        operation = _operation(endpoint, catalogue)
        paths.setdefault(endpoint.path, {})[endpoint.method.lower()] = operation
    return {
        "openapi": "3.1.0",
        "info": {"title": "Reelmesh", "version": version, "description": _DESCRIPTION},
        "security": [{"apiKey": []}, {}],
        "paths": paths,
        "components": {
            "securitySchemes": {
                "apiKey": {
                    "type": "http",
                    "scheme": "bearer",
                    "description": "An API key made by `reelmesh keys create`. Not needed where "
                    "authentication is off.",
                }
            },
            "schemas": _schemas(catalogue, roots - {""}),
        },
    }


def _schemas(catalogue: Catalogue, roots: set[str]) -> dict[str, Schema]:
    wanted, seen = sorted(roots), set[str]()
    while wanted:
        name = wanted.pop()
        if name not in seen:
            seen.add(name)
            wanted.extend(catalogue.references(name))
    return {name: catalogue.schema(name) for name in sorted(seen)}


def _body_type(endpoint: Endpoint, catalogue: Catalogue) -> str:
    request = catalogue.method(endpoint.rpc)[0].input_type.lstrip(".")
    if endpoint.body in {"", "*"}:
        return request if endpoint.body else ""
    fields = {field.name: field.type_name for field in catalogue.message(request).field}
    return fields[endpoint.body].lstrip(".")


def _operation(endpoint: Endpoint, catalogue: Catalogue) -> Schema:
    method, comment = catalogue.method(endpoint.rpc)
    operation: Schema = {
        "operationId": endpoint.rpc,
        "summary": comment.partition(" Errors:")[0],
        "parameters": _parameters(endpoint, catalogue),
        "responses": _responses(endpoint, method.output_type.lstrip(".")),
    }
    body_type = _body_type(endpoint, catalogue)
    if body_type:
        content = {"application/json": {"schema": {"$ref": f"#/components/schemas/{body_type}"}}}
        operation["requestBody"] = {"required": True, "content": content}
    return operation


def _parameters(endpoint: Endpoint, catalogue: Catalogue) -> list[Schema]:
    parameters: list[Schema] = []
    if "{id}" in endpoint.path:
        parameters.append(
            {
                "name": "id",
                "in": "path",
                "required": True,
                "schema": {"type": "string"},
                "description": f"The part of the name after `{endpoint.collection}/`.",
            }
        )
    if endpoint.streams:
        parameters.append(
            {
                "name": "Last-Event-ID",
                "in": "header",
                "schema": {"type": "integer"},
                "description": "Sequence of the last event seen; the stream goes on after it.",
            }
        )
    if endpoint.method == "GET":
        parameters += _query_parameters(endpoint, catalogue)
    return parameters


def _query_parameters(endpoint: Endpoint, catalogue: Catalogue) -> list[Schema]:
    request = catalogue.method(endpoint.rpc)[0].input_type.lstrip(".")
    return [
        {
            "name": name,
            "in": "query",
            "description": schema.pop("description", ""),
            "schema": schema,
        }
        for name, schema in catalogue.properties(request).items()
        if name != "name"
    ]


def _responses(endpoint: Endpoint, output: str) -> Schema:
    media_type = "text/event-stream" if endpoint.streams else "application/json"
    good = {
        "description": _good(endpoint),
        "content": {media_type: {"schema": {"$ref": f"#/components/schemas/{output}"}}},
    }
    error = {"application/json": {"schema": {"$ref": f"#/components/schemas/{_STATUS}"}}}
    responses: Schema = {"200": good}
    accepted = "Accepted and durable; `Location` says where to look."
    if endpoint.rpc == "GenerateVideo":
        responses["202"] = {**good, "description": accepted}
        good["description"] = "The job of an earlier request with the same `requestId`."
    if endpoint.rpc == "CreateFilm":
        responses = {"202": {**good, "description": accepted}}
    if endpoint.streams:
        responses["204"] = {"description": "It has ended and every event was seen."}
    for status, description in _ERRORS.items():
        responses[status] = {"description": description, "content": error}
    return responses


def _good(endpoint: Endpoint) -> str:
    if endpoint.streams:
        return (
            "Server-sent events: `id` is the sequence, `event` the kind, `data` the JSON below. "
            "Ends after a terminal state."
        )
    return "OK"
