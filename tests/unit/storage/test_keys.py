"""Object keys: the layout of document 004, and hostile names."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.common.errors import InvalidArgument
from services.storage.domain.keys import KeyLayout, ObjectKey, slug

SAFE = set("abcdefghijklmnopqrstuvwxyz0123456789._-")


@pytest.mark.parametrize(
    ("tenant", "creative", "iteration", "moment", "key"),
    [
        (
            "tenant-1",
            "creative-123",
            1,
            (14, 30, 52),
            "videos/tenant-1/20250812_143052-creative-123-001.mp4",
        ),
        (
            "tenant-1",
            "creative-123",
            2,
            (14, 30, 52),
            "videos/tenant-1/20250812_143052-creative-123-002.mp4",
        ),
        (
            "tenant-2",
            "creative-456",
            1,
            (15, 1, 34),
            "videos/tenant-2/20250812_150134-creative-456-001.mp4",
        ),
    ],
)
def test_the_keys_of_document_004(
    tenant: str, creative: str, iteration: int, moment: tuple[int, int, int], key: str
) -> None:
    at = datetime(2025, 8, 12, *moment, tzinfo=UTC)
    stem = KeyLayout("videos").stem(tenant, creative, at)
    assert str(ObjectKey(stem, iteration, "mp4")) == key


def test_the_prefix_may_be_empty_and_slashes_do_not_matter() -> None:
    at = datetime(2025, 8, 12, 14, 30, 52, tzinfo=UTC)
    assert KeyLayout("").stem("a", "b", at) == "a/20250812_143052-b"
    assert KeyLayout("/x//y/").stem("a", "b", at) == "x/y/a/20250812_143052-b"


def test_times_are_in_utc_whatever_zone_they_come_in() -> None:
    at = datetime(2025, 8, 12, 17, 30, 52, tzinfo=timezone(timedelta(hours=3)))
    assert KeyLayout("").stem("a", "b", at) == "a/20250812_143052-b"


@pytest.mark.parametrize("prefix", ["../up", "a/../b", ".hidden", "a\0b"])
def test_a_prefix_that_climbs_or_hides_is_refused(prefix: str) -> None:
    with pytest.raises(InvalidArgument):
        KeyLayout(prefix)


def test_iterations_over_999_stay_readable() -> None:
    assert str(ObjectKey("s", 1000, "mp4")) == "s-1000.mp4"
    with pytest.raises(InvalidArgument):
        ObjectKey("s", 0, "mp4")


@given(st.text(max_size=400))
def test_any_name_becomes_one_safe_path_segment(name: str) -> None:
    found = slug(name)
    assert 1 <= len(found) <= 64
    assert set(found) <= SAFE
    assert not found.startswith(".")
    assert ".." not in found


@given(st.text(max_size=80), st.text(max_size=80))
def test_two_names_never_share_a_segment(one: str, other: str) -> None:
    assert (slug(one) == slug(other)) == (one == other)


@pytest.mark.parametrize(
    "name",
    [
        "..",
        "../../etc/passwd",
        "a/b",
        "a\\b",
        "a\0b",
        "",
        " ",
        "Acme",
        "ACME",
        "ünï",
        "x" * 300,
        "\u202eevil",
        "con",
        "a..b",
        "-a",
        ".a",
        "a.",
        "\ud800",
        "acme\n",
        "ａｃｍｅ",
        "%2e%2e",
        "~root",
    ],
)
def test_hostile_names_stay_apart_from_the_clean_ones_they_resemble(name: str) -> None:
    found = slug(name)
    assert set(found) <= SAFE
    assert found not in {"acme", "a", "b", "x", "evil"}
    assert slug(found) != found or found == name, "a slug cannot be chosen as a name"


@pytest.mark.parametrize(
    ("prefix", "key", "ours"),
    [
        ("videos", "videos/acme/20250812_143052-c-001.mp4", True),
        ("videos", "videos-staging/acme/20250812_143052-c-001.mp4", False),
        ("", "acme/20250812_143052-c-001.mp4", True),
        ("", "acme/20250812_143052-c-001.preview_small-1000.mp4", True),
        ("", "backups/2025/dump.tar", False),
        ("", "other/videos/20250812_143052-c-001.mp4", False),
        ("", "acme/20250812_143052-c-001.mp4/other", False),
    ],
)
def test_what_is_ours_is_told_by_the_prefix_or_by_the_form(
    prefix: str, key: str, ours: bool
) -> None:
    assert KeyLayout(prefix).owns(key) is ours
