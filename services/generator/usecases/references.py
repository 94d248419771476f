"""Brings reference pictures into the form that a model takes, at the moment of sending."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any, TypeAlias

from services.common.errors import InvalidArgument
from services.generator.domain.generation import Generation
from services.generator.domain.orders import asset_of
from services.generator.domain.pictures import (
    IN_REQUEST,
    check_picture,
    check_size,
    fits_in_request,
)
from services.generator.domain.ports import Work
from services.generator.domain.storage_port import AssetStorage
from services.generator.domain.tasks import Media, Task

Measure: TypeAlias = Callable[[bytes], tuple[int, int] | None]
Known: TypeAlias = Callable[[str, str], Awaitable[Generation | None]]
TakeIn: TypeAlias = Callable[[Work, Media], Awaitable[Media]]


class References:
    """Turns assets and addresses into what travels.

    In this order: an address (of an asset a signed one, made for this attempt), the bytes within
    the request, an upload to the vendor. `measure` tells the size of a picture in pixels, `known`
    a tenant's generation by its id.
    """

    def __init__(
        self,
        storage: AssetStorage,
        measure: Measure = lambda _: None,
        known: Known | None = None,
    ) -> None:
        self._storage = storage
        self._measure = measure
        self._known = known

    async def ready(self, work: Work, take_in: TakeIn | None = None) -> Task:
        """Return the task with pictures that the model can take; `take_in` uploads one.

        Raises InvalidArgument for a picture that the model cannot take, and what storage raises.
        """
        changes: dict[str, Any] = {}
        for name in ("image", "last_image"):
            media = getattr(work.task, name, None)
            if isinstance(media, Media):
                changes[name] = await self._travelling(work, name, media, take_in)
        clip = getattr(work.task, "video", None)
        if isinstance(clip, Media) and "url" not in work.model.inputs.video_forms:
            changes["video"] = await self._job_of(work, asset_of(clip))
        elif isinstance(clip, Media) and asset_of(clip):
            changes["video"] = Media(url=await self._storage.sign(work.tenant, asset_of(clip)))
        return replace(work.task, **changes) if changes else work.task

    async def _job_of(self, work: Work, asset: str) -> Media:
        """Return the vendor's own name of a clip, which it has made with the same key."""
        maker = await self._storage.maker(work.tenant, asset) if asset else ""
        made = await self._known(work.tenant, maker) if maker and self._known else None
        if made is None or not _can_go_on(work, made):
            message = f"{work.model.id} works on no clip but those that its vendor has made"
            raise InvalidArgument("video", message, allowed=("a clip of its own, by the same key",))
        return Media(url=made.provider_job_id, placed=True)

    async def _travelling(
        self, work: Work, name: str, media: Media, take_in: TakeIn | None
    ) -> Media:
        address = await self._address(work, name, media)
        if address is not None:
            return address
        found = media if media.data else await self._read(work, name, media)
        check_picture(work.model, name, found)
        if work.model.inputs.image_sizes:
            check_size(work.model, name, await asyncio.to_thread(self._measure, found.data))
        if fits_in_request(work.model, found):
            return found
        if "upload" in work.model.inputs.image_forms and take_in is not None:
            return await take_in(work, found)
        message = f"has {len(found.data)} bytes, too many for a request to {work.model.id}"
        raise InvalidArgument(name, message)

    async def _address(self, work: Work, name: str, media: Media) -> Media | None:
        """Return an address that the vendor can open, None where the bytes must travel."""
        forms = set(work.model.inputs.image_forms)
        if forms and "url" not in forms:
            return None
        only = forms.isdisjoint({"upload", *IN_REQUEST})
        if media.data:
            if not only:
                return None
            check_picture(work.model, name, media)
            asset = await self._storage.keep(work.tenant, media, f"{work.id}-{name}")
        else:
            asset = asset_of(media)
            if not asset:
                return media
        signed = await self._storage.sign(work.tenant, asset)
        # A vendor cannot reach an address without a host, nor one of this machine.
        return Media(url=signed) if only or signed.startswith("https://") else None

    async def _read(self, work: Work, name: str, media: Media) -> Media:
        asset = asset_of(media)
        if not asset:
            request_id = f"{work.id}-{name}"
            asset = await self._storage.take_in(work.tenant, media.url, request_id)
        data, media_type = await self._storage.read(work.tenant, asset)
        return Media(data=data, media_type=media_type)


def _can_go_on(work: Work, made: Generation) -> bool:
    """Whether the vendor knows the clip with this key, by the name of a model that may go on."""
    makers = work.model.inputs.video_makers
    if not made.provider_job_id or (makers and made.identity.vendor_model not in makers):
        return False
    return replace(made.identity, vendor_model="") == replace(work.identity, vendor_model="")
