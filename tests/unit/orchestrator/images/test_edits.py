"""An edit forks a picture: a small preview within a price, then the same in full by its seed."""

import random
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from services.common.errors import (
    BudgetExceeded,
    FailedPrecondition,
    InvalidArgument,
    Moderated,
    NoModel,
    NotFound,
    RequestConflict,
    Unavailable,
)
from services.orchestrator.domain.films.characters import CharacterSheet
from services.orchestrator.domain.films.works import PictureWork
from services.orchestrator.domain.images.edits import CommitWish, EditState, EditWish, print_of
from services.orchestrator.domain.images.versions import Character, SheetVersion, character_id
from services.orchestrator.domain.models import Availability, Lifecycle, Model
from services.orchestrator.domain.money.scopes import Scope, ScopeKind
from services.orchestrator.domain.options import ImageInput
from services.orchestrator.domain.prices import Price
from services.orchestrator.usecases.buying import Buying
from services.orchestrator.usecases.images.characters import KeepCharacters
from services.orchestrator.usecases.images.edit import EditImages
from services.orchestrator.usecases.images.make import MAX_TRIES, MakeEdit, _charge, _order
from services.orchestrator.usecases.screening import ScreenWords
from services.orchestrator.usecases.settle import SettleLate
from tests.fakes.film_parts import NOW, MemoryEdits, MemoryFilms, ScriptedWorks
from tests.fakes.journal import Crash
from tests.fakes.memory_ledger import MemoryLedger
from tests.fakes.orchestrator_parts import FixedModels, MemoryJobs, ScriptedGenerator
from tests.unit.orchestrator.films.test_characters import Pictures

PRICE = 3_000
PAINTER = Model(
    id="painter",
    provider="vendor",
    task="image",
    image=True,
    seed=True,
    resolutions=("480p", "720p", "1080p"),
    price=Price(kind="per_image", amount_micros=PRICE),
)
DEAR = replace(PAINTER, id="dear", price=Price(kind="per_image", amount_micros=9 * PRICE))
BLIND = replace(PAINTER, id="blind", image=False, price=Price(kind="per_image", amount_micros=1))
ONE_SIZE = replace(PAINTER, id="one_size", resolutions=(), seed=False)
RANDOM = replace(PAINTER, id="random", seed=False, price=Price(kind="free"))
SKETCH = Model(
    id="sketch",
    provider="reelmesh",
    task="image",
    image=True,
    seed=True,
    placeholder=True,
    lifecycle=Lifecycle.SELF_HOSTED,
    resolutions=("480p", "1080p"),
    price=Price(kind="free"),
)
MODELS = (DEAR, PAINTER, BLIND, RANDOM, SKETCH)
TENANT = Scope(ScopeKind.TENANT, "acme")


class Book:
    """`CharacterBook` in a dictionary."""

    def __init__(self) -> None:
        self.known: dict[tuple[str, str], list[SheetVersion]] = {}

    async def put(self, tenant: str, sheet: CharacterSheet, edit: str = "") -> int:
        found = self.known.setdefault((tenant, character_id(sheet.name)), [])
        if edit and found and not sheet.description:
            sheet = replace(sheet, description=found[-1].sheet.description)
        for each in found:
            if (edit and each.edit == edit) or (each is found[-1] and each.sheet == sheet):
                return each.version
        number = len(found) + 1
        found.append(SheetVersion(version=number, sheet=sheet, edit=edit, create_time=NOW))
        return number

    async def versions(self, tenant: str, identifier: str) -> Any:
        return self.known.get((tenant, identifier), [])

    async def character(self, tenant: str, identifier: str) -> Character:
        found = await self.versions(tenant, identifier)
        if not found:
            raise NotFound("character", identifier)
        return Character(id=identifier, sheet=found[-1].sheet, version=len(found))

    async def characters(self, tenant: str, after: str, limit: int) -> Any:
        mine = [await self.character(*key) for key in self.known if key[0] == tenant]
        mine.sort(key=lambda each: each.sheet.name)
        start = next((n + 1 for n, each in enumerate(mine) if each.id == after), 0)
        return mine[start : start + limit]


