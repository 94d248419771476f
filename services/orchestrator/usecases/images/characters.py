"""The characters of a tenant: kept by version, so that films there are keep the one they have."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from services.common.errors import InvalidArgument
from services.orchestrator.domain.films.characters import CharacterSheet
from services.orchestrator.domain.images.ports import CharacterBook
from services.orchestrator.domain.images.versions import Character, SheetVersion, character_id
from services.orchestrator.domain.ports import AssetPort
from services.orchestrator.usecases.images.naming import id_in, paged
from services.orchestrator.usecases.screening import ScreenWords


@dataclass(frozen=True, kw_only=True)
class KeepCharacters:
    """SetCharacter, GetCharacter, ListCharacters."""

    book: CharacterBook
    assets: AssetPort
    screening: ScreenWords = field(default_factory=ScreenWords)

    async def set(self, tenant: str, sheet: CharacterSheet) -> Character:
        """Keep a sheet. Raises InvalidArgument, NotFound for a picture that is not the tenant's."""
        if sheet.reference.startswith("assets/"):
            digest = await self.assets.picture(tenant, sheet.reference)
            if digest is None:
                raise InvalidArgument(
                    "sheet.reference", "is no picture", allowed=("a picture's asset",)
                )
            sheet = replace(sheet, sha256=digest)
        if sheet.description.strip():
            await self.screening.whole(tenant, sheet.description)
        await self.book.put(tenant, sheet)
        return await self.book.character(tenant, character_id(sheet.name))

    async def get(self, tenant: str, name: str) -> tuple[Character, Sequence[SheetVersion]]:
        """One with its versions. Raises InvalidArgument, NotFound."""
        identifier = id_in(name, "characters")
        found = await self.book.character(tenant, identifier)
        return found, await self.book.versions(tenant, identifier)

    async def list(self, tenant: str, size: int, token: str) -> tuple[Sequence[Character], str]:
        """One page and the token of the next; "" on the last."""
        return await paged(lambda most: self.book.characters(tenant, token, most), size, token)
