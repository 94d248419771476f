"""Settings of a GPU worker."""

import socket
from pathlib import Path
from typing import ClassVar, Self
from urllib.parse import quote

from pydantic import Field, SecretStr, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from services.common.settings import ServiceSettings
from services.generator.catalogue.gpus import gpu_rates
from services.generator.domain.gpu_work import Tier
from services.generator.settings import local_environment


class HubSettings(BaseSettings):
    """Where weights are pulled from; the names are those of Hugging Face's own tools."""

    model_config = SettingsConfigDict(frozen=True, extra="ignore", populate_by_name=True)

    token: SecretStr = Field(SecretStr(""), validation_alias="HF_TOKEN")
    """Opens gated repositories."""
    endpoint: str = Field("", validation_alias="HF_ENDPOINT")
    """Another hub that speaks the same protocol; "" is Hugging Face's."""
    offline: bool = Field(default=False, validation_alias="HF_HUB_OFFLINE")
    """Whether no hub may be asked for anything."""


class BucketSettings(BaseSettings):
    """Where a worker on RunPod leaves its results; keys and address are boto3's own variables."""

    model_config = SettingsConfigDict(frozen=True, extra="ignore", populate_by_name=True)

    name: str = Field(validation_alias="S3_BUCKET_NAME", min_length=3)
    """Bucket of storage and of RunPod's results; unset keeps storage in a folder."""
    prefix: str = Field("", validation_alias="S3_VIDEO_PREFIX")
    """First folders of every key in it."""


class WorkerSettings(ServiceSettings):
    """Which work a worker takes, on which device, and how it ends."""

    model_config = SettingsConfigDict(env_prefix="GPU_WORKER_")
    service: ClassVar[str] = "gpu-worker"

    address: str = "127.0.0.1:0"
    """host:port of its health service, which answers nothing else; port 0 picks a free one, so that
    the workers of one machine do not meet."""
    storage_address: str = Field("127.0.0.1:50053", validation_alias="STORAGE_ADDRESS")
    """Where results go and references come from."""
    name: str = ""
    """Name of this worker, unique among those alive; unset is the machine's name and the device."""
    device: int = Field(0, ge=0)
    """Which GPU of the machine, from 0; a worker has one, and one has one worker."""
    engines: tuple[str, ...] = ()
    """Engines whose work is taken, such as ["wan_2_2_5b"]; unset is every model installed here."""
    preload: tuple[str, ...] = ()
    """Models that are loaded and tried before the worker is ready, such as ["wan_2_2_5b"]; they are
    never evicted."""
    loras: Path | None = None
    """Folder of adapters, `name.safetensors`, that requests may name; unset is none."""
    checkpoints: dict[str, str] = Field(default_factory=local_environment, repr=False)
    """Where checkpoints lie, by the variables LOCAL_<MODEL>_PATH: a folder, or owner/name@revision
    of a hub."""
    models_folder: Path | None = Field(None, validation_alias="LOCAL_MODELS_FOLDER")
    """Where `reelmesh models pull` keeps weights; unset is `models` in the data folder."""
    offline: bool = Field(default=False, validation_alias="HF_HUB_OFFLINE")
    """Whether no hub may be asked for anything."""
    tier: Tier | None = None
    """Class of card whose work is taken, and that of smaller ones; unset goes by the memory."""
    scratch_folder: Path | None = None
    """Where results lie until storage has them, in a folder with the worker's name that is emptied
    when it starts; unset is `scratch` in the data folder."""
    ack_wait_seconds: float = Field(30.0, gt=0)
    """Silence after which another worker takes the work over; a sign of life comes thrice in it."""
    deliveries: int = Field(3, ge=1)
    """How often work is given out before it counts as deadly."""
    drain_seconds: float = Field(120.0, ge=0)
    """How long the work under way may go on when the worker is told to end; then it is given
    back. The pod's own grace must be longer."""
    storing_patience_seconds: float = Field(900.0, gt=0)
    """How long a finished result waits for a storage that is away."""
    report_seconds: float = Field(2.0, gt=0)
    """How often the worker says how it stands."""
    gpu: str = ""
    """Name of the card in the table of rates (a6000, a100-40, a100-80); unset leaves the cost of
    its clips unknown."""
    gpu_micros_per_hour: int | None = Field(None, ge=0)
    """Your own rate of the card in micro-USD an hour; goes before the table's."""

    @property
    def scratch(self) -> Path:
        """Where results lie until storage has them: a folder of this worker's own."""
        return (self.scratch_folder or self.data_dir / "scratch") / quote(self.worker_name, safe="")

    @property
    def popularity(self) -> Path:
        """Where is counted how often each model was asked for, for the next start."""
        return self.data_dir / f"popular_models-{self.device}.json"

    @property
    def models(self) -> Path:
        """Where weights are kept."""
        return self.models_folder or self.data_dir / "models"

    @property
    def worker_name(self) -> str:
        """Its name among those alive."""
        return self.name or f"{socket.gethostname()}-{self.device}"

    @property
    def gpu_rate(self) -> int | None:
        """Micro-USD an hour of the card; None where nobody has said."""
        if self.gpu_micros_per_hour is not None or not self.gpu:
            return self.gpu_micros_per_hour
        return gpu_rates()[self.gpu]

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.gpu and self.gpu not in gpu_rates():
            msg = f"GPU_WORKER_GPU: {self.gpu!r} has no rate (allowed: {', '.join(gpu_rates())})"
            raise ValueError(msg)
        return self
