"""JSON for what the engine keeps: readable in the database, and nothing that could run code."""

import json
from typing import Any

from dbos import Serializer
from typing_extensions import override


class JsonSerializer(Serializer):
    """Plain values as JSON; an error as its type's name and message."""

    @override
    def serialize(self, data: Any) -> str:
        if isinstance(data, BaseException):
            return json.dumps({"__error__": type(data).__name__, "message": str(data)})
        return json.dumps(data)

    @override
    def deserialize(cls, serialized_data: str) -> Any:
        data = json.loads(serialized_data)
        if isinstance(data, dict) and "__error__" in data:
            return RuntimeError(f"{data['__error__']}: {data['message']}")
        return data

    @override
    def name(self) -> str:
        return "reelmesh-json-1"
