"""The part of the orchestrator that keeps characters and edits pictures, put together."""

from services.common import clock
from services.common.ids import new_id
from services.orchestrator.adapters.sql_characters import SqlCharacters
from services.orchestrator.servicers.characters import CharacterUseCases
from services.orchestrator.settings import Settings
from services.orchestrator.usecases.admission import Admission
from services.orchestrator.usecases.images.characters import KeepCharacters
from services.orchestrator.usecases.images.edit import EditImages
from services.orchestrator.usecases.images.make import MakeEdit
from services.orchestrator.worker import Parts


def edit_steps(settings: Settings, parts: Parts) -> MakeEdit:
    """The step by which a worker makes edits."""
    return MakeEdit(
        edits=parts.edits,
        characters=SqlCharacters(parts.database, now=clock.now),
        works=parts.films.works,
        ledger=parts.ledger,
        now=clock.now,
        deadline=settings.job_deadline,
        screening=parts.screening,
    )


def character_use_cases(parts: Parts, admission: Admission) -> CharacterUseCases:
    """What callers can want of characters and edits, which are let in as jobs are."""
    book = SqlCharacters(parts.database, now=clock.now)
    edits = EditImages(
        edits=parts.edits,
        characters=book,
        models=parts.models,
        assets=parts.assets,
        ledger=parts.ledger,
        now=clock.now,
        new_id=new_id,
        screening=parts.screening,
        policies=parts.policies,
        admission=admission,
        placeholder=parts.router.allow_placeholder,
    )
    keep = KeepCharacters(book=book, assets=parts.assets, screening=parts.screening)
    return CharacterUseCases(characters=keep, edits=edits, assets=parts.assets)