class House:
    """All that edits pictures, in memory."""

    def __init__(self, *models: Model, placeholder: bool = False) -> None:
        self.edits, self.book, self.ledger = MemoryEdits(), Book(), MemoryLedger()
        self.works = ScriptedWorks(cost=lambda _: PRICE)
        self.models, self.placeholder, self.ids = models or MODELS, placeholder, 0
        self.rests: list[int] = []

    def new_id(self) -> str:
        self.ids += 1
        return f"e{self.ids}"

    @property
    def use(self) -> EditImages:
        made = (edit.asset.removeprefix("assets/") for edit in self.edits.edits.values())
        pictures: Any = Pictures(tree="d1", clip=None, **dict.fromkeys(made, "made"))
        return EditImages(
            edits=self.edits,
            characters=self.book,
            models=FixedModels(*self.models),
            assets=pictures,
            ledger=self.ledger,
            now=lambda: NOW,
            new_id=self.new_id,
            placeholder=self.placeholder,
        )

    @property
    def worker(self) -> MakeEdit:
        return MakeEdit(
            edits=self.edits,
            characters=self.book,
            works=self.works,
            ledger=self.ledger,
            now=lambda: NOW,
            deadline=timedelta(hours=1),
            rest=self.rest,
        )

    async def rest(self, tries: int) -> None:
        self.rests.append(tries)

    async def preview(self, **wish: Any) -> Any:
        """A preview of a tree as it ends."""
        asked = EditWish(**({"asset": "assets/tree", "prompt": "in autumn"} | wish))
        edit = await self.use.preview("acme", asked)
        await self.worker.edit(edit.id)
        return self.edits.edits[edit.id]

    async def commit(self, preview: Any, **wish: Any) -> Any:
        """A commit as it ends."""
        edit = await self.use.commit("acme", CommitWish(preview=preview.name, **wish))
        await self.worker.edit(edit.id)
        return self.edits.edits[edit.id]

    @property
    def untouched(self) -> bool:
        """Whether nothing was written, asked for, or held."""
        return not (self.edits.edits or self.works.begun or self.ledger.accounts)

    def asked(self) -> list[PictureWork]:
        """What models were asked for."""
        works = [order.work for order in self.works.begun.values()]
        return [work for work in works if isinstance(work, PictureWork)]


async def test_a_preview_is_small_and_a_commit_is_the_same_in_full_and_the_parent_is_kept():
    house = House()
    preview = await house.preview(budget_limit_micros=PRICE)
    full = await house.commit(preview)
    assert (preview.model, preview.resolution, full.resolution) == ("painter", "480p", "1080p")
    small, large = house.asked()
    assert replace(large, resolution="480p") == small
    assert small.reference == ImageInput(asset="assets/tree")
    assert large.seed == small.seed == preview.seed == full.seed
    assert (preview.parent, full.parent) == ("assets/tree", "assets/tree")
    assert full.preview == preview.id
    assert len({preview.asset, full.asset, "assets/tree"}) == 3
    labels = [order.labels for order in house.works.begun.values()]
    assert labels == [{"edit": preview.id}, {"edit": full.id, "preview": preview.asset}]
    assert all(order.waiting for order in house.works.begun.values())
    assert (preview.cost_micros, full.cost_micros) == (PRICE, PRICE)
    assert house.ledger.sums("acme", TENANT) == (0, 2 * PRICE)


@pytest.mark.parametrize(("model", "limit"), [("", PRICE - 1), ("dear", PRICE), ("", 0)])
async def test_a_preview_that_costs_more_than_it_may_is_refused_by_its_field(model, limit):
    house = House()
    with pytest.raises(InvalidArgument) as caught:
        await house.preview(model=model, budget_limit_micros=limit)
    assert caught.value.violations[0].field == "budget_limit"
    assert house.untouched
    preview = await house.preview(budget_limit_micros=PRICE)
    with pytest.raises(InvalidArgument, match="budget_limit"):
        await house.commit(preview, budget_limit_micros=PRICE - 1)
    assert len(house.works.begun) == 1


async def test_a_price_that_nobody_knows_does_not_fit_a_limit():
    house = House(replace(PAINTER, price=Price()))
    with pytest.raises(InvalidArgument, match="budget_limit"):
        await house.preview(budget_limit_micros=10**9)
    assert (await house.preview()).price_micros is None


async def test_a_budget_that_does_not_hold_it_refuses_before_anything_is_written():
    house = House()
    house.ledger.limits["acme", TENANT] = PRICE - 1
    with pytest.raises(BudgetExceeded):
        await house.preview()
    assert house.untouched


