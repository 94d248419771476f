"""Subjects keep tenants apart; headers are CloudEvents."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.common.errors import InvalidArgument
from services.common.events import (
    Event,
    event_headers,
    event_subject,
    stream_of,
    subject_token,
    work_subject,
)


@given(st.text())
def test_a_token_holds_nothing_that_a_subject_understands(text: str) -> None:
    token = subject_token(text)
    assert token
    assert not set(token) & set(".*> \t\r\n\x00")
    assert token.isascii()


@given(st.text(), st.text())
def test_two_tenants_never_share_a_token(one: str, two: str) -> None:
    assert (subject_token(one) == subject_token(two)) is (one == two)


def test_an_event_is_published_under_its_tenant() -> None:
    assert event_subject("acme.eu", "job", "01ab") == "reelmesh.events.v1.acme=2Eeu.job.01ab"
    assert event_subject("*", "job", ">") == "reelmesh.events.v1.*.job.>"
    assert work_subject("wan", "24gb") == "reelmesh.work.v1.wan.24gb"


def test_the_headers_are_cloudevents_and_deduplicate() -> None:
    event = Event(
        "reelmesh.events.v1.acme.job.1", b"", "e-1", headers={"ce-subject": "videoJobs/1"}
    )
    moment = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    assert event_headers(event, source="reelmesh/orchestrator", time=moment) == {
        "Nats-Msg-Id": "e-1",
        "ce-specversion": "1.0",
        "ce-id": "e-1",
        "ce-source": "reelmesh/orchestrator",
        "ce-type": "reelmesh.job.v1",
        "ce-time": "2026-01-02T03:04:05Z",
        "content-type": "application/protobuf",
        "ce-subject": "videoJobs/1",
    }


def test_a_subject_of_no_stream_is_refused() -> None:
    assert stream_of("reelmesh.work.v1.wan.24gb") == "REELMESH_WORK"
    with pytest.raises(InvalidArgument, match="subject"):
        stream_of("elsewhere.x")
