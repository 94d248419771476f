"""Brings reference pictures into the form that a model takes, at the moment of sending."""

from dataclasses import replace
from typing import Any

from services.generator.domain.orders import asset_of
from services.generator.domain.ports import Work
from services.generator.domain.storage_port import AssetStorage
from services.generator.domain.tasks import Media, Task

_AS_BYTES = frozenset({"bytes", "base64", "data_uri"})


class References:
    """Turns assets and addresses into what travels: a signed address of this attempt, or bytes."""

    def __init__(self, storage: AssetStorage) -> None:
        self._storage = storage

    async def ready(self, work: Work) -> Task:
        """Return the task with pictures that the model can take. Raises what storage raises."""
        changes: dict[str, Any] = {}
        for name in ("image", "last_image"):
            media = getattr(work.task, name, None)
            if isinstance(media, Media) and media.url:
                changes[name] = await self._travelling(work, name, media)
        return replace(work.task, **changes) if changes else work.task

    async def _travelling(self, work: Work, name: str, media: Media) -> Media:
        forms = set(work.model.inputs.image_forms)
        takes_bytes, takes_addresses = bool(forms & _AS_BYTES), "url" in forms or not forms
        asset = asset_of(media)
        if not asset:
            if takes_addresses:
                return media
            request_id = f"{work.id}-{name}"
            asset = await self._storage.take_in(work.tenant, media.url, request_id)
        elif takes_addresses:
            signed = await self._storage.sign(work.tenant, asset)
            # A vendor cannot reach an address without a host, nor one of this machine.
            if signed.startswith("https://") or not takes_bytes:
                return Media(url=signed)
        data, media_type = await self._storage.read(work.tenant, asset)
        return Media(data=data, media_type=media_type)
