"""API keys: made here, shown once, stored as a digest, checked on every call from outside."""

from __future__ import annotations

import hashlib
import hmac
import secrets
import time
from collections import OrderedDict
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import sqlalchemy as sa

from services.common import clock
from services.common.database import Database
from services.common.errors import InvalidArgument, NotFound, Unauthenticated
from services.common.identity import ALL_SCOPES, INTERNAL, Identity, check_tenant
from services.common.migrate import migrate

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterable

    from sqlalchemy.engine import Row

    from services.common.settings import ServiceSettings

SCHEMA = "access"
MIGRATIONS = Path(__file__).parent / "migrations" / "access"
_PREFIX = "rmk"
_CACHE_SIZE = 10_000
_USE_NOTED_EVERY = timedelta(minutes=1)

_metadata = sa.MetaData()
API_KEYS = sa.Table(
    "api_keys",
    _metadata,
    sa.Column("id", sa.String(32), primary_key=True),
    sa.Column("digest", sa.LargeBinary(32), nullable=False),
    sa.Column("tenant", sa.String(64), nullable=False, index=True),
    sa.Column("scopes", sa.String(64), nullable=False),
    sa.Column("create_time", sa.BigInteger, nullable=False),
    sa.Column("expire_time", sa.BigInteger),
    sa.Column("revoke_time", sa.BigInteger),
    sa.Column("last_use_time", sa.BigInteger),
)


@dataclass(frozen=True, slots=True)
class ApiKey:
    """What may be shown of a key at any time; the secret is not part of it."""

    key_id: str
    tenant: str
    scopes: frozenset[str]
    create_time: datetime
    expire_time: datetime | None = None
    revoke_time: datetime | None = None
    last_use_time: datetime | None = None


