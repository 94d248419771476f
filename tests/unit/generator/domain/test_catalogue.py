from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from services.common.errors import InvalidArgument, ModelRetired
from services.generator.domain.catalogue import Availability, Catalogue, Surroundings
from services.generator.domain.models import Lifecycle, Model
from services.generator.domain.tasks import Operation

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)


def model(name: str, **values: Any) -> Model:
    row: dict[str, Any] = {
        "display_name": name,
        "provider": "acme",
        "operation": Operation.VIDEO,
        "lifecycle": Lifecycle.GA,
        "credentials": (("ACME_API_KEY",),),
    }
    return Model(id=name, **{**row, **values})


def around(*configured: str, **values: Any) -> Surroundings:
    return Surroundings(**{"now": NOON, "configured": frozenset(configured), **values})


OLD = model("old", aliases=("ancient",), retire_time=NOON, successors=("new", "other"))
NEW = model("new")
OTHER = model("other", credentials=(("OTHER_A", "OTHER_B"), ("OTHER_C",)))
LOCAL = model("local", credentials=(), needs_device=True)
GROUP = model("group", credentials=(), group=True, successors=("local", "new"))
CATALOGUE = Catalogue([OLD, NEW, OTHER, LOCAL, GROUP])


@pytest.mark.parametrize(
    ("name", "surroundings", "availability"),
    [
        ("old", around("ACME_API_KEY"), Availability.RETIRED),
        ("old", around("ACME_API_KEY", now=NOON - timedelta(seconds=1)), Availability.READY),
        ("new", around(), Availability.NO_CREDENTIALS),
        ("new", around("ACME_API_KEY"), Availability.READY),
        (
            "new",
            around("ACME_API_KEY", open_circuits=frozenset({"acme"})),
            Availability.CIRCUIT_OPEN,
        ),
        ("new", around("ACME_API_KEY", halted=frozenset({"acme"})), Availability.CIRCUIT_OPEN),
        ("other", around("OTHER_A"), Availability.NO_CREDENTIALS),
        ("other", around("OTHER_A", "OTHER_B"), Availability.READY),
        ("other", around("OTHER_C"), Availability.READY),
        ("local", around(), Availability.NO_DEVICE),
        ("local", around(device_present=True), Availability.READY),
        ("group", around(), Availability.NO_DEVICE),
        ("group", around("ACME_API_KEY"), Availability.READY),
    ],
)
def test_availability_follows_from_credentials_devices_circuits_and_the_clock(
    name: str, surroundings: Surroundings, availability: Availability
) -> None:
    assert CATALOGUE.standing(CATALOGUE.get(name), surroundings).availability is availability


def test_the_reason_names_the_missing_credentials() -> None:
    standing = CATALOGUE.standing(OTHER, around())
    assert standing.reason == "other needs OTHER_A and OTHER_B or OTHER_C to be set"
    assert standing.missing == ("OTHER_A", "OTHER_B")


def test_past_its_date_a_model_is_excluded_everywhere() -> None:
    before, after = NOON - timedelta(seconds=1), NOON
    assert "old" in [row.id for row in CATALOGUE.living(before)]
    assert "old" not in [row.id for row in CATALOGUE.living(after)]
    assert CATALOGUE.resolve("old", around("ACME_API_KEY", now=before)).id == "old"
    assert CATALOGUE.resolve("old", around("ACME_API_KEY", now=after)).id == "new"
    assert OLD.lifecycle_at(after) is Lifecycle.RETIRED


def test_a_retired_model_yields_to_the_first_successor_that_is_ready() -> None:
    assert CATALOGUE.resolve("ancient", around("OTHER_C")).id == "other"


def test_a_retired_model_without_a_ready_successor_names_all_of_them() -> None:
    with pytest.raises(ModelRetired) as caught:
        CATALOGUE.resolve("ancient", around())
    assert caught.value.metadata == {
        "model": "old",
        "retire_time": "2026-11-21T12:00:00+00:00",
        "successors": "new,other",
    }
    assert "2026-11-21" in caught.value.message


def test_a_group_yields_to_its_first_ready_member() -> None:
    assert CATALOGUE.resolve("group", around("ACME_API_KEY", device_present=True)).id == "local"
    assert CATALOGUE.resolve("group", around("ACME_API_KEY")).id == "new"


def test_a_living_model_that_is_not_set_up_is_returned_as_it_is() -> None:
    assert CATALOGUE.resolve("new", around()).id == "new"


def test_successors_of_successors_are_followed_and_a_circle_ends() -> None:
    first = model("first", retire_time=NOON, successors=("second",))
    second = model("second", retire_time=NOON, successors=("first", "third"))
    third = model("third")
    circle = Catalogue([first, second, third])
    assert circle.resolve("first", around("ACME_API_KEY")).id == "third"
    with pytest.raises(ModelRetired):
        circle.resolve("first", around())


def test_an_unknown_model_lists_the_known_ones() -> None:
    with pytest.raises(InvalidArgument) as caught:
        CATALOGUE.resolve("nobody", around())
    assert caught.value.violations[0].field == "model"
    assert "group, local, new, old, other" in caught.value.message


def test_a_name_that_means_two_models_is_refused() -> None:
    with pytest.raises(ValueError, match="names both"):
        Catalogue([NEW, replace(LOCAL, aliases=("new",))])


def test_a_successor_that_does_not_exist_is_refused() -> None:
    with pytest.raises(ValueError, match="unknown successor: ghost"):
        Catalogue([model("lost", successors=("ghost",))])
