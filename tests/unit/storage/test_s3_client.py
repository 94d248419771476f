"""How the bucket is reached: styles, checksums, and whose credentials."""

from pathlib import Path
from urllib.parse import urlsplit

import pytest

from services.storage.adapters.s3_client import S3Connection

OWN = {"endpoint_url": "https://objects.example.com", "access_key_id": "a"}


def address(connection: S3Connection) -> tuple[str | None, str]:
    """Host and path of an object of the bucket "clips"."""
    url = connection.client().generate_presigned_url(
        "get_object", Params={"Bucket": "clips", "Key": "a/b.mp4"}
    )
    return urlsplit(url).hostname, urlsplit(url).path


@pytest.mark.parametrize(
    ("endpoint", "style", "expected"),
    [
        ("", "auto", ("clips.s3.amazonaws.com", "/a/b.mp4")),
        ("https://objects.example.com", "auto", ("objects.example.com", "/clips/a/b.mp4")),
        ("https://objects.example.com", "virtual", ("clips.objects.example.com", "/a/b.mp4")),
        ("", "path", ("s3.amazonaws.com", "/clips/a/b.mp4")),
    ],
)
def test_the_bucket_is_in_the_host_or_in_the_path(
    endpoint: str, style: str, expected: tuple[str, str]
) -> None:
    connection = S3Connection(
        endpoint_url=endpoint,
        access_key_id="a",
        secret_access_key="b",
        addressing_style=style,  # type: ignore[arg-type]  # a parameter of the test
    )
    assert address(connection) == expected


@pytest.mark.parametrize("mode", ["when_supported", "when_required"])
def test_checksums_can_be_left_to_servers_that_require_them(mode: str) -> None:
    client = S3Connection(access_key_id="a", secret_access_key="b", checksums=mode).client()  # type: ignore[arg-type]  # a parameter of the test
    assert client.meta.config.request_checksum_calculation == mode
    assert client.meta.config.response_checksum_validation == mode


def test_without_keys_the_role_of_the_service_account_is_taken(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    token = tmp_path / "token"
    token.write_text("of the service account")
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_WEB_IDENTITY_TOKEN_FILE", str(token))
    monkeypatch.setenv("AWS_ROLE_ARN", "arn:aws:iam::123456789012:role/reelmesh")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    credentials = S3Connection().client()._request_signer._credentials
    assert credentials.method == "assume-role-with-web-identity"


def test_given_keys_win_over_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "of the environment")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "x")
    client = S3Connection(access_key_id="given", secret_access_key="b").client()
    assert client._request_signer._credentials.access_key == "given"
