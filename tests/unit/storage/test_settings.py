"""Settings of storage: what a single tenant's policy leaves to the default."""

from datetime import timedelta
from typing import Any

import pytest

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
