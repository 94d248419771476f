"""What is configurable in every service; each service adds its own in its ``settings.py``.

A subclass sets ``service`` and its prefix::

    class Settings(ServiceSettings):
        model_config = SettingsConfigDict(env_prefix="STORAGE_")
        service: ClassVar[str] = "storage"
        address: str = "127.0.0.1:50053"

``address`` and ``metrics_address`` are then read from ``STORAGE_ADDRESS`` and
``STORAGE_METRICS_ADDRESS``; what all services share has one name for all of them (``DATABASE_URL``,
``REELMESH_SIGNING_KEY``, …). Every field may also be given to the constructor by its own name,
which is how the suite does it.
"""

from __future__ import annotations

import ipaddress
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self, TypeVar

from pydantic import Field, SecretStr, ValidationError, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict, SettingsError

from services.common.identity import IdentitySigner

LogLevel = Literal["debug", "info", "warning", "error"]
_USAGE = 2


class MisconfiguredError(ValueError):
    """Settings that cannot be; each line of the message names a variable and what is wrong."""


def is_loopback(address: str) -> bool:
    """Return whether only this machine can reach ``host:port`` (or a ``unix:`` socket)."""
    if address.startswith("unix:"):
        return True
    host = address.rpartition(":")[0].strip("[]")
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


class ServiceSettings(BaseSettings):
    """Settings that every service has."""

    model_config = SettingsConfigDict(
        frozen=True, extra="forbid", populate_by_name=True, hide_input_in_errors=True
    )
    service: ClassVar[str] = "service"

    address: str = "127.0.0.1:0"
    """host:port to listen on; port 0 picks a free one."""
    metrics_address: str = ""
    """host:port for /metrics, /healthz and /readyz over HTTP; "" for none."""
    data_dir: Path = Field(Path("./data"), validation_alias="REELMESH_DATA_DIR")
    """Folder of everything that this service keeps on disk."""
    database_url: str = Field("", validation_alias="DATABASE_URL")
    """postgresql://… of the one database; "" is a SQLite file per service in ``data_dir``."""
    database_pool_size: int = Field(10, validation_alias="DATABASE_POOL_SIZE", ge=1, le=200)
    """Connections that one service keeps open to PostgreSQL."""
    migrate_at_start: bool = Field(default=True, validation_alias="REELMESH_MIGRATE_AT_START")
    """Whether the service brings its schema up to date itself."""
    nats_url: str = Field("nats://127.0.0.1:4222", validation_alias="NATS_URL")
    """Where the event bus is; several addresses are separated by commas."""
    nats_credentials: str = Field("", validation_alias="NATS_CREDENTIALS_FILE")
    """File with the NATS user's credentials, "" for none."""
    auth: bool = Field(default=False, validation_alias="REELMESH_AUTH")
    """Whether callers need an API key; may be off on loopback only."""
    signing_key: SecretStr = Field(SecretStr(""), validation_alias="REELMESH_SIGNING_KEY")
    """Secret that all services share: signs identities between them and media URLs."""
    log_level: LogLevel = Field("info", validation_alias="REELMESH_LOG_LEVEL")
    """Least important level that is logged."""
    log_format: Literal["auto", "json", "console"] = Field(
        "auto", validation_alias="REELMESH_LOG_FORMAT"
    )
    """Shape of the log; auto is console on a terminal and JSON elsewhere."""
    max_message_bytes: int = Field(4 * 1024 * 1024, validation_alias="REELMESH_MAX_MESSAGE_BYTES")
    """Largest gRPC message that is received, in bytes."""
    default_deadline: float = Field(60.0, validation_alias="REELMESH_DEFAULT_DEADLINE", gt=0)
    """Seconds that a unary call may take whose caller sets no deadline."""
    drain_grace: float = Field(10.0, validation_alias="REELMESH_DRAIN_GRACE", ge=0)
    """Seconds that calls in flight may take to finish when the service ends."""
    drain_delay: float = Field(0.0, validation_alias="REELMESH_DRAIN_DELAY", ge=0)
    """Seconds between saying NOT_SERVING and refusing calls, for load balancers to notice."""

    niceness: int = Field(0, validation_alias="REELMESH_NICENESS", ge=0, le=19)
    """How far this process gives way to others on its machine: 10 for workers beside fronts."""

    @model_validator(mode="after")
    def _guarded(self) -> Self:
        if self.auth and len(self.signing_key.get_secret_value()) < 16:
            msg = "REELMESH_SIGNING_KEY must have at least 16 characters where REELMESH_AUTH is on"
            raise ValueError(msg)
        if not self.auth:
            for address in self.listening_addresses():
                if not is_loopback(address):
                    msg = f"REELMESH_AUTH=false is allowed on loopback only, not on {address}"
                    raise ValueError(msg)
        return self

    if not TYPE_CHECKING:  # who checks types would take it for all that may be given

        def __init__(self, **given: Any) -> None:
            """Take fields by their names, the others from the environment.

            Raises ``MisconfiguredError``.
            """
            try:
                super().__init__(**given)
            except ValidationError as error:
                told = "\n".join(self._complaint(item) for item in error.errors())
                raise MisconfiguredError(told) from None
            except SettingsError as error:
                named = [name for name in type(self).model_fields if f'"{name}"' in str(error)]
                told = [f"{self._variable(name)}: it is not valid JSON" for name in named]
                raise MisconfiguredError("\n".join(told) or str(error)) from None

    @classmethod
    def _complaint(cls, item: Any) -> str:
        first, *rest = item["loc"] or ("",)
        where = ".".join(map(str, (cls._variable(str(first)), *rest))) if first else ""
        what = item["msg"].removeprefix("Value error, ")
        return f"{where}: {what}" if where else what

    @classmethod
    def _variable(cls, name: str) -> str:
        """Return what a field is called in the environment; aliases are so named as they are."""
        own = name in cls.model_fields and not cls.model_fields[name].validation_alias
        return f"{cls.model_config['env_prefix']}{name}".upper() if own else name

    def listening_addresses(self) -> tuple[str, ...]:
        """Return every address on which the service listens."""
        return tuple(filter(None, (self.address, self.metrics_address)))

    def signer(self) -> IdentitySigner | None:
        """Return the signer of identities, or ``None`` where no signing key is set."""
        secret = self.signing_key.get_secret_value()
        return IdentitySigner(secret) if secret else None

    def database_location(self, schema: str = "") -> str:
        """Return the URL for ``Database``: the shared one, or the SQLite file of ``schema``."""
        if self.database_url:
            return self.database_url
        return f"sqlite+aiosqlite:///{self.data_dir.absolute() / (schema or self.service)}.db"


S = TypeVar("S", bound=ServiceSettings)


def from_environment(kind: type[S]) -> S:
    """Return the settings of this process; ends it with a line for each that cannot be."""
    try:
        return kind()
    except MisconfiguredError as error:
        print(error, file=sys.stderr)
        sys.exit(_USAGE)
