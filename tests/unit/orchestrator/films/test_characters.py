"""Who is seen in a film looks the same in all of its shots, and in the tenant's next film."""

import json
from dataclasses import replace
from typing import Any

import pytest

from services.common.errors import InvalidArgument, NotFound
from services.orchestrator.adapters.messages import load_texts
from services.orchestrator.adapters.works_client import task_of
from services.orchestrator.convert.shot_list import shot_source
from services.orchestrator.domain.cache.keys import artefact_key
from services.orchestrator.domain.films.asking import shot_request
from services.orchestrator.domain.films.brief import FilmBrief
from services.orchestrator.domain.films.characters import MAX_SHEETS, Cast, CharacterSheet
from services.orchestrator.domain.films.film import FilmState
from services.orchestrator.domain.films.ports import Breakdown
from services.orchestrator.domain.films.wants import picture_known_by
from services.orchestrator.domain.films.works import PictureWork
from services.orchestrator.domain.notices import Notice, Said
from services.orchestrator.domain.options import ImageInput
from services.orchestrator.domain.routing import Router
from services.orchestrator.usecases.films.casting import CastFilm
from services.orchestrator.usecases.films.create import CreateFilm, fingerprint_of
from services.orchestrator.usecases.films.plan import FilmSource, PlanFilm
from services.orchestrator.usecases.screening import words_of
from tests.fakes.film_parts import (
    NOW,
    FixedMonitor,
    FixedScript,
    MemoryFilms,
    MemoryHistory,
    MemorySheets,
)
from tests.fakes.memory_ledger import MemoryLedger
from tests.fakes.orchestrator_parts import FixedModels
from tests.unit.orchestrator.films.films import MODELS, Studio, shots

EMMA = CharacterSheet(name="Emma", description="ten, in a red coat.", reference="assets/emma")
TOM = CharacterSheet(name="Tom", reference="https://pictures.example/tom.png")
SEEING = tuple(replace(m, image=m.task in {"image", "video"}) for m in MODELS)
STILLS = {"image": "vendor_picture"}


class Pictures:
    """`AssetPort`, as far as it is asked: the tenant's pictures by name; None is no picture."""

    def __init__(self, **digests: str | None) -> None:
        self.digests = digests

    async def picture(self, tenant: str, asset: str) -> str | None:
        name = asset.removeprefix("assets/")
        if name not in self.digests:
            raise NotFound("asset", asset)
        return self.digests[name]


def planning(models=SEEING, sheets=None, script=None, **digests):
    """PlanFilm that knows a tenant's pictures and its characters."""
    parts: Any = {"models": FixedModels(*models), "assets": Pictures(**digests)}
    return PlanFilm(
        scripts=script or FixedScript(Breakdown(title="", shots=())),
        models=parts["models"],
        router=Router(allow_placeholder=False),
        monitor=FixedMonitor(),
        history=MemoryHistory(),
        casting=CastFilm(sheets=sheets or MemorySheets(), assets=parts["assets"]),
    )


def creating(plan, films):
    """CreateFilm by this plan; nothing is bought by it."""
    books: Any = None
    return CreateFilm(
        plan=plan,
        films=films,
        ledger=MemoryLedger(),
        books=books,
        now=lambda: NOW,
        new_id=lambda: f"f{len(films.films) + 1}",
    )


def five(*names, **facts):
    """A film of five shots in which these are seen."""
    return FilmSource(shots=shots(5, characters=names or ("Emma",), **facts))


def stills(studio):
    """What was asked of the models that make pictures."""
    works = (order.work for order in studio.works.begun.values())
    return [work for work in works if isinstance(work, PictureWork)]


async def made(plan, brief, source, models=SEEING, films=None):
    """The film as it ends, and all that made it."""
    kept = films or MemoryFilms()
    film = await creating(plan, kept)("acme", brief, source)
    studio = Studio(kept, models=models)
    return await studio.make(f"{film.id}.1"), studio


