"""Settings of storage: what a single tenant's policy leaves to the default."""

from datetime import timedelta
from typing import Any

import pytest

from services.common.settings import MisconfiguredError
from services.storage.domain.policies import Policy
from services.storage.settings import Settings

DAYS = timedelta(days=30)


@pytest.mark.parametrize(
    ("own", "policy"),
    [
        ({"retention": "P1D"}, Policy(1000, timedelta(days=1))),
        ({"quota_bytes": 5}, Policy(5, DAYS)),
        ({"quota_bytes": 0, "retention": None}, Policy()),
        ({}, Policy(1000, DAYS)),
    ],
)
def test_what_a_tenants_policy_does_not_name_is_the_default(
    own: dict[str, Any], policy: Policy
) -> None:
    settings = Settings.model_validate(
        {"auth": False, "quota_bytes": 1000, "retention": DAYS, "tenants": {"acme": own}}
    )
    assert settings.policies.of("acme") == policy
    assert settings.policies.of("other") == Policy(1000, DAYS)


@pytest.mark.parametrize(
    ("given", "named"),
    [
        ({"tenants": {"acme": {"quota": 5}}}, "STORAGE_TENANTS.acme.quota"),
        ({}, "STORAGE_TENANTS"),
        ({"stale_after": timedelta()}, "STORAGE_STALE_AFTER"),
        ({"sweep_every": timedelta(seconds=-5)}, "STORAGE_SWEEP_EVERY"),
        ({"flush_every": timedelta()}, "STORAGE_FLUSH_EVERY"),
    ],
)
def test_what_can_mean_nothing_is_refused_by_its_name(
    given: dict[str, Any], named: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not given:
        monkeypatch.setenv(named, "")
    with pytest.raises(MisconfiguredError, match=named):
        Settings(auth=False, **given)
