"""What a browser may show, and when bytes need not be sent."""

import pytest

from services.gateway.domain.media import StoredMedia, matches, may_be_shown


@pytest.mark.parametrize("kind", ["video/mp4", "audio/mpeg", "image/png", "text/vtt"])
def test_media_is_shown(kind: str):
    assert may_be_shown(kind)


@pytest.mark.parametrize("kind", ["text/html", "image/svg+xml", "application/xhtml+xml", ""])
def test_what_can_carry_a_script_is_not(kind: str):
    assert not may_be_shown(kind)


@pytest.mark.parametrize(
    ("header", "same"),
    [
        (None, False),
        ('"a"', True),
        ('W/"a"', True),
        ('"b", "a"', True),
        ("*", True),
        ('"ab"', False),
    ],
)
def test_a_validator_is_found_in_a_list(header: str | None, same: bool):
    assert matches(header, StoredMedia(1, "video/mp4", "a").etag) is same
