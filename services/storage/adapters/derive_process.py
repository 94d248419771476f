"""The process that draws derived files: ``python -m services.storage.adapters.derive_process``.

Asked for ``source``, ``folder``, ``frames`` and ``roles``, it answers with ``files`` by role. What
is damaged, and what may work another time, is told as in ``line_server``, and that it gets on. It
runs at low priority and apart from the service: encoding takes a core for minutes, and media is
untrusted. So its memory is bounded, its time while nothing comes of it, and no file is opened as
anything but what it begins like.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from services.storage.adapters.derive_films import films
from services.storage.adapters.derive_stills import stills
from services.storage.adapters.line_server import Progress, serve
from services.storage.domain.ports import nothing

if TYPE_CHECKING:
    from collections.abc import Callable


def make(
    source: str, folder: str, frames: int, roles: list[str], alive: Callable[[], None] = nothing
) -> dict[str, str]:
    """Return the path of each file that was made; raises what PyAV raises for damaged media.

    ``alive`` is called with every frame that was read.
    """
    made = stills(source, Path(folder), frames, {*roles}, alive)
    return made | films(source, Path(folder), frames, {*roles}, alive)


def _made(**asked: Any) -> dict[str, Any]:
    return {"files": make(**asked, alive=Progress())}


def main() -> None:
    """Serve requests until standard input ends."""
    os.nice(10)
    serve(_made)


if __name__ == "__main__":
    main()
