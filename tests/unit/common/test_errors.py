"""Errors say what to do, survive pickling and are known to the contract."""

import pickle
from pathlib import Path

import grpc
import pytest
from google.rpc import error_details_pb2, status_pb2

from reelmesh.errors.v1 import error_reason_pb2
from services.common import errors
from services.common.status import BY_REASON, CODES, from_status, to_status

ONE_OF_EACH = [
    errors.InvalidArgument("duration", "must be positive", allowed=[5, 10]),
    errors.InvalidArgument.of(
        [errors.Violation("fps", "too high"), errors.Violation("seed", "negative")]
    ),
    errors.Unauthenticated(),
    errors.PermissionDenied("no", scope="write"),
    errors.NotFound("video job", "videoJobs/1"),
    errors.AlreadyExists("taken", metadata={"kind": "template", "name": "x"}),
    errors.RequestConflict("r-1"),
    errors.FailedPrecondition("not now", violations=[errors.Violation("budget", "must be open")]),
    errors.ModelRetired("gone", metadata={"model": "a", "successors": "b,c"}),
    errors.NoCredentials("set RUNWAY_API_KEY", metadata={"missing": "RUNWAY_API_KEY"}),
    errors.NoDevice(),
    errors.LicenceRefused(),
    errors.AlreadyEnded("it has SUCCEEDED", metadata={"state": "SUCCEEDED"}),
    errors.UnknownOutcome(),
    errors.NoModel(),
    errors.Moderated(),
    errors.ProviderRefused(),
    errors.ResourceExhausted("full", violations=[errors.Violation("assets", "10 of 10")]),
    errors.RateLimited("slow down", 1.25, limit="calls"),
    errors.BudgetExceeded("no money", metadata={"budget": "daily"}),
    errors.StorageFull(),
    errors.Aborted(),
    errors.Unavailable("starting", 0.5),
    errors.DeadlineExceeded(),
    errors.Cancelled(),
    errors.Unimplemented(),
    errors.DataLoss(),
    errors.Internal(),
    errors.GenerationFailed("blurred", metadata={"provider_code": "E7"}),
]


def same(left: errors.ServiceError, right: errors.ServiceError) -> bool:
    return type(left) is type(right) and left.__dict__ == right.__dict__


@pytest.mark.parametrize("error", ONE_OF_EACH, ids=repr)
def test_an_error_arrives_in_the_client_as_it_was_raised(error: errors.ServiceError) -> None:
    assert same(from_status(to_status(error)), error)


@pytest.mark.parametrize("error", ONE_OF_EACH, ids=repr)
def test_an_error_survives_pickling(error: errors.ServiceError) -> None:
    assert same(pickle.loads(pickle.dumps(error)), error)
    assert str(pickle.loads(pickle.dumps(error))) == error.message


def test_every_class_is_tried_above() -> None:
    assert {type(error) for error in ONE_OF_EACH} == set(CODES)


def test_every_reason_of_the_contract_has_one_class_and_the_other_way_round() -> None:
    names = set(error_reason_pb2.ErrorReason.keys()) - {"ERROR_REASON_UNSPECIFIED"}
    assert {f"ERROR_REASON_{reason}" for reason in BY_REASON} == names
    assert len(BY_REASON) == len(CODES)


def test_every_reason_travels_with_the_code_that_its_comment_names() -> None:
    text = Path("protos/reelmesh/errors/v1/error_reason.proto").read_text()
    for kind, code in CODES.items():
        before = text.partition(f"ERROR_REASON_{kind.default_reason} =")[0]
        comment = before.rpartition("\n\n")[2].strip()
        assert comment.startswith(f"// {code.name}."), kind


def test_the_docstring_is_the_default_message_and_says_what_to_do() -> None:
    assert errors.NoDevice().message == (
        "Choose another model: this deployment has no device that can run it."
    )


def test_a_wrong_value_is_told_with_its_field_and_the_allowed_values() -> None:
    status = to_status(errors.InvalidArgument("aspect_ratio", "unknown", allowed=["16:9", "9:16"]))
    bad = error_details_pb2.BadRequest()
    assert status.details[1].Unpack(bad)
    [violation] = bad.field_violations
    assert violation.field == "aspect_ratio"
    assert violation.description == "unknown (allowed: 16:9, 9:16)"


def test_a_foreign_exception_tells_nothing_but_the_request_id() -> None:
    status = to_status(RuntimeError("password is hunter2"), "req-1")
    assert status.message == "internal error, request id req-1"
    assert b"hunter2" not in status.SerializeToString()
    assert b"RuntimeError" not in status.SerializeToString()


def test_a_reason_given_to_a_general_class_becomes_the_special_class_in_the_client() -> None:
    told = errors.FailedPrecondition("gone", reason="MODEL_RETIRED")
    assert isinstance(from_status(to_status(told)), errors.ModelRetired)


def test_a_reason_that_is_newer_than_we_are_keeps_its_name_and_takes_the_general_class() -> None:
    error = from_status(to_status(errors.FailedPrecondition("x", reason="NOT_ON_SUNDAYS")))
    assert type(error) is errors.FailedPrecondition
    assert error.reason == "NOT_ON_SUNDAYS"


def test_a_status_of_somebody_else_is_told_by_its_code() -> None:
    foreign = status_pb2.Status(code=grpc.StatusCode.UNAVAILABLE.value[0], message="go away")
    foreign.details.add().Pack(error_details_pb2.ErrorInfo(reason="NO_MODEL", domain="example.com"))
    error = from_status(foreign)
    assert type(error) is errors.Unavailable
    assert error.retryable
    assert (error.message, error.reason) == ("go away", "UNAVAILABLE")


@pytest.mark.parametrize("code", list(grpc.StatusCode))
def test_no_code_is_left_without_a_class(code: grpc.StatusCode) -> None:
    error = from_status(status_pb2.Status(code=code.value[0], message="m"))
    assert isinstance(error, errors.ServiceError)
    assert error.message == "m"
