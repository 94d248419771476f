"""One suite for the templates on SQLite and on PostgreSQL."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

import services.prompt.adapters
from services.common.database import Database
from services.common.errors import InvalidArgument, NotFound, RequestConflict
from services.common.migrate import migrate
from services.prompt.adapters.sql_templates import SqlTemplates
from services.prompt.domain.parameters import VideoParameters
from services.prompt.domain.templates import Page, Template, TemplateContent, holes_of
from services.prompt.usecases.templates import CreateTemplateRequest, TemplateOrder, Templates

pytestmark = pytest.mark.timeout(60)
START = datetime(2026, 1, 2, 3, 4, 5, 678_901, tzinfo=UTC)


@pytest.fixture
async def templates(database_url: str) -> AsyncIterator[Templates]:
    folder = Path(services.prompt.adapters.__path__[0]) / "migrations"
    times = (START + timedelta(seconds=n) for n in range(1000))
    numbers = iter(range(1000))
    async with Database(database_url, schema="prompt") as database:
        await migrate(database, folder)
        yield Templates(
            SqlTemplates(database),
            now=lambda: next(times),
            new_id=lambda: f"t{next(numbers):03d}",
        )


def wish(body: str = "a {animal}", **other: str) -> CreateTemplateRequest:
    content = TemplateContent(
        display_name="Animal",
        body=body,
        defaults=VideoParameters(style="anime", duration_seconds=4, characters=("Simba",)),
    )
    return CreateTemplateRequest(**{"tenant": "acme", "content": content, **other})  # type: ignore[arg-type]  # checked on building


async def test_a_template_comes_back_as_it_was_made(templates: Templates) -> None:
    made = await templates.create(wish())
    found, after = await templates.list("acme", Page())
    assert found == (made,)
    assert after == ""
    assert (made.id, made.version, made.create_time) == ("t000", 1, START)


async def test_a_change_is_a_new_version_and_the_list_has_the_newest(templates: Templates) -> None:
    first = await templates.create(wish())
    second = await templates.create(wish("two {animal}", name=f"templates/{first.id}"))
    assert (second.id, second.version) == (first.id, 2)
    found, _ = await templates.list("acme", Page())
    assert found == (second,)


async def test_the_same_request_id_returns_the_same_version(templates: Templates) -> None:
    first = await templates.create(wish(request_id="r1"))
    assert await templates.create(wish(request_id="r1")) == first
    with pytest.raises(RequestConflict):
        await templates.create(wish("other", request_id="r1"))
    name = f"templates/{first.id}"
    second = await templates.create(wish("b", name=name, request_id="r2"))
    assert await templates.create(wish("b", name=name, request_id="r2")) == second
    with pytest.raises(RequestConflict):
        await templates.create(wish("b", request_id="r2"))
    assert await templates.create(wish(tenant="other", request_id="r1")) != first


async def test_nobody_sees_or_changes_another_tenants_template(templates: Templates) -> None:
    made = await templates.create(wish())
    assert await templates.list("other", Page()) == ((), "")
    with pytest.raises(NotFound):
        await templates.create(wish(name=f"templates/{made.id}", tenant="other"))


async def test_a_version_that_was_pinned_stays_when_a_newer_one_is_made(
    templates: Templates,
) -> None:
    first = await templates.create(wish("a {animal}"))
    name = f"templates/{first.id}"
    await templates.create(wish("two {animal}s", name=name))
    newest = await templates.fill("acme", TemplateOrder(name, {"animal": "lion"}))
    pinned = await templates.fill("acme", TemplateOrder(f"{name}@1", {"animal": "lion"}))
    assert (newest.text, newest.name) == ("two lions", f"{name}@2")
    assert (pinned.text, pinned.name) == ("a lion", f"{name}@1")
    assert pinned.defaults.style == "anime"


@pytest.mark.parametrize("suffix", ["", "@1", "@2"])
async def test_nobody_fills_another_tenants_template(suffix: str, templates: Templates) -> None:
    made = await templates.create(wish())
    order = TemplateOrder(f"templates/{made.id}{suffix}", {"animal": "lion"})
    with pytest.raises(NotFound):
        await templates.fill("other", order)


@pytest.mark.parametrize("name", ["t000", "templates/", "templates/a@0", "templates/a@x", "a/b"])
async def test_a_name_of_another_shape_is_refused(name: str, templates: Templates) -> None:
    with pytest.raises(InvalidArgument, match="template"):
        await templates.fill("acme", TemplateOrder(name, {}))


async def test_pages_follow_each_other_without_gap(templates: Templates) -> None:
    made = [await templates.create(wish()) for _ in range(5)]
    seen: list[Template] = []
    after = ""
    for _ in range(3):
        found, after = await templates.list("acme", Page(2, after))
        seen += found
    assert seen == made
    assert after == ""


async def test_versions_made_at_once_are_all_kept(templates: Templates) -> None:
    first = await templates.create(wish())
    name = f"templates/{first.id}"
    made = await asyncio.gather(*(templates.create(wish(f"v{n}", name=name)) for n in range(4)))
    assert sorted(template.version for template in made) == [2, 3, 4, 5]


async def test_one_request_sent_many_times_at_once_makes_one_template(
    templates: Templates,
) -> None:
    made = await asyncio.gather(*(templates.create(wish(request_id="r")) for _ in range(5)))
    assert len({template.id for template in made}) == 1


def test_holes_are_plain_names() -> None:
    assert holes_of("a {animal} at {time_of_day}, {{not one}}, {animal}") == (
        "animal",
        "time_of_day",
    )


@pytest.mark.parametrize(
    "body", ["{", "{}", "{0}", "{a.b}", "{a[0]}", "{a!r}", "{a:>10}", "{a b}", "}", " "]
)
def test_a_hole_that_could_do_more_is_refused(body: str) -> None:
    with pytest.raises(InvalidArgument):
        wish(body)


def test_what_fills_a_hole_is_text_and_opens_none() -> None:
    content = wish("a {animal}, {{not one}}").content
    assert content.filled({"animal": "{tenant} {0} {{x}}"}) == "a {tenant} {0} {{x}}, {not one}"


@pytest.mark.parametrize(
    ("values", "field"),
    [
        ({}, "template_values.animal"),
        ({"animal": " "}, "template_values.animal"),
        ({"animal": "x" * 4_001}, "template_values.animal"),
        ({"animal": "lion", "colour": "red"}, "template_values.colour"),
    ],
)
def test_values_that_do_not_fit_the_holes_are_refused_by_name(
    values: dict[str, str], field: str
) -> None:
    with pytest.raises(InvalidArgument) as refused:
        wish().content.filled(values)
    assert refused.value.violations[0].field == field


@pytest.mark.parametrize("size", [0, -1, 201])
def test_a_page_of_no_or_too_many_is_refused(size: int) -> None:
    with pytest.raises(InvalidArgument):
        Page(size)
