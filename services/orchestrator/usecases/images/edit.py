"""EditImage and CommitImageEdit: priced and held against every budget before anything is spent."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from services.common.errors import FailedPrecondition, InvalidArgument
from services.orchestrator.domain.fairness import Shares
from services.orchestrator.domain.images.edits import (
    CommitWish,
    EditState,
    EditWish,
    ImageEdit,
    Subject,
    print_of,
    seed_for,
)
from services.orchestrator.domain.images.painting import (
    checked_size,
    painter,
    price_of,
    require_within,
    smallest,
)
from services.orchestrator.domain.images.ports import CharacterBook, EditStore
from services.orchestrator.domain.models import Model, find
from services.orchestrator.domain.money.budgets import exceeded
from services.orchestrator.domain.money.ledger import Ledger
from services.orchestrator.domain.money.scopes import Payer, month_of
from services.orchestrator.domain.options import check_text
from services.orchestrator.domain.policy_ports import PoliciesPort
from services.orchestrator.domain.ports import AssetPort, ModelsPort
from services.orchestrator.domain.wishes import held_to
from services.orchestrator.usecases.accept import MAX_REQUEST_ID
from services.orchestrator.usecases.admission import Admission
from services.orchestrator.usecases.images.naming import id_in, paged
from services.orchestrator.usecases.policies import FixedPolicies
from services.orchestrator.usecases.screening import ScreenWords


@dataclass(frozen=True, kw_only=True)
class EditImages:
    """What callers can want of edits. An edit is durable before the answer leaves."""

    edits: EditStore
    characters: CharacterBook
    models: ModelsPort
    assets: AssetPort
    ledger: Ledger
    now: Callable[[], datetime]
    new_id: Callable[[], str]
    screening: ScreenWords = field(default_factory=ScreenWords)
    policies: PoliciesPort = field(default_factory=FixedPolicies)
    admission: Admission = field(default_factory=Admission)
    shares: Shares = field(default_factory=Shares)
    placeholder: bool = False

    async def preview(
        self, tenant: str, wish: EditWish, *, request_id: str = "", user: str = ""
    ) -> ImageEdit:
        """The preview, the known one for a known request_id.

        Raises InvalidArgument, NotFound for what is not the tenant's, RequestConflict, Moderated,
        BudgetExceeded, NoModel and what else keeps a named model from serving, FailedPrecondition
        for a paused tenant, ResourceExhausted and RateLimited for its quotas.
        """
        known = await self._known(tenant, request_id, wish)
        if known is not None:
            return known
        parent, subject = await self._source(tenant, wish)
        may_sketch = self.placeholder if wish.placeholder is None else wish.placeholder
        model = painter(
            await self._models(tenant, user),
            wish.model,
            pictured=bool(parent),
            placeholder=may_sketch,
        )
        edit_id = self.new_id()
        seed = seed_for(edit_id) if wish.seed is None else wish.seed
        edit = ImageEdit(
            id=edit_id,
            tenant=tenant,
            prompt=wish.prompt,
            parent=parent,
            subject=subject,
            model=model.id,
            provider=model.provider,
            seed=seed if model.seed else None,
            aspect_ratio=wish.aspect_ratio,
            limit_micros=wish.budget_limit_micros,
            project=wish.project,
            user=user,
            create_time=self.now(),
        )
        size = smallest(model)
        return await self._accepted(edit, model, size, request_id, print_of(tenant, wish))

    async def commit(
        self, tenant: str, wish: CommitWish, *, request_id: str = "", user: str = ""
    ) -> ImageEdit:
        """The preview in full: its words, model and seed. Raises what `preview` raises.

        FailedPrecondition for an edit that is no preview, or was not made.
        """
        known = await self._known(tenant, request_id, wish)
        if known is not None:
            return known
        preview = await self.edits.get(tenant, id_in(wish.preview, "imageEdits"))
        if preview.preview or preview.state is not EditState.SUCCEEDED:
            raise FailedPrecondition(f"{preview.name} is no preview that was made")
        model, size = await self._in_full(preview, wish.resolution, user)
        edit = ImageEdit(
            id=self.new_id(),
            tenant=tenant,
            prompt=preview.prompt,
            parent=preview.parent,
            subject=preview.subject,
            description=wish.description,
            preview=preview.id,
            preview_asset=preview.asset,
            model=preview.model,
            provider=preview.provider,
            seed=preview.seed,
            aspect_ratio=preview.aspect_ratio,
            limit_micros=wish.budget_limit_micros,
            project=preview.project,
            user=user,
            create_time=self.now(),
        )
        if model is None:
            edit = replace(
                edit, asset=preview.asset, sha256=preview.sha256, placeholder=preview.placeholder
            )
        return await self._accepted(edit, model, size, request_id, print_of(tenant, wish))

    async def _in_full(
        self, preview: ImageEdit, resolution: str, user: str
    ) -> tuple[Model | None, str]:
        """Who makes it and in which size; None where it is there already, and paid for.

        Raises NotFound where it was there and is not any more.
        """
        models = await self._models(preview.tenant, user)
        known = find(models, preview.model)
        size = resolution if known is None else checked_size(known, resolution)
        if size == preview.resolution:
            await self.assets.picture(preview.tenant, preview.asset)
            return None, size
        model = painter(models, preview.model, pictured=bool(preview.parent), placeholder=True)
        return model, size

    async def get(self, tenant: str, name: str) -> ImageEdit:
        """One edit. Raises InvalidArgument, NotFound."""
        edit = await self.edits.get(tenant, id_in(name, "imageEdits"))
        return (await self._billed(tenant, [edit]))[0]

    async def list(self, tenant: str, size: int, token: str) -> tuple[Sequence[ImageEdit], str]:
        """One page, newest first, and the token of the next; "" on the last."""
        found, rest = await paged(lambda most: self.edits.list(tenant, token, most), size, token)
        return await self._billed(tenant, found), rest

    async def _billed(self, tenant: str, edits: Sequence[ImageEdit]) -> Sequence[ImageEdit]:
        """With what they have cost by now: late, after their end, or as a vendor's bill says."""
        sums = await self.ledger.totals(tenant, [edit.id for edit in edits])
        return [
            replace(edit, cost_micros=sums[edit.id].cost_micros) if edit.id in sums else edit
            for edit in edits
        ]

    async def _known(
        self, tenant: str, request_id: str, wish: EditWish | CommitWish
    ) -> ImageEdit | None:
        check_text("request_id", request_id, MAX_REQUEST_ID)
        known = await self.edits.known(tenant, request_id, print_of(tenant, wish))
        return None if known is None else (await self._billed(tenant, [known]))[0]

    async def _models(self, tenant: str, user: str) -> Sequence[Model]:
        """The catalogue as the key may use it."""
        policy = await self.policies.of(tenant, user)
        return held_to(policy, await self.models.models(tenant))

    async def _source(self, tenant: str, wish: EditWish) -> tuple[str, Subject | None]:
        """The picture that is edited, "" for none yet, and whose it is."""
        parent, subject = wish.asset, None
        if wish.character:
            identifier = id_in(wish.character, "characters", "source")
            sheet = (await self.characters.character(tenant, identifier)).sheet
            parent, subject = (
                sheet.reference,
                Subject(name=sheet.name, description=sheet.description),
            )
        if parent.startswith("assets/") and await self.assets.picture(tenant, parent) is None:
            raise InvalidArgument("source", "is no picture", allowed=("a picture's asset",))
        return parent, subject

    async def _accepted(
        self, edit: ImageEdit, model: Model | None, size: str, request_id: str, fingerprint: str
    ) -> ImageEdit:
        price = 0 if model is None else price_of(model, size)
        require_within(price, edit.limit_micros)
        for text in filter(None, (edit.words, edit.description)):
            await self.screening.whole(edit.tenant, text)
        for budget in await self.ledger.budgets(edit.tenant, payer_of_edit(edit).scopes()):
            if price is None or price > budget.left_micros:
                raise exceeded(budget, price)
        policy = await self.policies.of(edit.tenant, edit.user)
        await self.admission.one_edit(edit.tenant, policy, self.edits)
        place = self.shares.place(edit.tenant, policy.quota.weight, edit.create_time)
        priced = replace(edit, resolution=size, price_micros=price, place=place)
        accepted, _ = await self.edits.accept(priced, request_id, fingerprint)
        return accepted


def payer_of_edit(edit: ImageEdit) -> Payer:
    """Who pays for an edit: it is accounted to the month that it was accepted in."""
    return Payer(
        tenant=edit.tenant,
        job=edit.id,
        month=month_of(edit.create_time),
        project=edit.project,
        creative="",
        film="",
        user=edit.user,
    )
