"""How the bucket is reached: styles, checksums, and whose credentials."""

from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from pydantic import SecretStr

from services.common import clock
from services.common.errors import FailedPrecondition
from services.common.settings import MisconfiguredError
from services.storage.adapters.disk import Disk
from services.storage.adapters.s3_calls import S3Calls
from services.storage.adapters.s3_client import S3Connection
from services.storage.adapters.s3_signer import S3Signer
from services.storage.back_end import open_blobs
from services.storage.settings import Settings
from tests.contract.storage.test_blobs import asset

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)


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


def test_clients_share_one_description_of_s3_with_the_operations_that_are_used() -> None:
    places = ("https://a.example.com", "https://b.example.com")
    one, other = (S3Connection(endpoint_url=place).client() for place in places)
    model = one.meta.service_model
    assert model._service_description is other.meta.service_model._service_description
    assert {"PutObject", "UploadPart", "HeadBucket"} <= set(model.operation_names)
    assert len(model.operation_names) < 20, "S3 has over a hundred"
    parts = {"structure": "members", "list": "member", "map": "value"}
    for name in model.shape_names:
        shape = model.shape_for(name)
        # What a shape is made of is looked up by name, and has to be there.
        assert shape.type_name not in parts or getattr(shape, parts[shape.type_name]) is not None
    assert all(model.operation_model(name).input_shape for name in model.operation_names)


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


async def test_lent_keys_sign_with_their_token_and_no_url_outlives_them() -> None:
    lent = S3Connection(access_key_id="a", secret_access_key="b", session_token="of the session")
    calls = S3Calls(lent.client(), "clips")
    signer = S3Signer(calls, now=lambda: NOW, until=NOW + timedelta(minutes=10))
    url, ends = await signer.sign(asset(), expires=NOW + timedelta(days=7), download_name="")
    assert ends == NOW + timedelta(minutes=10)
    query = parse_qs(urlsplit(url).query)
    assert query["X-Amz-Security-Token"] == ["of the session"]
    assert query["X-Amz-Expires"] == ["600"]
    late = S3Signer(calls, now=lambda: NOW, until=NOW)
    with pytest.raises(FailedPrecondition, match="run out"):
        await late.sign(asset(), expires=NOW + timedelta(days=7), download_name="")
    calls.close()


async def test_the_token_of_the_session_and_its_end_are_read_from_the_environment(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name, value in {
        "AWS_SESSION_TOKEN": "of the session",
        "AWS_CREDENTIAL_EXPIRATION": "2026-11-22T12:00:00+00:00",
        "STORAGE_S3_PUBLIC_ENDPOINT_URL": "https://objects.example.com",
    }.items():
        monkeypatch.setenv(name, value)
    settings = Settings()
    assert settings.s3_session_token.get_secret_value() == "of the session"
    assert "of the session" not in repr(settings)
    assert settings.s3_credential_expiration == NOW
    assert settings.s3_public_endpoint_url == "https://objects.example.com"


@pytest.mark.parametrize("name", ["AWS_ENDPOINT_URL_S3", "STORAGE_S3_PUBLIC_ENDPOINT_URL"])
def test_an_address_without_its_scheme_is_refused_by_name(
    monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setenv(name, "objects.example.com")
    with pytest.raises(MisconfiguredError, match=f"{name}: 'objects.example.com' must begin with"):
        Settings()


async def test_what_the_settings_say_of_keys_and_places_reaches_the_signature(
    tmp_path: Path,
) -> None:
    disk = Disk()
    settings = Settings(
        data_dir=tmp_path,
        bucket="clips",
        s3_endpoint_url="http://inside:9000",
        s3_public_endpoint_url="https://objects.example.com",
        s3_access_key_id="a",
        s3_secret_access_key=SecretStr("b"),
        s3_session_token=SecretStr("of the session"),
        s3_credential_expiration=clock.now() + timedelta(minutes=5),
    )
    async with AsyncExitStack() as stack:
        blobs = await open_blobs(settings, disk, stack)
        week = clock.now() + timedelta(days=7)
        url, ends = await blobs.sign(asset(), expires=week, download_name="")
    disk.close()
    assert url.startswith("https://objects.example.com/clips/")
    assert "X-Amz-Security-Token=of%20the%20session" in url
    assert ends == settings.s3_credential_expiration
