"""The part of botocore's data that our clients of S3 need: a sixth of what botocore itself keeps.

botocore reads its descriptions of S3 and of the addresses of all of Amazon's services, with the
texts of its manual, into dictionaries that live as long as the process.
"""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from botocore.loaders import JSONFileLoader, Loader
from typing_extensions import override

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

# What we ask of S3, and what botocore asks by itself: a session for a directory bucket.
_OPERATIONS = frozenset({
    "AbortMultipartUpload", "CompleteMultipartUpload", "CopyObject", "CreateMultipartUpload",
    "CreateSession", "DeleteObject", "GetObject", "HeadBucket", "HeadObject",
    "ListMultipartUploads", "PutObject", "UploadPart",
})  # fmt: skip
# S3, and where the credentials for it may come from: roles, single sign-on.
_SERVICES = frozenset({"s3", "sts", "sso", "portal.sso", "oidc", "signin"})


@cache
def s3_loader() -> Loader:
    """Return the ``data_loader`` for every session of botocore that opens clients of S3 alone."""
    return Loader(file_loader=_Files())


class _Files(JSONFileLoader):  # type: ignore[misc]  # botocore has no types
    @override
    def _load_file(self, full_path: str, open_method: Callable[..., Any]) -> Any:
        """Return what the file says, in plain dictionaries; ``None`` where there is no file."""
        path = Path(full_path)
        if not path.is_file():
            return None
        with open_method(full_path, "rb") as file:
            found = json.loads(file.read(), object_hook=_needed)
        if path.parts[-3] == "s3" and path.name.startswith("service-2.json"):
            _keep_ours(found)
        return found


def _needed(found: dict[str, Any]) -> dict[str, Any]:
    """Take the manual's texts and the addresses of other services out of one object."""
    if isinstance(found.get("documentation"), str):
        found["documentation"] = ""
    if "dnsSuffix" in found and "services" in found:
        services = found["services"]
        found["services"] = {name: services[name] for name in _SERVICES & services.keys()}
    return found


def _keep_ours(model: dict[str, Any]) -> None:
    """Leave our operations in a description of S3, and the shapes of what they say."""
    model["operations"] = {name: model["operations"][name] for name in sorted(_OPERATIONS)}
    shapes, kept = model["shapes"], {}
    waiting = list(_shapes_in(model["operations"]))
    while waiting:
        name = waiting.pop()
        if name not in kept:
            kept[name] = shapes[name]
            waiting += _shapes_in(kept[name])
    model["shapes"] = kept


def _shapes_in(found: Any) -> Iterator[str]:
    """Yield the names of the shapes that a part of a description refers to."""
    if isinstance(found, list):
        for item in found:
            yield from _shapes_in(item)
    if isinstance(found, dict):
        if isinstance(found.get("shape"), str):
            yield found["shape"]
        for item in found.values():
            yield from _shapes_in(item)