async def test_a_character_without_a_picture_has_its_first_one_made_of_its_words():
    house = House()
    keep = KeepCharacters(book=house.book, assets=Pictures())  # type: ignore[arg-type]  # asked for none
    emma = await keep.set("acme", CharacterSheet(name="Emma", description="ten, in a red coat."))
    preview = await house.preview(asset="", character=emma.name, prompt="Smiling")
    assert house.asked()[0].prompt == "ten, in a red coat. Smiling"
    assert (preview.model, preview.parent) == ("blind", ""), "it need not take a picture"
    assert (await keep.get("acme", emma.name))[0].version == 1, "a preview changes no sheet"
    full = await house.commit(preview, description="ten, in a blue coat")
    assert house.asked()[1].prompt == house.asked()[0].prompt, "the new words are for films"
    found, versions = await keep.get("acme", emma.name)
    assert full.version == found.version == 2
    assert found.sheet == CharacterSheet(
        name="Emma", description="ten, in a blue coat", reference=full.asset, sha256=full.sha256
    )
    assert [each.edit for each in versions] == ["", full.id]
    # The next edit begins with the picture, and the words are not said twice.
    second = await house.preview(asset="", character=emma.name, prompt="At night")
    assert (second.parent, house.asked()[-1].prompt) == (full.asset, "At night")


async def test_a_commit_without_words_keeps_those_that_were_set_since_its_preview():
    house = House()
    await house.book.put("acme", CharacterSheet(name="Emma", description="in red"))
    emma = f"characters/{character_id('Emma')}"
    preview = await house.preview(asset="", character=emma, prompt="Smiling")
    await house.book.put("acme", CharacterSheet(name="Emma", description="in green"))
    full = await house.commit(preview)
    newest = (await house.book.character("acme", character_id("Emma"))).sheet
    assert (newest.description, newest.reference) == ("in green", full.asset)


async def test_of_a_model_that_makes_one_size_the_preview_is_the_picture_and_is_paid_for_once():
    house = House(ONE_SIZE)
    preview = await house.preview()
    full = await house.commit(preview)
    assert (full.asset, full.sha256, full.state) == (preview.asset, preview.sha256, "succeeded")
    assert (full.price_micros, full.cost_micros, len(house.works.begun)) == (0, 0, 1)


async def test_what_is_there_already_is_kept_though_nobody_could_make_it_now():
    house = House(ONE_SIZE)
    preview = await house.preview()
    house.models = (replace(ONE_SIZE, availability=Availability.NO_CREDENTIALS),)
    assert (await house.commit(preview)).asset == preview.asset
    house.models = (replace(PAINTER, id="another"),)
    assert (await house.commit(preview)).asset == preview.asset
    with pytest.raises(InvalidArgument, match="model"):
        await house.commit(preview, resolution="1080p")


async def test_what_was_there_and_was_deleted_becomes_nobodys_sheet():
    house = House(ONE_SIZE)
    preview = await house.preview()
    empty: Any = Pictures(tree="d1")
    with pytest.raises(NotFound, match="asset"):
        await replace(house.use, assets=empty).commit("acme", CommitWish(preview=preview.name))
    assert house.edits.ordered == [preview.id]


async def test_a_model_that_could_not_make_the_same_again_is_not_asked():
    with pytest.raises(NoModel):
        await House(RANDOM).preview()
    with pytest.raises(InvalidArgument, match="model"):
        await House(RANDOM, PAINTER).preview(model="random")


async def test_a_sketch_stands_in_only_where_nothing_else_is_ready_and_it_may():
    away = replace(PAINTER, availability=Availability.NO_CREDENTIALS)
    with pytest.raises(NoModel):
        await House(away, SKETCH).preview()
    assert (await House(away, SKETCH).preview(placeholder=True)).model == "sketch"
    assert (await House(away, SKETCH, placeholder=True).preview()).model == "sketch"
    assert (await House(PAINTER, SKETCH, placeholder=True).preview()).model == "painter"
    house = House(away, SKETCH, placeholder=True)
    assert (await house.commit(await house.preview())).resolution == "1080p"


@pytest.mark.parametrize(
    ("wish", "error"),
    [
        ({"asset": "assets/foreign"}, NotFound),
        ({"asset": "assets/clip"}, InvalidArgument),
        ({"asset": "", "character": "characters/0"}, NotFound),
        ({"asset": "", "character": "films/0"}, InvalidArgument),
        ({"asset": "assets/tree", "character": "characters/0"}, InvalidArgument),
        ({"asset": ""}, InvalidArgument),
        ({"prompt": "  "}, InvalidArgument),
        ({"seed": -1}, InvalidArgument),
        ({"model": "no_such"}, InvalidArgument),
    ],
)
async def test_what_cannot_be_edited_is_refused_before_anything_is_bought(wish, error):
    house = House()
    with pytest.raises(error):
        await house.preview(**wish)
    assert house.untouched


