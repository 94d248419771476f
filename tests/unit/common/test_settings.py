"""Settings refuse what would be unsafe, and have the names that the documentation gives."""

from pathlib import Path
from typing import ClassVar

import pytest
from pydantic import SecretStr
from pydantic_settings import SettingsConfigDict

from services.common.settings import (
    MisconfiguredError,
    ServiceSettings,
    from_environment,
    is_loopback,
)


class Settings(ServiceSettings):
    model_config = SettingsConfigDict(env_prefix="STORAGE_")
    service: ClassVar[str] = "storage"
    address: str = "127.0.0.1:50053"


KEY = SecretStr("0123456789abcdef")


def test_a_service_has_its_own_prefix_and_shares_the_rest(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STORAGE_ADDRESS", "127.0.0.1:9")
    monkeypatch.setenv("DATABASE_URL", "postgresql://db/x")
    monkeypatch.setenv("NATS_URL", "nats://bus:4222")
    monkeypatch.setenv("REELMESH_DATA_DIR", "/data")
    settings = Settings()
    assert settings.address == "127.0.0.1:9"
    assert settings.database_location() == "postgresql://db/x"
    assert settings.nats_url == "nats://bus:4222"
    assert settings.data_dir == Path("/data")


def test_every_field_may_be_given_by_its_name() -> None:
    settings = Settings(nats_url="nats://x:1", data_dir=Path("/d"), signing_key=KEY)
    assert settings.nats_url == "nats://x:1"
    assert settings.signer() is not None


def test_without_a_url_each_schema_is_a_file_in_the_data_folder() -> None:
    settings = Settings(data_dir=Path("/d"))
    assert settings.database_location() == "sqlite+aiosqlite:////d/storage.db"
    assert settings.database_location("access") == "sqlite+aiosqlite:////d/access.db"


def test_without_authentication_only_loopback_is_allowed() -> None:
    with pytest.raises(MisconfiguredError, match="loopback only"):
        Settings(address="0.0.0.0:50053")
    with pytest.raises(MisconfiguredError, match="loopback only"):
        Settings(metrics_address=":9090")
    Settings(address="0.0.0.0:50053", auth=True, signing_key=KEY)


def test_authentication_needs_a_signing_key() -> None:
    with pytest.raises(MisconfiguredError, match="REELMESH_SIGNING_KEY"):
        Settings(auth=True)


def test_a_secret_is_never_printed() -> None:
    with pytest.raises(MisconfiguredError) as caught:
        Settings(signing_key=SecretStr("hunter2-hunter2-hunter2"), log_level="loud")
    assert "hunter2" not in str(caught.value)
    assert "hunter2" not in repr(Settings(signing_key=SecretStr("hunter2-hunter2-hunter2")))


def test_a_misspelled_field_is_refused() -> None:
    with pytest.raises(MisconfiguredError):
        Settings(adress="127.0.0.1:1")  # type: ignore[call-arg] # the misspelling is the test


def test_a_process_ends_with_a_line_for_each_variable_that_cannot_be(monkeypatch, capsys) -> None:
    monkeypatch.setenv("STORAGE_METRICS_ADDRESS", "127.0.0.1:9")
    monkeypatch.setenv("DATABASE_POOL_SIZE", "0")
    monkeypatch.setenv("REELMESH_DRAIN_GRACE", "soon")
    with pytest.raises(SystemExit) as ended:
        from_environment(Settings)
    said = capsys.readouterr().err.splitlines()
    assert ended.value.code == 2
    assert [line.split(":")[0] for line in said] == ["DATABASE_POOL_SIZE", "REELMESH_DRAIN_GRACE"]


@pytest.mark.parametrize(
    ("address", "answer"),
    [
        ("127.0.0.1:1", True),
        ("127.8.8.8:1", True),
        ("[::1]:1", True),
        ("localhost:1", True),
        ("unix:/tmp/x", True),
        ("0.0.0.0:1", False),
        ("[::]:1", False),
        (":1", False),
        ("10.0.0.1:1", False),
        ("localhost.example.com:1", False),
    ],
)
def test_loopback_is_what_only_this_machine_can_reach(address: str, answer: bool) -> None:
    assert is_loopback(address) is answer