async def test_five_shots_of_one_sheet_are_five_requests_with_its_picture():
    brief = FilmBrief(characters=(EMMA,), providers=STILLS, music="off")
    film, studio = await made(planning(emma="d1"), brief, five())
    assert film.state is FilmState.SUCCEEDED
    works = stills(studio)
    assert [work.reference for work in works] == [ImageInput(asset="assets/emma")] * 5
    assert all("Emma: ten, in a red coat" in work.prompt for work in works)
    sent = [task_of(work).image.references for work in works]
    assert [[media.asset for media in each] for each in sent] == [["assets/emma"]] * 5
    assert film.brief.cast.sheets == (replace(EMMA, sha256="d1"),)
    assert film.warnings == ()
    # Their clips begin with the stills and not with the sheet.
    pictures = {job.request.image.asset for job in studio.jobs.jobs.values()}
    assert len(pictures) == 5
    assert "assets/emma" not in pictures


async def test_clips_without_stills_begin_with_the_picture():
    brief = FilmBrief(characters=(EMMA,), music="off")
    film, studio = await made(planning(emma="d1"), brief, five())
    begun = [job.request.image for job in studio.jobs.jobs.values()]
    assert begun == [ImageInput(asset="assets/emma")] * 5
    assert film.warnings == ()


async def test_a_later_film_that_names_the_character_alone_has_the_same_sheet():
    films, plan = MemoryFilms(), planning(emma="d1")
    brief = FilmBrief(providers=STILLS, music="off")
    await made(plan, replace(brief, characters=(EMMA,)), five(), films=films)
    second, studio = await made(plan, brief, five(), films=films)
    assert [work.reference for work in stills(studio)] == [ImageInput(asset="assets/emma")] * 5
    assert second.brief.cast.sheets == (replace(EMMA, sha256="d1"),)
    other = await plan("rival", brief, five())
    assert other.brief.cast == Cast()


async def test_a_films_own_sheet_wins_and_is_the_one_that_is_kept():
    films, plan = MemoryFilms(), planning(emma="d1", older="d2")
    older = replace(EMMA, reference="assets/older")
    brief = FilmBrief(providers=STILLS, music="off")
    await creating(plan, films)("acme", replace(brief, characters=(EMMA,)), five())
    second = await creating(plan, films)("acme", replace(brief, characters=(older,)), five())
    third = await creating(plan, films)("acme", brief, five())
    for film in (second, third):
        assert [sheet.reference for sheet in film.brief.cast.sheets] == ["assets/older"]
    [first] = films.films["f1"].brief.cast.sheets
    assert first.reference == "assets/emma"  # what a film uses does not change afterwards


async def test_a_plan_keeps_no_sheet():
    plan = planning(emma="d1")
    await plan("acme", FilmBrief(characters=(EMMA,)), five())
    assert (await plan("acme", FilmBrief(), five())).brief.cast == Cast()


async def test_what_the_request_gives_wins_over_its_file():
    source = replace(five(), characters=(replace(EMMA, reference="", description="a fox"), TOM))
    plan = await planning(emma="d1")("acme", FilmBrief(characters=(EMMA,)), source)
    assert plan.brief.characters == (replace(EMMA, sha256="d1"), TOM)


async def test_a_foreign_picture_is_not_found_before_anything_is_planned():
    script, films = FixedScript(Breakdown(title="", shots=())), MemoryFilms()
    create = creating(planning(script=script), films)
    with pytest.raises(NotFound, match="assets/emma"):
        await create("acme", FilmBrief(characters=(EMMA,)), FilmSource(script="INT. A ROOM"))
    assert (films.films, films.ordered) == ({}, [])
    # An empty breakdown would have been refused: the script was not even read.
    with pytest.raises(InvalidArgument, match="no scene"):
        await create("acme", FilmBrief(), FilmSource(script="INT. A ROOM"))


async def test_an_asset_that_is_no_picture_is_refused_by_its_place():
    with pytest.raises(InvalidArgument, match=r"characters\[1\]\.reference: is no picture"):
        await planning(emma=None)("acme", FilmBrief(characters=(TOM, EMMA)), five())


@pytest.mark.parametrize("providers", [STILLS, {"animation": "vendor_video"}, {}])
async def test_a_model_without_pictures_gets_words_and_the_film_says_so(providers):
    brief = FilmBrief(characters=(EMMA,), providers=providers, music="off", language="sw")
    # Where there are stills, it is they that cannot follow a picture.
    models = tuple(replace(m, image=m.task == "video" and providers == STILLS) for m in MODELS)
    plan = planning(models, emma="d1")
    film, studio = await made(plan, brief, five(), models=models)
    model = next(iter(providers.values()), "auto")
    [told] = [each for each in film.warnings if isinstance(each, Notice)]
    assert told == Notice(Said.CHARACTERS_IN_WORDS, {"model": model, "characters": "Emma"})
    assert all(work.reference is None for work in stills(studio))
    asked = [work.prompt for work in stills(studio)]
    asked = asked or [job.request.prompt for job in studio.jobs.jobs.values()]
    assert len(asked) == 5
    assert all("Emma: ten, in a red coat" in prompt for prompt in asked)
    texts = load_texts()
    [english], [swahili] = (texts.say(language, [told]) for language in ("en", "sw"))
    assert english.startswith(f"{model} takes no picture of Emma")
    assert swahili.startswith(f"{model} haipokei picha ya Emma")


