"""Templates, presets and packs of requests and films: settled once, known by what was asked."""

from dataclasses import replace
from typing import Any

import pytest

from services.common.errors import InvalidArgument, NotFound, Unavailable
from services.orchestrator.domain.cache.keys import exact_key, shape_key
from services.orchestrator.domain.films.asking import shot_request
from services.orchestrator.domain.films.brief import FilmBrief
from services.orchestrator.domain.films.shots import Shot
from services.orchestrator.domain.films.wording import FilmWording
from services.orchestrator.domain.policy import TenantPolicy
from services.orchestrator.domain.styles import Filled, Looks, StylePreset
from services.orchestrator.usecases.filling import FillRequest, as_styled
from services.orchestrator.usecases.films.create import fingerprint_of
from services.orchestrator.usecases.films.plan import FilmSource
from services.orchestrator.usecases.films.wording import WordFilm
from services.orchestrator.usecases.policies import KeepPolicies
from tests.unit.orchestrator.examples import WANTED, request

NEWS = StylePreset(
    id="news", pack="styles", phrase="broadcast news look", parameters={"style": "news"}
)
DAWN = StylePreset(id="dawn", pack="kenya", phrase="dawn over the Mara")


class Shelf:
    """One template whose newest version a test may change."""

    def __init__(self, body="House of {who}: {prompt}", version=1):
        self.body, self.version = body, version

    async def fill(self, tenant, template, values):
        if template.split("@")[0] != "templates/house":
            raise NotFound("template", template)
        if "{prompt}" not in self.body and "prompt" in values:
            raise InvalidArgument("template_values.prompt", "is no hole of the template")
        text = self.body
        for name, value in values.items():
            text = text.replace(f"{{{name}}}", value)
        name = f"templates/house@{self.version}"
        return Filled(name=name, text=text, defaults={"style": "anime", "fps": 30})

    async def looks(self, tenant):
        return Looks(presets=(NEWS, DAWN), packs=("iceland", "kenya"))


def house(**more):
    return request(**{"template": "templates/house", "template_values": {"who": "Asha"}} | more)


async def test_a_request_gets_the_text_the_version_and_the_defaults_of_its_template():
    filled = await FillRequest(styles=Shelf())("acme", as_styled(house(prompt="a door", fps=50)))
    assert filled.prompt == "House of Asha: a door"
    assert filled.template == "templates/house@1"
    assert (filled.style, filled.fps) == ("anime", 50)  # what the caller has set wins


async def test_a_request_is_known_by_what_was_asked_whatever_the_newest_version_is():
    asked = house(prompt="a door")
    first = await FillRequest(styles=Shelf())("acme", as_styled(asked))
    later = await FillRequest(styles=Shelf("Other {who}: {prompt}", 2))("acme", as_styled(asked))
    assert first.prompt != later.prompt
    assert first.fingerprint() == later.fingerprint() == asked.fingerprint()
    assert asked.fingerprint() != house(prompt="a gate").fingerprint()
    enabled = as_styled(asked, ("kenya",))
    assert (enabled.packs, enabled.fingerprint()) == (("kenya",), asked.fingerprint())


def test_requests_of_before_are_known_as_they_were():
    plain = request()
    assert plain.fingerprint() == replace(plain, language="en").fingerprint()
    assert plain.fingerprint() != replace(plain, preset="news").fingerprint()
    assert as_styled(plain) is plain


def test_what_adds_to_the_words_is_part_of_what_a_clip_is_known_by():
    plain = request()
    for styled in (replace(plain, preset="news"), replace(plain, packs=("kenya",))):
        facts: dict[str, Any] = {"model": "auto", "iteration": 1, "references": {}}
        assert exact_key("acme", plain, **facts) != exact_key("acme", styled, **facts)
        shapes = [shape_key("acme", r, WANTED, references={}) for r in (plain, styled)]
        assert len(set(shapes)) == 2


@pytest.mark.parametrize(
    ("asked", "fault"),
    [
        (request(preset="nouvelles"), r"preset.*dawn, news"),
        (request(packs=("narnia",)), r"packs.*iceland, kenya"),
        (request(packs=("styles",)), r"packs.*iceland, kenya"),  # presets alone are no pack
        (
            house(prompt="a door", template_values={"who": "x", "prompt": "a gate"}),
            r"template_values\.prompt",
        ),
    ],
)
async def test_what_is_not_installed_is_refused_with_what_is(asked, fault):
    with pytest.raises(InvalidArgument, match=fault):
        await FillRequest(styles=Shelf())("acme", asked)


