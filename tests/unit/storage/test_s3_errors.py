"""What every answer of an S3 server, and every silence, means for a caller."""

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest
from botocore import exceptions as boto

from services.common.errors import (
    DataLoss,
    FailedPrecondition,
    StorageFull,
    Unavailable,
)
from services.storage.adapters.s3_errors import translated
from services.storage.domain.ports import KeyTakenError
from services.storage.domain.refusals import NotCopiedError

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)


def answer(code: str, status: int, operation: str = "PutObject", *, date: datetime = NOW) -> Any:
    metadata = {"HTTPStatusCode": status, "HTTPHeaders": {"date": format_datetime(date)}}
    return boto.ClientError(
        {"Error": {"Code": code, "Message": ""}, "ResponseMetadata": metadata}, operation
    )


@pytest.mark.parametrize(
    ("error", "kind", "words"),
    [
        (answer("404", 404, "HeadBucket"), FailedPrecondition, "no such bucket: S3_BUCKET_NAME"),
        (answer("NoSuchBucket", 404), FailedPrecondition, "bucket and credentials"),
        (answer("AccessDenied", 403), FailedPrecondition, "bucket and credentials"),
        (answer("InvalidToken", 400), FailedPrecondition, "AWS_SESSION_TOKEN"),
        (answer("ExpiredToken", 400), Unavailable, "renew the credentials"),
        (answer("400", 400, "HeadObject"), Unavailable, "away"),
        (answer("400", 400, "HeadBucket"), FailedPrecondition, "renew the credentials"),
        (answer("301", 301, "HeadBucket"), FailedPrecondition, "AWS_REGION"),
        (answer("400", 400, "HeadBucket"), FailedPrecondition, "AWS_REGION"),
        (answer("PermanentRedirect", 301), FailedPrecondition, "AWS_REGION"),
        (answer("AuthorizationHeaderMalformed", 400), FailedPrecondition, "AWS_REGION"),
        (answer("RequestTimeTooSkewed", 403), FailedPrecondition, "clock"),
        (answer("NotImplemented", 501), FailedPrecondition, "STORAGE_S3_CHECKSUMS"),
        (answer("InvalidRequest", 400), FailedPrecondition, "InvalidRequest"),
        (answer("InvalidStorageClass", 400), FailedPrecondition, "InvalidStorageClass"),
        (answer("EntityTooLarge", 400), FailedPrecondition, "EntityTooLarge"),
        (answer("NotImplemented", 501, "CopyObject"), NotCopiedError, ""),
        (answer("InvalidRequest", 400, "CopyObject"), NotCopiedError, ""),
        (answer("NoSuchKey", 404, "CopyObject"), DataLoss, "gone"),
        (answer("404", 404, "HeadObject"), DataLoss, "gone"),
        (answer("NoSuchKey", 404, "GetObject"), DataLoss, "gone"),
        (answer("404", 404, "PutObject"), Unavailable, "away"),
        (answer("404", 404, "CreateMultipartUpload"), Unavailable, "away"),
        (answer("404", 404, "UploadPart"), Unavailable, "away"),
        (answer("404", 404, "DeleteObject"), Unavailable, "away"),
        (answer("404", 404, "ListMultipartUploads"), Unavailable, "away"),
        (answer("TemporaryRedirect", 307), Unavailable, "TemporaryRedirect"),
        (answer("BadDigest", 400), DataLoss, "not those that arrived"),
        (answer("PreconditionFailed", 412), KeyTakenError, ""),
        (answer("NoSuchUpload", 404, "CompleteMultipartUpload"), KeyTakenError, ""),
        (answer("NoSuchUpload", 404, "UploadPart"), Unavailable, "NoSuchUpload"),
        (answer("InsufficientStorage", 507), StorageFull, "full"),
        (answer("XMinioStorageFull", 507), StorageFull, "full"),
        (answer("AnythingElse", 507), StorageFull, "full"),
        (answer("QuotaExceeded", 403), StorageFull, "full"),
        (answer("SlowDown", 503), Unavailable, "SlowDown"),
        (answer("TooManyRequests", 429), Unavailable, "TooManyRequests"),
        (answer("RequestTimeout", 400), Unavailable, "RequestTimeout"),
        (answer("OperationAborted", 409), Unavailable, "OperationAborted"),
        (answer("InternalError", 500), Unavailable, "InternalError"),
        (boto.NoCredentialsError(), FailedPrecondition, "no credentials"),
        (boto.ProfileNotFound(profile="x"), FailedPrecondition, "no credentials"),
        (boto.ParamValidationError(report="bucket"), FailedPrecondition, "set up wrongly"),
        (
            boto.SSLError(endpoint_url="x", error="CERTIFICATE_VERIFY_FAILED"),
            FailedPrecondition,
            "AWS_CA_BUNDLE",
        ),
        (boto.SSLError(endpoint_url="x", error="EOF occurred"), Unavailable, "away"),
        (boto.FlexibleChecksumError(error_msg="crc32"), DataLoss, "not those that were stored"),
        (boto.EndpointConnectionError(endpoint_url="x"), Unavailable, "away"),
        (boto.ReadTimeoutError(endpoint_url="x"), Unavailable, "away"),
        (boto.CredentialRetrievalError(provider="x", error_msg="y"), Unavailable, "away"),
    ],
    ids=str,
)
def test_every_trouble_is_told_apart_and_says_what_to_do(
    error: Exception, kind: type[Exception], words: str
) -> None:
    found = translated(error, "k", NOW)
    assert type(found) is kind
    assert words in str(found)


@pytest.mark.parametrize(
    ("apart", "words"),
    [
        (timedelta(minutes=20), "clock"),
        (timedelta(minutes=-20), "clock"),
        (timedelta(minutes=10), "credentials"),
    ],
)
def test_a_refusal_without_words_is_held_against_the_servers_clock(
    apart: timedelta, words: str
) -> None:
    found = translated(answer("403", 403, "HeadObject", date=NOW + apart), "k", NOW)
    assert isinstance(found, FailedPrecondition)
    assert words in str(found)


@pytest.mark.parametrize("date", ["", "yesterday", "Sun, 22 Nov 2026 12:00:00 -0000"])
def test_a_date_that_says_nothing_blames_no_clock(date: str) -> None:
    error = answer("403", 403, "HeadObject")
    error.response["ResponseMetadata"]["HTTPHeaders"] = {"date": date} if date else {}
    assert "credentials" in str(translated(error, "k", NOW))
