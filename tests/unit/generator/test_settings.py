import pytest

from services.common.settings import MisconfiguredError
from services.generator.domain.steps import Step
from services.generator.settings import Settings


def test_vendors_are_read_by_their_own_names_and_never_shown(monkeypatch) -> None:
    monkeypatch.setenv("RUNWAY_API_KEY", "key_secret\n")  # as a file that is mounted gives it
    monkeypatch.setenv("RUNWAY_BASE_URL", "http://127.0.0.1:1")
    monkeypatch.setenv("SOMETHING_API_KEY", "other")
    monkeypatch.setenv("LUMA_API_KEY", "")
    settings = Settings()
    assert settings.vendors["RUNWAY_API_KEY"] == "key_secret"
    assert settings.vendors["RUNWAY_BASE_URL"] == "http://127.0.0.1:1"
    assert not {"SOMETHING_API_KEY", "LUMA_API_KEY"} & settings.vendors.keys()
    assert "key_secret" not in repr(settings)


def test_a_fault_point_is_refused_in_production() -> None:
    assert Settings(environment="test", fault_point=Step.POLLING).fault_point is Step.POLLING
    with pytest.raises(MisconfiguredError, match="crash tests"):
        Settings(environment="production", fault_point=Step.POLLING)


def test_a_lease_is_longer_than_two_heartbeats() -> None:
    with pytest.raises(MisconfiguredError, match="GENERATOR_LEASE_SECONDS"):
        Settings(heartbeat_seconds=2, lease_seconds=3)


def test_limits_are_read_as_json(monkeypatch) -> None:
    monkeypatch.setenv("GENERATOR_CONCURRENCY", '{"runway": 2}')
    assert Settings().concurrency == {"runway": 2}


def test_the_only_one_on_sqlite_keeps_its_name_and_replicas_on_postgres_have_none() -> None:
    assert Settings(database_url="").replica_name == "local"
    assert Settings(database_url="postgresql://h/d").replica_name == ""
    assert Settings(database_url="postgresql://h/d", replica="pod-1").replica_name == "pod-1"
