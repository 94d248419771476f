"""`CharacterService`: gRPC in, a use case, gRPC out."""

from dataclasses import dataclass
from typing import Any

from typing_extensions import override

from reelmesh.orchestrator.v1 import character_service_pb2 as pb
from reelmesh.orchestrator.v1.character_service_pb2_grpc import CharacterServiceServicer
from services.common.errors import ServiceError
from services.common.identity import current_identity
from services.common.telemetry import get_logger
from services.orchestrator.convert.characters import (
    character_message,
    commit_wish,
    edit_message,
    edit_wish,
    sheet_of,
)
from services.orchestrator.domain.images.edits import EditState, ImageEdit
from services.orchestrator.domain.ports import AssetPort
from services.orchestrator.usecases.images.characters import KeepCharacters
from services.orchestrator.usecases.images.edit import EditImages

_log = get_logger(__name__)


@dataclass(frozen=True, kw_only=True)
class CharacterUseCases:
    """What the servicer calls."""

    characters: KeepCharacters
    edits: EditImages
    assets: AssetPort


class Characters(CharacterServiceServicer):
    """`CharacterService`. The tenant is the caller's."""

    def __init__(self, use: CharacterUseCases) -> None:
        """Take the use cases, and who signs URLs."""
        self._use = use

    @override
    async def SetCharacter(
        self, request: pb.SetCharacterRequest, context: Any
    ) -> pb.SetCharacterResponse:
        found = await self._use.characters.set(_tenant(), sheet_of(request.sheet))
        return pb.SetCharacterResponse(character=character_message(found))

    @override
    async def GetCharacter(
        self, request: pb.GetCharacterRequest, context: Any
    ) -> pb.GetCharacterResponse:
        found, versions = await self._use.characters.get(_tenant(), request.name)
        return pb.GetCharacterResponse(character=character_message(found, tuple(versions)))

    @override
    async def ListCharacters(
        self, request: pb.ListCharactersRequest, context: Any
    ) -> pb.ListCharactersResponse:
        page, token = await self._use.characters.list(
            _tenant(), request.page_size, request.page_token
        )
        return pb.ListCharactersResponse(
            characters=map(character_message, page), next_page_token=token
        )

    @override
    async def EditImage(self, request: pb.EditImageRequest, context: Any) -> pb.EditImageResponse:
        caller = current_identity()
        edit = await self._use.edits.preview(
            caller.tenant,
            edit_wish(request),
            request_id=request.request_id,
            user=caller.key_id,
        )
        return pb.EditImageResponse(edit=await self._shown(edit))

    @override
    async def CommitImageEdit(
        self, request: pb.CommitImageEditRequest, context: Any
    ) -> pb.CommitImageEditResponse:
        caller = current_identity()
        edit = await self._use.edits.commit(
            caller.tenant,
            commit_wish(request),
            request_id=request.request_id,
            user=caller.key_id,
        )
        return pb.CommitImageEditResponse(edit=await self._shown(edit))

    @override
    async def GetImageEdit(
        self, request: pb.GetImageEditRequest, context: Any
    ) -> pb.GetImageEditResponse:
        edit = await self._use.edits.get(_tenant(), request.name)
        return pb.GetImageEditResponse(edit=await self._shown(edit))

    @override
    async def ListImageEdits(
        self, request: pb.ListImageEditsRequest, context: Any
    ) -> pb.ListImageEditsResponse:
        page, token = await self._use.edits.list(_tenant(), request.page_size, request.page_token)
        return pb.ListImageEditsResponse(edits=map(edit_message, page), next_page_token=token)

    async def _shown(self, edit: ImageEdit) -> pb.ImageEdit:
        """The message with a URL of what was made; while storage is away it is missing."""
        if edit.state is not EditState.SUCCEEDED:
            return edit_message(edit)
        try:
            links = await self._use.assets.links(edit.tenant, edit.asset, still=False)
        except ServiceError as error:
            _log.warning("links_missing", edit=edit.name, reason=error.reason)
            return edit_message(edit)
        return edit_message(edit, links.content)


def _tenant() -> str:
    return current_identity().tenant
