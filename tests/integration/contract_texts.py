"""Every text that a request of the contract can carry, from the descriptors."""

from collections.abc import Iterator
from typing import Any

from google.protobuf import descriptor
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message_factory import GetMessageClass
from google.protobuf.struct_pb2 import Struct

Texts = Iterator[tuple[str, Any]]


def texts_of(kind: descriptor.Descriptor, text: str, above: tuple[str, ...] = ()) -> Texts:
    """Yield (path, message) for every text field of a message, set to ``text`` and alone in it.

    Lists have one item; maps have the text as a key, then as a value; free structures have it deep
    inside. Messages inside their own kind are not entered again.
    """
    for field in kind.fields:
        if field.type == FieldDescriptor.TYPE_STRING:
            message = GetMessageClass(kind)()
            if field.is_repeated:
                getattr(message, field.name).append(text)
                yield f"{field.name}[0]", message
            else:
                setattr(message, field.name, text)
                yield field.name, message
        elif field.type == FieldDescriptor.TYPE_MESSAGE:
            yield from _inside(kind, field, text, above)


def _inside(kind: descriptor.Descriptor, field: Any, text: str, above: tuple[str, ...]) -> Texts:
    inner, make = field.message_type, GetMessageClass(kind)
    if inner.GetOptions().map_entry:
        for key, value in ((text, "x"), ("x", text)):
            message = make()
            if inner.fields_by_name["value"].type == FieldDescriptor.TYPE_STRING:
                getattr(message, field.name)[key] = value
                yield field.name, message
    elif inner.full_name == "google.protobuf.Struct":
        for found in ({text: 1}, {"a": [{"b": text}]}):
            message, free = make(), Struct()
            free.update(found)
            slot = getattr(message, field.name)
            (slot.add() if field.is_repeated else slot).CopyFrom(free)
            yield f"{field.name}[0]" if field.is_repeated else field.name, message
    elif inner.full_name not in (*above, kind.full_name):
        for path, part in texts_of(inner, text, (*above, kind.full_name)):
            message = make()
            slot = getattr(message, field.name)
            (slot.add() if field.is_repeated else slot).CopyFrom(part)
            place = f"{field.name}[0]" if field.is_repeated else field.name
            yield f"{place}.{path}", message
