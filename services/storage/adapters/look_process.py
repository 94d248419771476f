"""The process that looks into files: ``python -m services.storage.adapters.look_process``.

Asked for a ``task`` and told ``path`` and ``content_type``, it answers with what was measured, what
was finished, or which manifest there is; see ``line_server`` for what goes wrong. FFmpeg reads what
anybody has sent, in C: here it has bounds, and nothing of the service to take along.
"""

from __future__ import annotations

from dataclasses import asdict
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from services.storage.adapters.line_server import serve
from services.storage.adapters.media_finisher import finish, manifest_in
from services.storage.adapters.media_inspector import measure

if TYPE_CHECKING:
    from collections.abc import Callable

_MICROSECOND = timedelta(microseconds=1)


def look(task: str, path: str, **told: str) -> dict[str, Any]:
    """Return the answer to one question; raises what the task raises."""
    return _TASKS[task](Path(path), **told)


def _measure(path: Path, content_type: str) -> dict[str, Any]:
    """``duration`` is in microseconds."""
    found = measure(path, content_type)
    duration = None if found.duration is None else found.duration // _MICROSECOND
    return {**asdict(found), "duration": duration}


def _finish(path: Path, content_type: str, source: str) -> dict[str, Any]:
    return asdict(finish(path, content_type, source))


def _manifest(path: Path, content_type: str) -> dict[str, Any]:
    return {"manifest": manifest_in(path, content_type)}


_TASKS: dict[str, Callable[..., dict[str, Any]]] = {
    "measure": _measure,
    "finish": _finish,
    "manifest": _manifest,
}

if __name__ == "__main__":
    serve(look)
