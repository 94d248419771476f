"""The part of botocore's data that a client of S3 needs: a third of what botocore itself keeps.

botocore reads its descriptions of S3 and of the addresses of all of Amazon's services, with the
texts of its manual, into dictionaries that live as long as the process.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from botocore.loaders import JSONFileLoader, Loader
from typing_extensions import override

if TYPE_CHECKING:
    from collections.abc import Callable

# S3, and where the credentials for it may come from: roles, single sign-on.
_SERVICES = frozenset({"s3", "sts", "sso", "portal.sso", "oidc", "signin"})


def s3_loader() -> Loader:
    """Return a ``data_loader`` for a session of botocore that opens clients of S3 alone."""
    return Loader(file_loader=_Files())


class _Files(JSONFileLoader):  # type: ignore[misc]  # botocore has no types
    @override
    def _load_file(self, full_path: str, open_method: Callable[..., Any]) -> Any:
        """Return what the file says, in plain dictionaries; ``None`` where there is no file."""
        if not Path(full_path).is_file():
            return None
        with open_method(full_path, "rb") as file:
            return json.loads(file.read(), object_hook=_needed)


def _needed(found: dict[str, Any]) -> dict[str, Any]:
    """Take the manual's texts and the addresses of other services out of one object."""
    if isinstance(found.get("documentation"), str):
        found["documentation"] = ""
    if "dnsSuffix" in found and "services" in found:
        services = found["services"]
        found["services"] = {name: services[name] for name in _SERVICES & services.keys()}
    return found