async def test_only_a_preview_that_was_made_can_be_committed_in_a_size_that_there_is():
    house = House()
    waiting = await house.use.preview("acme", EditWish(asset="assets/tree", prompt="in snow"))
    with pytest.raises(FailedPrecondition):
        await house.commit(waiting)
    preview = await house.preview()
    with pytest.raises(InvalidArgument, match="resolution"):
        await house.commit(preview, resolution="8k")
    assert (await house.commit(preview, resolution="720p")).resolution == "720p"
    with pytest.raises(FailedPrecondition):
        await house.commit(await house.commit(preview))
    with pytest.raises(NotFound):
        await house.use.commit("rival", CommitWish(preview=preview.name))
    with pytest.raises(NotFound):
        await house.use.get("rival", preview.name)
    assert (await house.use.list("rival", 0, ""))[0] == []


async def test_the_same_request_is_the_same_edit_and_another_body_is_refused():
    house = House()
    wish = EditWish(asset="assets/tree", prompt="in autumn")
    first = await house.use.preview("acme", wish, request_id="r1")
    assert await house.use.preview("acme", wish, request_id="r1") == first
    with pytest.raises(RequestConflict):
        await house.use.preview("acme", replace(wish, prompt="in snow"), request_id="r1")
    assert house.edits.ordered == [first.id]


def test_a_field_that_comes_later_changes_no_fingerprint_of_before():
    @dataclass(frozen=True, kw_only=True)
    class Later(EditWish):
        style: str = ""

    wish: dict[str, Any] = {"asset": "assets/tree", "prompt": "in autumn"}
    print_ = print_of("acme", EditWish(**wish))
    assert print_ == "0592b346ec6cbeaf15dada294c5673418cad418491c9f7f2df67f3cc412894f3"
    assert print_of("acme", Later(**wish)) == print_
    others = [
        print_of("acme", Later(**wish, style="ink")),
        print_of("acme", EditWish(**wish, seed=0)),
        print_of("acme", EditWish(**wish, placeholder=False)),
        print_of("acme", EditWish(**wish, budget_limit_micros=0)),
        print_of("rival", EditWish(**wish)),
        print_of("acme", CommitWish(preview="imageEdits/e1")),
    ]
    assert len({print_, *others}) == 7


async def test_a_failure_ends_the_edit_frees_the_money_and_says_why():
    house = House()
    house.works.script = lambda _: "fail"
    house.works.cost = lambda _: 0
    edit = await house.preview()
    assert (edit.state, edit.error.reason) == (EditState.FAILED, "GENERATION_FAILED")
    assert house.ledger.sums("acme", TENANT) == (0, 0)
    refused = House()
    refused.works.script = lambda _: "refused"
    assert (await refused.preview()).state is EditState.FAILED
    assert refused.ledger.sums("acme", TENANT) == (0, 0)


async def test_an_edit_that_a_restart_of_ours_has_ended_is_made_under_another_id():
    house = House()
    house.works.script = lambda name: "interrupted" if name.endswith(("/1", "/2")) else "ok"
    house.works.cost = lambda name: PRICE if name.endswith("/3") else 0
    edit = await house.preview()
    assert (edit.state, edit.attempt, edit.cost_micros) == (EditState.SUCCEEDED, 3, PRICE)
    endless = House()
    endless.works.script, endless.works.cost = lambda _: "interrupted", lambda _: 0
    assert (await endless.preview()).state is EditState.FAILED
    assert len(endless.works.begun) == MAX_TRIES
    assert endless.rests == list(range(1, MAX_TRIES)), "a part of ours has time to come back"


async def test_a_try_that_has_cost_money_is_not_made_again_and_says_what_it_cost():
    class Billed(ScriptedWorks):
        """A vendor that is paid for what did not come to its end."""

        async def watch(self, tenant: str, name: str, after: int) -> Any:
            async for view in super().watch(tenant, name, after):
                yield replace(view, cost_micros=PRICE if view.state == "failed" else 0)

    house = House()
    house.works = Billed(script=lambda _: "interrupted")
    edit = await house.preview()
    assert (edit.state, edit.attempt, edit.cost_micros) == (EditState.FAILED, 1, PRICE)
    assert (house.rests, len(house.works.begun)) == ([], 1)
    assert house.ledger.sums("acme", TENANT) == (0, PRICE)