async def test_without_a_prompt_service_only_plain_requests_are_taken():
    assert await FillRequest()("acme", request()) == request()
    with pytest.raises(Unavailable):
        await FillRequest()("acme", house())


async def test_every_shot_of_a_film_is_worded_as_the_film_began():
    shot = Shot(shot_id="s1", prompt="a green door")
    asked = FilmBrief(
        template="templates/house", template_values={"who": "Asha"}, style_preset="news"
    )
    worded = await WordFilm(styles=Shelf())("acme", asked, ("kenya",))
    assert worded.wording.template == "templates/house@1"
    made = shot_request(worded, shot)
    assert made.prompt == "House of Asha: a green door. broadcast news look"
    assert (made.style, made.packs) == ("anime", ("kenya",))
    plain = shot_request(FilmBrief(), shot)
    assert (plain.prompt, plain.style, plain.packs) == ("a green door", "", ())
    source = FilmSource(shots=(shot,))
    assert fingerprint_of(worded, source) != fingerprint_of(FilmBrief(), source)
    assert fingerprint_of(replace(worded, packs=()), source) == fingerprint_of(asked, source)


async def test_what_a_shot_says_of_itself_wins_over_the_films_style_preset_and_template():
    own = Shot(
        shot_id="s1",
        prompt="a green door",
        styles=("noir",),
        camera_motion="zoom_in",
        negative_prompt="rain",
    )
    look = StylePreset(
        id="news",
        pack="styles",
        phrase="broadcast news look",
        parameters={"style": "news", "camera_motion": "static", "negative_prompt": "blur"},
    )
    brief = FilmBrief(wording=FilmWording.of(None, look))
    made = shot_request(brief, own)
    assert (made.prompt, made.style) == ("a green door. noir", "")
    assert (made.camera_motion, made.negative_prompt) == ("zoom_in", "rain")
    plain = shot_request(brief, Shot(shot_id="s2", prompt="a green door"))
    assert (plain.prompt, plain.style) == ("a green door. broadcast news look", "news")
    assert (plain.camera_motion, plain.negative_prompt) == ("static", "blur")


async def test_a_films_template_needs_a_hole_for_the_shots():
    for shelf, values in ((Shelf("House of {who}"), {}), (Shelf(), {"prompt": "one door"})):
        brief = FilmBrief(template="templates/house", template_values={"who": "x", **values})
        with pytest.raises(InvalidArgument, match=r"template: has no hole for the shots"):
            await WordFilm(styles=shelf)("acme", brief)
    with pytest.raises(InvalidArgument, match="style_preset"):
        await WordFilm(styles=Shelf())("acme", FilmBrief(style_preset="nouvelles"))


async def test_a_film_with_a_pack_that_is_not_installed_is_refused_with_those_that_are():
    film = WordFilm(styles=Shelf())
    with pytest.raises(InvalidArgument, match=r"packs.*'narnia' is not known.*iceland, kenya"):
        await film("acme", FilmBrief(packs=("kenya", "narnia")))
    with pytest.raises(InvalidArgument, match=r"packs.*iceland, kenya"):
        await film("acme", FilmBrief(), ("narnia",))
    assert (await film("acme", FilmBrief(packs=("iceland",)))).packs == ("iceland",)


async def test_a_tenant_enables_only_packs_that_are_installed():
    class Book:
        kept = None

        async def set(self, tenant, policy):
            self.kept = policy
            return policy

    book: Any = Book()
    keep = KeepPolicies(policies=book, styles=Shelf())
    with pytest.raises(InvalidArgument, match=r"policy\.packs.*iceland, kenya"):
        await keep.set("acme", TenantPolicy(packs=("narnia",)))
    with pytest.raises(Unavailable):
        await KeepPolicies(policies=book).set("acme", TenantPolicy(packs=("kenya",)))
    assert book.kept is None
    await keep.set("acme", TenantPolicy(packs=("kenya",)))
    await KeepPolicies(policies=book).set("acme", TenantPolicy())
    assert book.kept == TenantPolicy()
