"""Settings of the generator service."""

import os
import socket
from datetime import timedelta
from pathlib import Path
from typing import ClassVar, Literal, Self

from pydantic import AliasChoices, Field, SecretStr, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from services.common.settings import ServiceSettings
from services.generator.adapters.fernet_sealing import FernetSealing
from services.generator.catalogue.gpus import gpu_rates
from services.generator.catalogue.loader import load_catalogue
from services.generator.domain.addresses import CallbackAddresses
from services.generator.domain.steps import Step
from services.generator.engines.local.installed import local_models, variable_of
from services.generator.providers import adapters, variables


def vendor_environment() -> dict[str, str]:
    """Return what the environment says about vendors, by the variables' own names."""
    names = {name for provider in adapters() for name in variables(provider)}
    for model in load_catalogue():
        names.update(*model.credentials)
    # Secrets that are mounted as files end with a line.
    return {name: value for name in sorted(names) if (value := os.environ.get(name, "").strip())}


def local_environment() -> dict[str, str]:
    """Return what the environment says about local models, by the variables' own names."""
    names = map(variable_of, local_models())
    return {name: value for name in names if (value := os.environ.get(name, ""))}


class BillSettings(BaseSettings):
    """How vendors' bills are read by `reelmesh bill fetch`; nothing that serves reads this."""

    fal_admin_key: SecretStr = SecretStr("")
    """Admin key of fal, which gives its bill to no other."""
    fal_platform_url: str = "https://api.fal.ai/v1"
    """Where fal answers questions about the account."""


