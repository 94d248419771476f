"""The real catalogue as it is offered with no key, with one, and with all of them."""

from datetime import UTC, datetime

import pytest

from services.common.errors import InvalidArgument
from services.generator.catalogue.loader import load_catalogue
from services.generator.domain.catalogue import Availability, Surroundings
from services.generator.domain.facts import Identity
from services.generator.domain.models import Lifecycle
from services.generator.domain.vendor_keys import NO_KEYS
from services.generator.usecases.admission import Admission
from services.generator.usecases.listing import Listing, Offer
from tests.fakes.generator_parts import START, entry

NOW = datetime(2026, 11, 21, tzinfo=UTC)
STABLE = {"runway_gen3", "pika_v2", "stability_svd", "luma_dream", "google_veo", "openai_shorts"}
READY = Availability.READY


def offers(*names: str, device: bool = False, resting: frozenset[str] = frozenset()):
    """What is listed where these variables are set, by id."""
    world = Surroundings(
        now=NOW, configured=frozenset(names), device_present=device, open_circuits=resting
    )
    admission = Admission(load_catalogue(), lambda own: world)
    return {offer.model.id: offer for offer in Listing(admission, list, {}).offers()}


def everything() -> dict[str, Offer]:
    names = {name for model in load_catalogue() for group in model.credentials for name in group}
    found: dict[str, Offer] = offers(*names, device=True)
    return found


def test_with_no_key_only_what_is_ours_is_ready_and_the_rest_says_what_is_missing() -> None:
    found = offers()
    ready = {name for name, offer in found.items() if offer.standing.availability is READY}
    assert "storyboard" in ready
    assert not any(found[name].model.credentials for name in ready)
    assert not any(found[name].model.needs_device for name in ready)
    for name, offer in found.items():
        if offer.standing.availability is Availability.NO_CREDENTIALS and not offer.model.group:
            assert offer.missing, name
            assert all(variable in offer.standing.reason for variable in offer.missing), name
        elif name not in ready:
            assert offer.standing.reason, name


def test_one_key_opens_its_vendors_models_and_no_others() -> None:
    before, after = offers(), offers("RUNWAY_API_KEY")
    opened = {
        name
        for name, offer in after.items()
        if offer.standing.availability is READY and before[name].standing.availability is not READY
    }
    assert opened == {"runway_gen4_5", "runway_gen4_turbo"}


def test_with_all_keys_everything_that_lives_is_ready() -> None:
    found = everything()
    for name, offer in found.items():
        retired = offer.model.lifecycle_at(NOW) is Lifecycle.RETIRED
        expected = Availability.RETIRED if retired else READY
        assert offer.standing.availability is expected, (name, offer.standing.reason)


@pytest.mark.parametrize("name", ["runway_gen3", "google_veo", "openai_shorts"])
def test_a_retired_id_answers_with_its_successors(name: str) -> None:
    for offer in (offers()[name], everything()[name]):
        assert offer.standing.availability is Availability.RETIRED
        assert offer.model.successors
        assert all(successor in offer.standing.reason for successor in offer.model.successors)
    assert everything()[name].resolves_to in everything()[name].model.successors
    assert offers()[name].resolves_to == ""


def test_the_six_stable_ids_are_there_and_say_what_serves_them() -> None:
    found = everything()
    assert found.keys() >= STABLE
    served = {name: found[name].resolves_to or name for name in STABLE}
    assert all(found[model].standing.availability is READY for model in served.values())
    assert served["runway_gen3"] == "runway_gen4_5"
    assert served["pika_v2"] == "pika_v2"


def test_every_alias_resolves_to_a_listed_model() -> None:
    catalogue = load_catalogue()
    aliases = {alias: model.id for model in catalogue for alias in model.aliases}
    assert len(aliases) > 30
    assert {catalogue.get(alias).id for alias in aliases} <= everything().keys()
    assert catalogue.get("sora-2").id == "openai_shorts"


def test_a_vendor_that_is_rested_is_listed_as_such() -> None:
    found = offers("RUNWAY_API_KEY", resting=frozenset({"runway"}))["runway_gen4_5"]
    assert found.standing.availability is Availability.CIRCUIT_OPEN
    assert "rested" in found.standing.reason


def test_a_task_that_is_unknown_is_refused_by_name() -> None:
    admission = Admission(load_catalogue(), lambda own: Surroundings(now=NOW))
    with pytest.raises(InvalidArgument, match="dance"):
        Listing(admission, list, {}).offers("dance")
    assert {offer.model.operation for offer in Listing(admission, list, {}).offers("speech")} == {
        "speech"
    }


def test_capacity_counts_what_runs_and_waits_for_each_credential() -> None:
    admission = Admission(load_catalogue(), lambda own: Surroundings(now=NOW))
    identity = Identity(provider="runway", credential="RUNWAY_API_KEY")
    own = Identity(provider="runway", credential="vendorKeys/k1")
    waiting = entry("g1", identity=identity).generation
    running = [
        entry(f"g{number}", identity=used).generation.submitting(START)
        for number, used in ((2, identity), (3, own))
    ]
    loads = Listing(admission, lambda: [waiting, *running], {"runway": 2}).loads()
    told = {(load.credential, load.running, load.waiting, load.limit) for load in loads}
    assert told == {("", 0, 0, 2), ("RUNWAY_API_KEY", 1, 1, 2), ("vendorKeys/k1", 1, 0, 2)}
    assert admission.surroundings(NO_KEYS).configured == frozenset()
