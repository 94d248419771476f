"""The step by which an edit is made: held, asked for once, followed, settled, put down."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from services.common.errors import ServiceError
from services.common.telemetry import get_logger
from services.orchestrator.domain.films.characters import CharacterSheet
from services.orchestrator.domain.films.ports import WorkPort
from services.orchestrator.domain.films.works import PictureWork, WorkOrder
from services.orchestrator.domain.images.edits import EditState, ImageEdit
from services.orchestrator.domain.images.ports import CharacterBook, EditStore
from services.orchestrator.domain.money.ledger import Charge, Ledger
from services.orchestrator.domain.values import Failure
from services.orchestrator.usecases.buying import Buying
from services.orchestrator.usecases.finish import DEFECT
from services.orchestrator.usecases.images.edit import payer_of_edit
from services.orchestrator.usecases.patience import Rest, failure, may_repeat, passing, rest
from services.orchestrator.usecases.screening import ScreenWords
from services.orchestrator.usecases.spend import close

MAX_TRIES = 8
_log = get_logger(__name__)


@dataclass(frozen=True, kw_only=True)
class MakeEdit:
    """`flows.edit_image.EditSteps`. May run again after a crash, and buys nothing twice."""

    edits: EditStore
    characters: CharacterBook
    works: WorkPort
    ledger: Ledger
    now: Callable[[], datetime]
    deadline: timedelta
    screening: ScreenWords = field(default_factory=ScreenWords)
    rest: Rest = rest

    async def edit(self, edit_id: str) -> None:
        """Make it; an edit always ends, whatever becomes of it."""
        edit = await self.edits.change(edit_id, lambda e: None if e.state.terminal else e.begun())
        while not edit.state.terminal:
            try:
                edit = await self._made(edit)
            except ServiceError as error:
                if passing(error):
                    raise  # a part of ours is away: the engine runs the step again
                edit = await self._failed(edit, failure(error))
        _log.info("edit_ended", edit=edit.name, tenant=edit.tenant, state=edit.state)

    async def abandon(self, edit_id: str) -> None:
        """End an edit that nobody works on any more: a defect, and it still ends."""
        await self._failed(await self.edits.read(edit_id), DEFECT)

    async def _made(self, edit: ImageEdit) -> ImageEdit:
        """The edit after one try."""
        if edit.asset:  # its preview is the same picture
            return await self._done(edit, edit)
        await self.screening.quick(edit.tenant, edit.words)
        charge, order = _charge(edit), _order(edit)
        buying = Buying(works=self.works, ledger=self.ledger, deadline=self.deadline)
        view = await buying(order, charge)
        cost = await close(self.ledger, charge, view)
        if view.state == "succeeded" and view.piece is not None:
            piece = view.piece
            made = replace(
                edit,
                asset=piece.asset,
                sha256=piece.sha256,
                placeholder=piece.placeholder,
                cost_micros=cost,
                warnings=tuple(told.said("en") for told in view.warnings),
            )
            return await self._done(edit, made)
        fault = view.error or Failure(reason="CANCELLED", message="it was cancelled")
        # Whatever has cost money is not asked for a second time.
        if may_repeat(fault, view.cost_micros) and edit.attempt < MAX_TRIES:
            await self.rest(edit.attempt)
            return await self._again(edit)
        return await self._failed(edit, fault, cost)

    async def _again(self, edit: ImageEdit) -> ImageEdit:
        def again(known: ImageEdit) -> ImageEdit | None:
            return known.again() if known.attempt == edit.attempt else None

        return await self.edits.change(edit.id, again)

    async def _done(self, edit: ImageEdit, made: ImageEdit) -> ImageEdit:
        """Put down what was made; a commit of a character is first its sheet's next version."""
        version = 0
        if made.preview and made.subject is not None:
            sheet = CharacterSheet(
                name=made.subject.name,
                description=made.description,
                reference=made.asset,
                sha256=made.sha256,
            )
            version = await self.characters.put(edit.tenant, sheet, edit.id)
        ended = replace(made, state=EditState.SUCCEEDED, version=version, end_time=self.now())
        return await self.edits.change(edit.id, lambda e: None if e.state.terminal else ended)

    async def _failed(self, edit: ImageEdit, fault: Failure, cost_micros: int = 0) -> ImageEdit:
        moment = self.now()

        def fail(known: ImageEdit) -> ImageEdit | None:
            return None if known.state.terminal else known.failed(moment, fault, cost_micros)

        return await self.edits.change(edit.id, fail)


def _charge(edit: ImageEdit) -> Charge:
    return Charge(
        payer=payer_of_edit(edit),
        attempt=edit.order_id,
        model=edit.model,
        provider=edit.provider,
        job_limit_micros=edit.limit_micros,
    )


def _order(edit: ImageEdit) -> WorkOrder:
    """The same body every time."""
    lineage = {"edit": edit.id, "preview": edit.preview_asset}
    return WorkOrder(
        request_id=edit.order_id,
        tenant=edit.tenant,
        model=edit.model,
        work=PictureWork(
            prompt=edit.words,
            aspect_ratio=edit.aspect_ratio,
            resolution=edit.resolution,
            seed=edit.seed,
            reference=edit.picture,
        ),
        film=edit.name,
        creative_id="",
        max_price_micros=edit.price_micros,
        waiting=True,
        labels={name: value for name, value in lineage.items() if value},
    )
