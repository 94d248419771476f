"""Byte ranges as RFC 9110 wants them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.gateway.domain.byte_ranges import ByteRange, RangeNotSatisfiable, parse_range


@pytest.mark.parametrize(
    ("header", "start", "end"),
    [
        ("bytes=0-4", 0, 4),
        ("bytes=5-", 5, 9),
        ("bytes=-3", 7, 9),
        ("bytes=-99", 0, 9),
        ("bytes=8-99", 8, 9),
        ("bytes= 1-2 ", 1, 2),
    ],
)
def test_a_range_becomes_the_bytes_it_means(header: str, start: int, end: int) -> None:
    assert parse_range(header, 10) == ByteRange(start, end, 10)


@pytest.mark.parametrize(
    "header",
    [None, "", "bytes=-", "bytes=5-2", "bytes=a-b", "lines=0-1", "bytes=0-1,3-4", "bytes=²-3"],
)
def test_what_is_no_single_range_is_ignored(header: str | None) -> None:
    assert parse_range(header, 10) is None


@pytest.mark.parametrize(("header", "size"), [("bytes=10-", 10), ("bytes=-0", 10), ("bytes=0-", 0)])
def test_a_range_behind_the_end_cannot_be_satisfied(header: str, size: int) -> None:
    with pytest.raises(RangeNotSatisfiable):
        parse_range(header, size)


@given(st.text(max_size=30), st.integers(min_value=0, max_value=100))
def test_a_range_always_lies_inside_the_file(text: str, size: int) -> None:
    try:
        found = parse_range(f"bytes={text}", size)
    except RangeNotSatisfiable:
        return
    if found is not None:
        assert 0 <= found.start <= found.end < size
        assert found.length == found.end - found.start + 1
        assert found.content_range == f"bytes {found.start}-{found.end}/{size}"
