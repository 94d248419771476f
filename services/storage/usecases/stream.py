"""Playing a film while it is still being loaded: its HLS playlist with addresses that work."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from services.common.errors import FailedPrecondition
from services.storage.domain.streaming import MEDIA, PLAYLIST, pointed_at

if TYPE_CHECKING:
    from datetime import datetime, timedelta

    from services.storage.usecases.library import Library


@dataclass(frozen=True, slots=True)
class Stream:
    """Signs what a playlist names, for players that can only follow addresses."""

    library: Library

    async def playlist(
        self, tenant: str, name: str, *, lifetime: timedelta | None
    ) -> tuple[str, datetime]:
        """Return the playlist and when its addresses end.

        Raises ``NotFound``, ``InvalidArgument``, and ``FailedPrecondition`` for a film without HLS
        rendition, or that has none yet.
        """
        film = await self.library.stored(tenant, name)
        if not {PLAYLIST, MEDIA} <= film.derived.keys():
            why = film.missing.get(PLAYLIST)
            told = why.reason if why else "there is none yet, or STORAGE_DERIVE does not name hls"
            msg = f"{name} has no HLS rendition: {told}"
            raise FailedPrecondition(msg, metadata={"derived": ",".join(sorted(film.derived))})
        media = film.derived[MEDIA]
        url, expires = await self.library.sign(tenant, media, lifetime=lifetime, download_name="")
        _, chunks = await self.library.read(tenant, film.derived[PLAYLIST], offset=0, length=0)
        told = b"".join([chunk async for chunk in chunks]).decode()
        return pointed_at(told, url), expires
