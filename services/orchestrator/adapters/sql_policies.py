"""Policies of tenants and preferences of keys, read at most every other second."""

import time
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from pydantic import TypeAdapter
from sqlalchemy.dialects import postgresql, sqlite

from services.common.database import Database
from services.orchestrator.adapters.policy_tables import policies
from services.orchestrator.domain.options import Routing
from services.orchestrator.domain.policy import TenantPolicy

_POLICY = TypeAdapter(TenantPolicy)
_ROUTING = TypeAdapter(Routing)
FRESH_SECONDS = 2.0
# Tenants and keys whose policies are remembered; beyond that all are forgotten and read anew.
_REMEMBERED = 10_000
# Where authentication is off nobody has a key, and preferences still have an owner.
_NO_KEY = "default"


class SqlPolicies:
    """`domain.policy_ports.PolicyBook` on SQLAlchemy; a change is heard everywhere in seconds."""

    def __init__(
        self, database: Database, *, default: TenantPolicy, now: Callable[[], datetime]
    ) -> None:
        """`default` is the deployment's: it holds where a tenant has set nothing."""
        self._database = database
        self._default = default
        self._now = now
        self._insert = sqlite.insert if database.is_sqlite else postgresql.insert
        self._known: dict[tuple[str, str], tuple[float, TenantPolicy]] = {}

    async def of(self, tenant: str, user: str = "") -> TenantPolicy:
        """See `PoliciesPort.of`."""
        user = user or _NO_KEY
        key = (tenant, user)
        read, policy = self._known.get(key, (float("-inf"), self._default))
        if time.monotonic() - read > FRESH_SECONDS:
            policy = await self._read(tenant, user)
            if len(self._known) >= _REMEMBERED:
                self._known.clear()
            self._known[key] = (time.monotonic(), policy)
        return policy

    async def set(self, tenant: str, policy: TenantPolicy) -> TenantPolicy:
        """See `PoliciesPort.set`."""
        alone = replace(policy, personal=Routing())
        await self._write(tenant, "", _POLICY.dump_json(alone))
        return await self._read(tenant, _NO_KEY)

    async def prefer(self, tenant: str, user: str, preferences: Routing) -> Routing:
        """See `PoliciesPort.prefer`."""
        await self._write(tenant, user or _NO_KEY, _ROUTING.dump_json(preferences))
        return preferences

    async def _write(self, tenant: str, user: str, document: bytes) -> None:
        row = {
            "tenant": tenant,
            "api_key": user,
            "document": document,
            "update_time": self._now(),
        }
        statement = self._insert(policies).values(row)
        changed = {name: statement.excluded[name] for name in ("document", "update_time")}
        async with self._database.begin() as connection:
            await connection.execute(
                statement.on_conflict_do_update(index_elements=["tenant", "api_key"], set_=changed)
            )
        self._known = {k: v for k, v in self._known.items() if k[0] != tenant}

    async def _read(self, tenant: str, user: str) -> TenantPolicy:
        mine = (policies.c.tenant == tenant) & policies.c.api_key.in_({"", user})
        async with self._database.read() as connection:
            rows = {row.api_key: row for row in await connection.execute(_select().where(mine))}
        policy = self._default
        if "" in rows:
            policy = self._within(_POLICY.validate_json(rows[""].document))
        if user in rows:
            policy = replace(policy, personal=_ROUTING.validate_json(rows[user].document))
        return policy

    def _within(self, set_by_tenant: TenantPolicy) -> TenantPolicy:
        """What the tenant has set, nowhere beyond what the deployment gives."""
        return replace(
            set_by_tenant,
            quota=set_by_tenant.quota.within(self._default.quota),
            territory=set_by_tenant.territory or self._default.territory,
        )


def _select() -> sa.Select[Any]:
    return sa.select(policies.c.api_key, policies.c.document)