class Settings(ServiceSettings):
    """Where work is done, how much of it at once, and how long it may take."""

    model_config = SettingsConfigDict(env_prefix="GENERATOR_")
    service: ClassVar[str] = "generator"

    address: str = "127.0.0.1:50052"
    storage_address: str = Field("127.0.0.1:50053", validation_alias="STORAGE_ADDRESS")
    """Where the storage service is."""
    replica: str = ""
    """Name of this replica, the same after a restart: what it left behind is taken up at once.
    "" is "local" on SQLite, where it is the only one, and a new name each time on PostgreSQL."""
    heartbeat_seconds: float = Field(2.0, gt=0)
    """How often a replica says that it lives and looks for what dead ones left."""
    lease_seconds: float = Field(6.0, gt=0)
    """Silence after which a replica counts as dead; at least twice the heartbeat."""
    deadline: timedelta = timedelta(hours=1)
    """Longest time that one generation may take, storing aside."""
    storing_patience_seconds: float = Field(900.0, gt=0)
    """How long a finished result waits for a storage that is away."""
    cpu_slots: int = Field(0, ge=0)
    """Placeholder clips drawn at once; 0 is the number of processor cores."""
    scratch_folder: Path | None = None
    """Where engines write before storage takes over; unset is `scratch` in the data folder."""
    placeholder_cache_bytes: int = Field(512 * 1024**2, ge=0)
    """Room for placeholder clips that are kept to be given out again."""
    placeholder_watermark: bool = True
    """Whether each frame of a placeholder says what it is."""
    price_list: str = "live"
    """Price list of the catalogue: live, seed-2025, or a YAML file of prices that you have agreed
    on, with discounts for batches."""
    local: Literal["embedded", "queue", "off"] = "embedded"
    """Where local models run: in this process, on GPU workers that take their work from the queue
    on NATS, or nowhere."""
    checkpoints: dict[str, str] = Field(default_factory=local_environment, repr=False)
    """Where checkpoints lie, by the variables LOCAL_<MODEL>_PATH: a folder, or owner/name@revision
    of a hub, as far as it has been downloaded."""
    models_folder: Path | None = Field(None, validation_alias="LOCAL_MODELS_FOLDER")
    """Where `reelmesh models pull` keeps weights; unset is `models` in the data folder."""
    local_mode: Literal["", "cinema", "balanced", "fast", "cpu"] = ""
    """Mode of this machine; "" goes by the memory of its largest card."""
    local_loras: Path | None = None
    """Folder of adapters (name.safetensors) that a request may ask for by name."""
    local_preload: tuple[str, ...] = ()
    """Local models that are loaded before the service is ready and never evicted; a JSON list."""
    device: bool = False
    """Whether a GPU is there; with a queue, that a worker comes when there is work (scaling from
    zero), so that models count as ready while none is heard of."""
    commercial: bool = Field(
        default=True,
        validation_alias=AliasChoices("GENERATOR_COMMERCIAL", "ORCHESTRATOR_COMMERCIAL"),
    )
    """Whether clips may be sold: weights whose licence forbids that are then not used. Unset goes
    by ORCHESTRATOR_COMMERCIAL."""
    territory: str = Field(
        "", validation_alias=AliasChoices("GENERATOR_TERRITORY", "ORCHESTRATOR_TERRITORY")
    )
    """Country that is served (ISO 3166-1, such as KE), for licences that exclude some. Unset goes
    by ORCHESTRATOR_TERRITORY."""
    worker_silence_seconds: float = Field(10.0, gt=0)
    """Silence after which a GPU worker counts as gone."""
    gpu: str = ""
    """Name of the card in the table of rates (a6000, a100-40, a100-80): clips that are made here
    then cost its time; unset leaves their price unknown."""
    gpu_micros_per_hour: int | None = Field(None, ge=0)
    """Your own rate of the GPU in micro-USD an hour; goes before the table's."""
    vendors: dict[str, str] = Field(default_factory=vendor_environment, repr=False)
    """Keys and addresses of vendors by the names of their variables, such as RUNWAY_API_KEY."""
    concurrency: dict[str, int] = Field(default_factory=dict)
    """Jobs that may be under way with one credential, for all replicas together, by provider, such
    as {"runway": 2}; a provider that is not named has no limit."""
    queue_seconds: float = Field(1800.0, gt=0)
    """How long a generation waits for its turn where a limit holds."""
    absence_seconds: float = Field(300.0, gt=0)
    """How long a vendor that is asked by our own id must deny that an unanswered call has arrived
    before it counts as never sent."""
    second_looks_seconds: tuple[float, ...] = (60.0, 600.0)
    """When after its failure a vendor's job is looked at once more: some deliver, and bill, after
    all; a JSON list."""
    circuit_failures: int = Field(5, ge=1)
    """Failures of a vendor in a row after which it is rested."""
    circuit_rest_seconds: float = Field(30.0, gt=0)
    """How long a vendor is rested."""
    probe_seconds: float = Field(1.5, ge=0)
    """How often it is looked whether vendors can be reached, by a connection that asks nothing;
    0 is never."""
    polls_per_second: float = Field(50.0, gt=0)
    """Most questions a second that are put to all vendors together about jobs under way."""
    poll_seconds: float | None = Field(None, gt=0)
    """Seconds between two looks at one job; unset is each vendor's own advice."""
    vendor_keys_secret: SecretStr = SecretStr("")
    """Encrypts tenants' own vendor keys: Fernet keys, separated by commas, the newest first; "" and
    none are taken in. `reelmesh vendor-keys secret` makes one."""
    webhook_base_url: str = ""
    """Public address of the gateway, such as https://video.example, at which vendors call back;
    "" asks none of them to. Needs REELMESH_SIGNING_KEY."""
    webhook_sweep_seconds: float = Field(60.0, gt=0)
    """Least seconds between two looks at a job whose vendor is to call back."""
    result_allowed_hosts: frozenset[str] = frozenset()
    """Hosts (host or host:port) from which results may be fetched although private; a JSON list."""
    result_max_bytes: int = Field(4 * 1024**3, ge=1)
    """Largest result that is fetched."""
    environment: Literal["production", "embedded", "test"] = Field(
        "embedded", validation_alias="REELMESH_ENVIRONMENT"
    )
    """What kind of deployment this is."""
    fault_point: Step | None = None
    """For crash tests: the step at which the process kills itself. Refused in production."""

    @property
    def scratch(self) -> Path:
        """Folder in which engines write."""
        return self.scratch_folder or self.data_dir / "scratch"

    @property
    def models(self) -> Path:
        """Where weights are kept."""
        return self.models_folder or self.data_dir / "models"

    @property
    def sealing(self) -> FernetSealing | None:
        """What encrypts tenants' own vendor keys, None where none are taken in."""
        keys = [key.strip() for key in self.vendor_keys_secret.get_secret_value().split(",")]
        return FernetSealing(keys) if any(keys) else None

    @property
    def addresses(self) -> CallbackAddresses:
        """Where vendors call back."""
        return CallbackAddresses(self.webhook_base_url, self.signing_key.get_secret_value())

    @property
    def cores(self) -> int:
        """Placeholder clips drawn at once."""
        return self.cpu_slots or len(os.sched_getaffinity(0))

    @property
    def gpu_rate(self) -> int | None:
        """Micro-USD an hour of the GPU that is here; None where nobody has said."""
        if self.gpu_micros_per_hour is not None or not self.gpu:
            return self.gpu_micros_per_hour
        return gpu_rates()[self.gpu]

    @property
    def replica_name(self) -> str:
        """Name under which rows are held over restarts, "" for none."""
        return self.replica or ("" if self.database_url.startswith("postgres") else "local")

    @property
    def host(self) -> str:
        """Name of this machine, for logs and the owner's name."""
        return socket.gethostname()

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.lease_seconds < 2 * self.heartbeat_seconds:
            msg = "GENERATOR_LEASE_SECONDS must be at least twice GENERATOR_HEARTBEAT_SECONDS"
            raise ValueError(msg)
        if self.gpu and self.gpu not in gpu_rates():
            msg = f"GENERATOR_GPU: {self.gpu!r} has no rate (allowed: {', '.join(gpu_rates())})"
            raise ValueError(msg)
        try:
            _ = self.sealing
        except ValueError as error:
            msg = "GENERATOR_VENDOR_KEYS_SECRET must be Fernet keys, separated by commas"
            raise ValueError(msg) from error
        if self.webhook_base_url and not self.webhook_base_url.startswith(("http://", "https://")):
            msg = "GENERATOR_WEBHOOK_BASE_URL must begin with https:// (or http://)"
            raise ValueError(msg)
        if self.webhook_base_url and not self.signing_key.get_secret_value():
            msg = "GENERATOR_WEBHOOK_BASE_URL needs REELMESH_SIGNING_KEY"
            raise ValueError(msg)
        if self.fault_point is not None and self.environment == "production":
            msg = "GENERATOR_FAULT_POINT is for crash tests and refused in production"
            raise ValueError(msg)
        return self