class KeyStore:
    """The keys of every tenant, in the schema ``access``.

    Args:
        database: where they are.
        now: the clock for expiry and last use.
        ttl: seconds for which a checked key is believed; a revoked one dies within them.
        monotonic: the clock of that cache.
    """

    def __init__(
        self,
        database: Database,
        *,
        now: Callable[[], datetime] = clock.now,
        ttl: float = 5.0,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._database = database
        self._now = now
        self._ttl = ttl
        self._monotonic = monotonic
        self._cache: OrderedDict[bytes, tuple[float, ApiKey]] = OrderedDict()

    async def create(
        self, tenant: str, scopes: Iterable[str], expires: datetime | None = None
    ) -> tuple[ApiKey, str]:
        """Make a key and return it with its secret, which nobody can ever read again.

        Raises ``InvalidArgument`` for a bad tenant, an unknown or missing scope, or an expiry in
        the past.
        """
        identity = Identity(check_tenant(tenant), frozenset(scopes))
        if INTERNAL in identity.scopes:
            msg = "scopes"
            raise InvalidArgument(msg, "unknown: internal", allowed=sorted(ALL_SCOPES))
        if not identity.scopes:
            msg = "scopes"
            raise InvalidArgument(msg, "must name at least one")
        now = self._now()
        if expires is not None and expires <= now:
            msg = "expires"
            raise InvalidArgument(msg, "must be in the future")
        key_id = secrets.token_hex(8)
        secret = f"{_PREFIX}_{key_id}_{secrets.token_urlsafe(32)}"
        async with self._database.begin() as connection:
            await connection.execute(
                API_KEYS.insert().values(
                    id=key_id,
                    digest=_digest(secret),
                    tenant=tenant,
                    scopes=" ".join(sorted(identity.scopes)),
                    create_time=_micros(now),
                    expire_time=_micros(expires) if expires else None,
                )
            )
        return ApiKey(key_id, tenant, identity.scopes, now, expires), secret

    async def list(self, tenant: str | None = None) -> list[ApiKey]:
        """Return the keys of ``tenant``, or of every tenant, oldest first; revoked ones too."""
        query = sa.select(API_KEYS).order_by(API_KEYS.c.create_time, API_KEYS.c.id)
        if tenant is not None:
            query = query.where(API_KEYS.c.tenant == tenant)
        async with self._database.read() as connection:
            return [_read(row) for row in await connection.execute(query)]

    async def revoke(self, key_id: str) -> ApiKey:
        """End a key for ever and return it; doing it again changes nothing. Raises ``NotFound``."""
        async with self._database.begin() as connection:
            await connection.execute(
                API_KEYS.update()
                .where(API_KEYS.c.id == key_id, API_KEYS.c.revoke_time.is_(None))
                .values(revoke_time=_micros(self._now()))
            )
            row = (
                await connection.execute(sa.select(API_KEYS).where(API_KEYS.c.id == key_id))
            ).first()
        if row is None:
            msg = "API key"
            raise NotFound(msg, key_id)
        self._cache.clear()
        return _read(row)

    async def authenticate(self, secret: str) -> Identity:
        """Return who ``secret`` belongs to; raises ``Unauthenticated``, without saying why."""
        digest = _digest(secret)
        found = self._cache.get(digest)
        if found is None or self._monotonic() >= found[0]:
            key = await self._load(secret, digest)
            self._cache[digest] = (self._monotonic() + self._ttl, key)
            self._cache.move_to_end(digest)
            while len(self._cache) > _CACHE_SIZE:
                self._cache.popitem(last=False)
        else:
            key = found[1]
        if key.expire_time is not None and self._now() >= key.expire_time:
            raise _refused()
        return Identity(key.tenant, key.scopes, key.key_id)

    async def _load(self, secret: str, digest: bytes) -> ApiKey:
        prefix, _, rest = secret.partition("_")
        key_id = rest.partition("_")[0]
        if prefix != _PREFIX or not key_id.isalnum():
            raise _refused()
        async with self._database.read() as connection:
            row = (
                await connection.execute(sa.select(API_KEYS).where(API_KEYS.c.id == key_id))
            ).first()
        # An unknown id is compared too, so that the time tells nothing about which ids there are.
        stored = bytes(row.digest) if row else bytes(len(digest))
        if not hmac.compare_digest(stored, digest) or row is None or row.revoke_time is not None:
            raise _refused()
        key = _read(row)
        await self._note_use(key)
        return key

    async def _note_use(self, key: ApiKey) -> None:
        now = self._now()
        if key.last_use_time is not None and now - key.last_use_time < _USE_NOTED_EVERY:
            return
        async with self._database.begin() as connection:
            await connection.execute(
                API_KEYS.update()
                .where(API_KEYS.c.id == key.key_id)
                .values(last_use_time=_micros(now))
            )


@asynccontextmanager
async def open_keys(settings: ServiceSettings) -> AsyncIterator[KeyStore | None]:
    """Open the key store that ``serve`` needs; ``None`` where authentication is off."""
    if not settings.auth:
        yield None
        return
    async with open_key_store(settings) as keys:
        yield keys


@asynccontextmanager
async def open_key_store(settings: ServiceSettings) -> AsyncIterator[KeyStore]:
    """Open the key store whether or not authentication is on: for ``reelmesh keys``."""
    async with Database(settings.database_location(SCHEMA), schema=SCHEMA, pool_size=2) as database:
        if settings.migrate_at_start:
            await migrate(database, MIGRATIONS)
        yield KeyStore(database)


def _digest(secret: str) -> bytes:
    # 256 random bits need no salt and no slow hash.
    return hashlib.sha256(secret.encode()).digest()


def _refused() -> Unauthenticated:
    return Unauthenticated("the API key is unknown, expired or revoked")


def _micros(moment: datetime) -> int:
    return round(moment.timestamp() * 1_000_000)


def _moment(micros: int | None) -> datetime | None:
    return (
        None if micros is None else datetime.fromtimestamp(0, UTC) + timedelta(microseconds=micros)
    )


def _read(row: Row[tuple[object, ...]]) -> ApiKey:
    created = _moment(row.create_time)
    assert created is not None  # noqa: S101 - the column is NOT NULL
    return ApiKey(
        key_id=row.id,
        tenant=row.tenant,
        scopes=frozenset(row.scopes.split()),
        create_time=created,
        expire_time=_moment(row.expire_time),
        revoke_time=_moment(row.revoke_time),
        last_use_time=_moment(row.last_use_time),
    )
