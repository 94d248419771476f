"""Logs are one JSON object per line, with the context of the call and without secrets."""

import json
import logging
from dataclasses import dataclass

import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st

from services.common.telemetry import REDACTED, Metrics, configure_logging, get_logger, redact


@dataclass
class Wanted:
    log_level: str = "info"
    log_format: str = "json"


@pytest.fixture(autouse=True)
def _reset() -> object:
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    yield None
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.reset_defaults()
    structlog.contextvars.clear_contextvars()


def test_a_line_is_json_with_the_context_of_the_call(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging(Wanted())
    structlog.contextvars.bind_contextvars(tenant="alice", request_id="r1")
    get_logger("a").info("accepted", job="videoJobs/1")
    line = json.loads(capsys.readouterr().err)
    assert line["event"] == "accepted"
    assert (line["tenant"], line["request_id"], line["job"]) == ("alice", "r1", "videoJobs/1")
    assert line["level"] == "info"
    assert line["timestamp"].endswith("Z")


def test_what_is_less_important_than_the_level_is_not_written(
    capsys: pytest.CaptureFixture[str],
) -> None:
    configure_logging(Wanted("warning"))
    get_logger("a").info("quiet")
    get_logger("a").warning("loud")
    assert [json.loads(line)["event"] for line in capsys.readouterr().err.splitlines()] == ["loud"]


def test_libraries_log_in_the_same_shape(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging(Wanted())
    logging.getLogger("some.library").warning("token is %s", "Bearer abc.def")
    line = json.loads(capsys.readouterr().err)
    assert line["logger"] == "some.library"
    assert line["event"] == f"token is Bearer {REDACTED}"


def test_an_exception_is_written_on_the_same_line_without_its_secrets(
    capsys: pytest.CaptureFixture[str],
) -> None:
    configure_logging(Wanted())
    try:
        raise RuntimeError("rmk_0123_abcdef was refused")
    except RuntimeError:
        get_logger("a").exception("failed")
    [text] = capsys.readouterr().err.splitlines()
    assert "RuntimeError" in json.loads(text)["exception"]
    assert "abcdef" not in text


@pytest.mark.parametrize(
    ("given_text", "secret"),
    [
        ("rmk_12ab_S3cr-et_x is bad", "S3cr"),
        ("Authorization: Bearer abc.def-ghi", "abc.def"),
        ("postgresql://app:hunter2@db/x", "hunter2"),
        ("http://h/media/a?exp=1&sig=deadbeef", "deadbeef"),
        ("https://s3/k?X-Amz-Signature=beef&X-Amz-Date=1", "beef"),
        ("https://v/x?api_key=k1", "k1"),
        ("eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJib2IifQ.c2lnbmF0dXJl", "eyJzdWIi"),
    ],
)
def test_what_looks_like_a_secret_is_taken_out(given_text: str, secret: str) -> None:
    assert secret not in redact(given_text)
    assert REDACTED in redact(given_text)


def test_what_is_named_like_a_secret_is_taken_out_at_any_depth() -> None:
    told = {"headers": [{"Authorization": "x", "X-Api-Key": "y", "accept": "z"}], "page_token": "p"}
    assert redact(told) == {
        "headers": [{"Authorization": REDACTED, "X-Api-Key": REDACTED, "accept": "z"}],
        "page_token": REDACTED,
    }


def test_ids_and_sizes_stay_readable() -> None:
    told = {"key_id": "12ab", "cache_key": "f00", "ms": 1.5, "url": "http://h/a?exp=1", "n": None}
    assert redact(told) == told


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)


@given(json_values)
def test_redaction_never_fails_and_leaves_json(value: object) -> None:
    json.dumps(redact(value))


@given(st.text(alphabet="abcdefXYZ0123456789_-", min_size=20), st.text(), st.text())
def test_no_key_survives_wherever_it_stands(secret: str, before: str, after: str) -> None:
    assert f"rmk_{secret}" not in redact(f"{before} rmk_{secret} {after}")


def test_two_services_may_have_the_same_metrics_in_one_process() -> None:
    one, two = Metrics("one"), Metrics("two")
    one.counter("jobs_total", "Jobs.").inc()
    two.counter("jobs_total", "Jobs.").inc(2)
    assert one.registry.get_sample_value("reelmesh_jobs_total") == 1
    assert two.registry.get_sample_value("reelmesh_jobs_total") == 2
