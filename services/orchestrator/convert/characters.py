"""Characters and edits as the contract shows them, and requests as domain values."""

from reelmesh.orchestrator.v1 import character_service_pb2 as pb
from reelmesh.orchestrator.v1 import film_service_pb2
from services.orchestrator.adapters.messages import load_texts
from services.orchestrator.adapters.wire import from_money, to_error, to_money, to_timestamp
from services.orchestrator.domain.films.characters import CharacterSheet
from services.orchestrator.domain.images.edits import CommitWish, EditWish, ImageEdit
from services.orchestrator.domain.images.versions import Character, SheetVersion, character_id


def sheet_of(message: film_service_pb2.CharacterSheet) -> CharacterSheet:
    """The sheet. Raises InvalidArgument naming the field."""
    return CharacterSheet(
        name=message.name, description=message.description, reference=message.reference
    )


def edit_wish(message: pb.EditImageRequest) -> EditWish:
    """What is wanted. Raises InvalidArgument naming the field."""
    sketch = message.HasField("allow_placeholder")
    return EditWish(
        prompt=message.prompt,
        asset=message.asset,
        character=message.character,
        model=message.model,
        seed=message.seed if message.HasField("seed") else None,
        aspect_ratio=message.aspect_ratio,
        budget_limit_micros=_limit(message),
        placeholder=message.allow_placeholder if sketch else None,
        project=message.project,
    )


def commit_wish(message: pb.CommitImageEditRequest) -> CommitWish:
    """What is wanted. Raises InvalidArgument naming the field."""
    return CommitWish(
        preview=message.name,
        resolution=message.resolution,
        budget_limit_micros=_limit(message),
        description=message.description,
    )


def _limit(message: pb.EditImageRequest | pb.CommitImageEditRequest) -> int | None:
    given = message.HasField("budget_limit")
    return from_money("budget_limit", message.budget_limit) if given else None


def edit_message(edit: ImageEdit, url: str = "") -> pb.ImageEdit:
    """An edit with all that explains it; `url` shows what was made."""
    return pb.ImageEdit(
        name=edit.name,
        tenant_name=edit.tenant,
        state=pb.ImageEdit.State.Value(f"STATE_{edit.state.name}"),
        prompt=edit.prompt,
        parent=edit.parent,
        character=f"characters/{character_id(edit.subject.name)}" if edit.subject else "",
        preview=f"imageEdits/{edit.preview}" if edit.preview else "",
        model=edit.model,
        seed=edit.seed,
        resolution=edit.resolution,
        asset=edit.asset if edit.state.terminal else "",
        content_url=url,
        sha256=edit.sha256 if edit.state.terminal else "",
        placeholder=edit.placeholder,
        price=to_money(edit.price_micros),
        cost=to_money(edit.cost_micros),
        warnings=load_texts().say("en", edit.warnings),
        error=to_error(edit.error),
        version=edit.version,
        create_time=to_timestamp(edit.create_time),
        end_time=to_timestamp(edit.end_time),
    )


def character_message(found: Character, versions: tuple[SheetVersion, ...] = ()) -> pb.Character:
    """A character, with its versions where they are told."""
    return pb.Character(
        name=found.name,
        sheet=_sheet(found.sheet),
        version=found.version,
        versions=[
            pb.CharacterVersion(
                version=each.version,
                sheet=_sheet(each.sheet),
                edit=f"imageEdits/{each.edit}" if each.edit else "",
                create_time=to_timestamp(each.create_time),
            )
            for each in versions
        ],
    )


def _sheet(sheet: CharacterSheet) -> film_service_pb2.CharacterSheet:
    return film_service_pb2.CharacterSheet(
        name=sheet.name, description=sheet.description, reference=sheet.reference
    )
