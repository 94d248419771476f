"""What the generator needs of the storage service."""

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from services.generator.domain.facts import Output
from services.generator.domain.media import Media
from services.generator.domain.ports import Content, Entry


@dataclass(frozen=True, slots=True, kw_only=True)
class Stored:
    """What storage says about an asset it took; `warnings` are sentences for whoever ordered it."""

    asset: str
    output: Output
    warnings: tuple[str, ...] = ()


class AssetStorage(Protocol):
    """The storage service as the generator uses it."""

    async def upload(self, entry: Entry, content: Content) -> Stored:
        """Stream the bytes in under the generation's id, once however often it is asked."""

    async def look(self, entry: Entry, asset: str) -> Stored:
        """Return what storage says of an asset that somebody else stored for this generation.

        Raises NotFound where the tenant has no such asset, DataLoss where it is of something else.
        """

    async def maker(self, tenant: str, asset: str) -> str:
        """Return the id of the generation that made an asset, "" where none of ours did.

        Raises NotFound.
        """

    async def keep(self, tenant: str, media: Media, request_id: str) -> str:
        """Store the bytes of a reference and return the asset, the same for a request id."""

    async def sign(self, tenant: str, asset: str) -> str:
        """Return an address from which the asset's bytes can be fetched for a while."""

    async def read(self, tenant: str, asset: str) -> tuple[bytes, str]:
        """Return a picture's bytes and media type. Raises InvalidArgument when it is too big."""

    async def download(self, tenant: str, asset: str, destination: Path) -> str:
        """Write an asset's bytes to a file and return their media type. Raises NotFound."""

    async def take_in(self, tenant: str, url: str, request_id: str) -> str:
        """Fetch an address into storage, under its own rules; returns the asset."""
