"""What is made in which step, when what was given up is tried again, and what is counted."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from services.common.telemetry import Metrics
from services.storage.adapters.derive_metrics import DeriveMetrics
from services.storage.domain.assets import Asset, AssetState, Description, MediaInfo
from services.storage.domain.deriving import LONG_PIXELS, Step, endless, rested, roles_of
from services.storage.domain.keys import ObjectKey
from services.storage.usecases.trying import Outcome

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
DAY = timedelta(days=1)
ROLES = ("thumbnail", "poster", "contact_sheet", "preview", "hls")
STILLS = ["thumbnail", "poster", "contact_sheet"]
CLIP = MediaInfo(width=1920, height=1080, frames=30 * 60)
FILM = MediaInfo(width=1920, height=1080, frames=30 * 600)


def asset(content_type: str, media: MediaInfo | None, age: timedelta = DAY) -> Asset:
    return Asset(
        id="1",
        tenant="acme",
        state=AssetState.STORED,
        key=ObjectKey("videos/acme/c", 1, "mp4"),
        description=Description(content_type=content_type),
        request_id="r1",
        fingerprint="",
        create_time=NOW - age,
        media=media,
    )


@pytest.mark.parametrize(
    ("content_type", "media", "quick", "long"),
    [
        ("video/mp4", CLIP, [*ROLES], []),
        ("video/mp4", FILM, STILLS, ["preview", "hls"]),
        ("video/mp4", None, [*ROLES], []),
        ("image/png", MediaInfo(width=8192, height=8192, frames=1), ["thumbnail"], []),
        ("image/gif", MediaInfo(width=8192, height=8192, frames=100), ["thumbnail"], []),
    ],
    ids=["a minute", "ten minutes", "unmeasured", "a picture", "pictures that move"],
)
def test_everything_is_made_in_one_of_the_steps(
    content_type: str, media: MediaInfo | None, quick: list[str], long: list[str]
) -> None:
    found = asset(content_type, media)
    assert roles_of(Step.QUICK, found, ROLES) == quick
    assert roles_of(Step.LONG, found, ROLES) == long


@pytest.mark.parametrize(("hours", "made"), [(17, True), (30, False)])
def test_a_film_for_which_everybody_would_wait_for_a_day_has_no_preview(
    hours: int, made: bool
) -> None:
    found = asset("video/mp4", replace(CLIP, frames=30 * 3600 * hours))
    told = endless(found, ["preview", "preview_small", "hls", "poster"])
    assert set(told) == (set() if made else {"preview", "preview_small"})
    assert all(str(LONG_PIXELS) in why.reason and not why.again for why in told.values())
    assert endless(asset("video/mp4", None), ROLES) == {}


def test_what_was_given_up_rests_ever_longer() -> None:
    ages = [timedelta(hours=1), DAY, 5 * DAY]
    assert [rested(asset("video/mp4", CLIP, age), NOW) - NOW for age in ages] == [DAY, DAY, 5 * DAY]


def test_tries_are_counted_by_step_and_outcome() -> None:
    metrics = Metrics("storage")
    told = DeriveMetrics(metrics).told
    for outcome in (Outcome.DONE, Outcome.GIVEN_UP, Outcome.GIVEN_UP):
        told(Step.LONG, outcome)
    name, labels = "reelmesh_derive_tries_total", {"step": "long", "outcome": "given_up"}
    assert metrics.registry.get_sample_value(name, labels) == 2