async def test_late_money_leaves_an_edit_in_work_alone_and_abandoned_ones_end():
    house = House()
    house.works.script = lambda _: "hang"
    edit = await house.use.preview("acme", EditWish(asset="assets/tree", prompt="in autumn"))
    step, generator = house.worker, ScriptedGenerator(lambda _: "hang")
    await house.edits.change(edit.id, lambda e: e.begun())
    buying = Buying(works=house.works, ledger=house.ledger, deadline=step.deadline)
    held = await buying.begun(_order(edit), _charge(edit))
    settle = SettleLate(
        jobs=MemoryJobs(),
        films=MemoryFilms(),
        edits=house.edits,
        ledger=house.ledger,
        generator=generator,
        now=lambda: NOW,
    )
    await settle()
    assert (held.state, generator.cancelled) == ("running", set())
    assert house.ledger.sums("acme", TENANT) == (PRICE, 0)
    await step.abandon(edit.id)
    await replace(settle)()
    assert house.edits.edits[edit.id].state is EditState.FAILED
    assert house.ledger.sums("acme", TENANT) == (0, 0)


async def test_an_edit_tells_what_it_has_cost_by_now():
    """Money that came after its end, and what a vendor's bill has put right."""
    house = House()
    house.works.script = lambda _: "hang"
    edit = await house.use.preview("acme", EditWish(asset="assets/tree", prompt="in autumn"))
    await house.edits.change(edit.id, lambda e: e.begun())
    buying = Buying(works=house.works, ledger=house.ledger, deadline=house.worker.deadline)
    await buying.begun(_order(edit), _charge(edit))
    await house.worker.abandon(edit.id)
    told = await house.use.get("acme", edit.name)
    assert (told.state, told.cost_micros) == (EditState.FAILED, 0)
    generator = ScriptedGenerator(lambda _: "fail", cost=lambda _: PRICE)
    generator.begun.append(edit.order_id)
    await SettleLate(
        jobs=MemoryJobs(),
        films=MemoryFilms(),
        edits=house.edits,
        ledger=house.ledger,
        generator=generator,
        now=lambda: NOW,
    )()
    assert (await house.use.get("acme", edit.name)).cost_micros == PRICE
    await house.ledger.correct("acme", edit.order_id, PRICE // 2)
    [listed], _ = await house.use.list("acme", 10, "")
    assert listed.cost_micros == PRICE // 2


class DyingEdits(MemoryEdits):
    """Edits whose process may die before or after any change of them is put down."""

    chance = random.Random(0)

    async def change(self, edit_id: str, mutate: Any) -> Any:
        for _ in range(2):
            if self.chance.random() < 0.2:
                raise Crash
        changed = await super().change(edit_id, mutate)
        if self.chance.random() < 0.2:
            raise Crash
        return changed


@given(seed=st.integers(0, 10**6))
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
async def test_whatever_dies_an_edit_is_bought_once_and_is_one_version(seed):
    house = House()
    house.edits = DyingEdits()
    house.edits.chance = random.Random(seed)
    sheet = CharacterSheet(name="Emma", reference="assets/tree")
    await house.book.put("acme", sheet)
    wish = EditWish(character=f"characters/{character_id('Emma')}", prompt="in snow")

    async def through(edit: Any) -> Any:
        while True:
            try:
                await house.worker.edit(edit.id)
                return house.edits.edits[edit.id]
            except Crash:
                continue

    preview = await through(await house.use.preview("acme", wish))
    full = await through(await house.use.commit("acme", CommitWish(preview=preview.name)))
    assert (full.state, full.version, len(house.works.begun)) == (EditState.SUCCEEDED, 2, 2)
    assert house.ledger.sums("acme", TENANT) == (0, 2 * PRICE)
    assert len(await house.book.versions("acme", character_id("Emma"))) == 2


async def test_words_that_may_not_be_asked_for_are_refused_before_they_are_written():
    class Strict(ScreenWords):
        async def whole(self, tenant: str, text: str, *, here: bool = False) -> Any:
            raise Moderated("no", metadata={"category": "test"})

    house = House()
    with pytest.raises(Moderated):
        await replace(house.use, screening=Strict()).preview(
            "acme", EditWish(asset="assets/tree", prompt="something")
        )
    assert house.edits.edits == {}


async def test_a_part_of_ours_that_is_away_leaves_the_edit_for_the_engine_to_repeat():
    house = House()
    house.works.refusal = Unavailable("away")
    house.works.script = lambda _: "refused"
    edit = await house.use.preview("acme", EditWish(asset="assets/tree", prompt="in autumn"))
    impatient = replace(house.worker, deadline=timedelta(0))
    with pytest.raises(Unavailable):
        await impatient.edit(edit.id)
    assert house.edits.edits[edit.id].state is EditState.RUNNING
    house.works.script = lambda _: "ok"
    await house.worker.edit(edit.id)
    assert house.edits.edits[edit.id].state is EditState.SUCCEEDED
    assert house.ledger.sums("acme", TENANT) == (0, PRICE)
