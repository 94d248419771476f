"""Fields of messages as plain values; what is wrong is told under the field's full path."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from google.protobuf import duration_pb2, json_format, struct_pb2

from reelmesh.generator.v1 import generation_pb2
from services.common.errors import InvalidArgument
from services.common.service_error import Violation
from services.generator.domain.orders import asset_media
from services.generator.domain.tasks import Json, Media

MAX_MEDIA_BYTES = 3 * 1024 * 1024


@contextmanager
def under(path: str) -> Iterator[None]:
    """Tell what is wrong within the block under `path`, such as "clips[2]"."""
    try:
        yield
    except InvalidArgument as error:
        inner = (Violation(f"{path}.{each.field}", each.message) for each in error.violations)
        raise InvalidArgument.of(inner) from error


def seconds(message: Any, field: str) -> float | None:
    """Return a Duration field in seconds, None where it is unset."""
    if not message.HasField(field):
        return None
    value: duration_pb2.Duration = getattr(message, field)
    return value.seconds + value.nanos / 1e9


def optional(message: Any, field: str) -> Any:
    """Return a field that knows whether it is set, None where it is not."""
    return getattr(message, field) if message.HasField(field) else None


def positive(field: str, value: float) -> float | None:
    """Return a number, None for 0; raises InvalidArgument below."""
    if value < 0:
        raise InvalidArgument(field, "must not be negative")
    return value or None


def options(given: struct_pb2.Struct) -> Mapping[str, Json]:
    """Return a Struct as JSON values."""
    plain: dict[str, Json] = json_format.MessageToDict(given)
    return plain


def media(message: Any, field: str, *, default: str = "image/png") -> Media | None:
    """Return a Media field, None where it is unset; `default` is the type of untyped bytes."""
    return source(field, getattr(message, field), default) if message.HasField(field) else None


def needed(message: Any, field: str) -> Media:
    """Return a Media field; raises InvalidArgument where it is unset."""
    found = media(message, field, default="")
    if found is None:
        raise InvalidArgument(field, "is required")
    return found


def source(field: str, given: generation_pb2.Media, default: str = "image/png") -> Media:
    """Return what a Media message refers to; raises InvalidArgument naming `field`."""
    match given.WhichOneof("source"):
        case "asset":
            collection, _, identifier = given.asset.partition("/")
            if collection != "assets" or not (identifier.isascii() and identifier.isalnum()):
                raise InvalidArgument(field, "must look like assets/{id}")
            return asset_media(identifier)
        case "uri":
            return Media(url=given.uri)
        case "data":
            if len(given.data) > MAX_MEDIA_BYTES:
                raise InvalidArgument(field, f"must have at most {MAX_MEDIA_BYTES} bytes")
            return Media(data=given.data, media_type=given.content_type or default)
        case _:
            raise InvalidArgument(field, "must name an asset, a URI or bytes")