async def test_of_two_in_a_shot_the_first_is_shown_and_the_other_is_told():
    brief = FilmBrief(characters=(EMMA, TOM), providers=STILLS, music="off")
    source = FilmSource(shots=shots(1, characters=("Tom", "Emma")))
    film, studio = await made(planning(emma="d1"), brief, source)
    [work] = stills(studio)
    assert work.reference == ImageInput(uri=TOM.reference)
    assert task_of(work).image.references[0].uri == TOM.reference
    assert [load_texts().say("en", [told])[0] for told in film.warnings] == [
        "s1 follows the picture of Tom; one picture goes with a request, and only words tell of "
        "Emma."
    ]


def test_a_still_is_known_by_the_picture_that_it_follows():
    [shot] = shots(1, characters=("Emma",))

    def key(*sheets):
        brief = FilmBrief(cast=Cast(sheets=sheets))
        return artefact_key("acme", "vendor_picture", picture_known_by(brief, shot))

    plain = replace(EMMA, description="")
    keys = [
        key(),
        key(plain),
        key(replace(plain, sha256="d1")),
        key(replace(plain, sha256="d2")),
        key(replace(plain, reference="", description="a fox")),
    ]
    assert len(set(keys)) == len(keys)
    # The same picture under another name of an asset is the same picture.
    assert keys[2] == key(replace(plain, reference="assets/copy", sha256="d1"))
    assert "reference" not in picture_known_by(FilmBrief(), shot)


def test_words_of_a_sheet_are_screened():
    cast = Cast(sheets=(EMMA,))
    assert EMMA.description in words_of(FilmBrief(cast=cast), shots(1))


def test_who_is_not_seen_in_a_shot_is_not_told_of():
    brief = FilmBrief(cast=Cast(sheets=(EMMA,), begun=("s1",)))
    [shot] = shots(1)
    request = shot_request(brief, shot)
    assert "red coat" not in request.prompt
    assert request.image is None


def test_films_without_sheets_keep_their_fingerprint_and_sheets_change_it():
    source, brief = five(), FilmBrief()
    plain = fingerprint_of(brief, source)
    assert plain == fingerprint_of(replace(brief, cast=Cast(sheets=(EMMA,))), source)
    others = {
        fingerprint_of(replace(brief, characters=(EMMA,)), source),
        fingerprint_of(brief, replace(source, characters=(TOM,))),
    }
    assert len({plain, *others}) == 3


SHOT = {"shot_id": "s1", "prompt": "a hill", "characters": ["Emma"]}


def test_a_file_has_its_characters():
    file = {"characters": [{"name": "Emma", "reference": "assets/emma"}], "shots": [SHOT]}
    assert shot_source(json.dumps(file)).characters == (replace(EMMA, description=""),)


@pytest.mark.parametrize(("sheets", "place"), [
    ([{"description": "a fox"}], "characters[0].name"),
    ([{"name": "Emma", "description": "x" * 501}], "characters[0].description"),
    ([{"name": "Emma"}], "characters[0].description"),
    ([{"name": "Emma", "reference": "file:///etc/passwd"}], "characters[0].reference"),
    ([{"name": "Emma", "reference": "assets/../b"}], "characters[0].reference"),
    ([{"name": "Emma", "face": "round"}], "characters[0].face"),
    ([{"name": "Emma", "description": "a"}] * 2, "characters[1].name"),
    ([{"name": f"n{n}", "description": "a"} for n in range(MAX_SHEETS + 1)], "characters"),
])  # fmt: skip
def test_every_fault_of_a_sheet_has_its_place(sheets, place):
    with pytest.raises(InvalidArgument) as caught:
        shot_source(json.dumps({"characters": sheets, "shots": [SHOT]}))
    assert [fault.field for fault in caught.value.violations] == [place]
