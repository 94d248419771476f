"""Settings of the storage service."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Annotated, ClassVar, Literal, Self

from pydantic import (
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SecretStr,
    model_validator,
)
from pydantic_settings import NoDecode, SettingsConfigDict

from services.common.embedders.settings import EmbeddingSettings
from services.storage.domain.policies import Policies, Policy

ROLES = ("thumbnail", "poster", "contact_sheet", "preview", "hls")


def _split(value: object) -> object:
    """Return the parts of a text that is separated by commas; anything else as it is."""
    if not isinstance(value, str):
        return value
    return [part.strip() for part in value.split(",") if part.strip()]


class TenantPolicy(BaseModel):
    """What one tenant has instead of the default, which holds for all that is not named."""

    model_config = ConfigDict(extra="forbid")

    quota_bytes: int = Field(default=0, ge=0)
    """0 is no quota."""
    retention: timedelta | None = None
    """null keeps assets until they are deleted."""

    def over(self, default: Policy) -> Policy:
        """Return the tenant's policy where the deployment's is ``default``."""
        return replace(default, **self.model_dump(exclude_unset=True))


class Settings(EmbeddingSettings):
    """Where bytes are kept, and how much of what."""

    model_config = SettingsConfigDict(env_prefix="STORAGE_")
    service: ClassVar[str] = "storage"

    address: str = "127.0.0.1:50053"
    backend: Literal["auto", "folder", "s3"] = "auto"
    """Where bytes are kept; auto is S3 when S3_BUCKET_NAME is set."""
    folder: Path | None = None
    """Folder of the folder back end; unset is ``assets`` in the data folder."""
    staging_folder: Path | None = None
    """Where files are received;  unset is ``staging`` in the data folder."""
    min_free_bytes: int = Field(default=256 * 1024 * 1024, ge=0)
    """Room that staging leaves on its disk."""
    max_asset_bytes: int = Field(default=4 * 1024**3, ge=1)
    """Largest file that is taken."""
    quota_bytes: int = Field(default=0, ge=0)
    """Bytes that a tenant may have in storage; 0 is no quota."""
    retention: timedelta | None = None
    """How long assets are kept; unset keeps them until they are deleted."""
    preview_retention: timedelta | None = Field(default=None, ge=timedelta(seconds=1))
    """How long previews are kept; unset keeps them as long as their films."""
    preview_compress_after: timedelta | None = Field(default=None, ge=timedelta(seconds=1))
    """Age at which a preview is replaced by a smaller one (180 lines); unset keeps it as it is."""
    tenants: dict[str, TenantPolicy] = Field(default_factory=dict)
    """Policies of single tenants: {"acme": {"quota_bytes": 1000, "retention": "P30D"}}; what one
    does not name is the default; a quota of 0 is none, a retention of null has no end."""
    media_base_url: str = ""
    """Public address of the gateway, in front of signed /media URLs; "" makes them relative."""
    import_allow_http: bool = False
    """Whether ImportAsset may fetch over plain http."""
    import_allowed_hosts: Annotated[frozenset[str], NoDecode, BeforeValidator(_split)] = frozenset()
    """Hosts (host or host:port) that ImportAsset may reach although private; by commas."""
    imports_at_once: int = Field(default=8, ge=1)
    """Files that are fetched for one tenant at the same time; more of its imports wait."""
    import_ca_bundle: str = ""
    """PEM file of the authorities that ImportAsset trusts; "" is those of the package certifi."""
    derive: str = "thumbnail,poster,contact_sheet,preview"
    """Files that are made of every film, separated by commas; "" for none; "hls" may be added."""
    label_generated: bool = True
    """Whether what a model made is labelled so in its file (IPTC digital source type)."""
    spool_max_bytes: int = Field(default=8 * 1024**3, ge=0)
    """Bytes that may wait on the local disk while S3 is away; 0 is no spool."""
    spool_share_percent: int = Field(default=50, ge=1, le=100)
    """How much of the spool the files of one tenant may take."""
    flush_every: timedelta = Field(default=timedelta(seconds=5), gt=timedelta())
    """How often the spool is tried, the bus for deletions not told of, and assets are embedded."""
    sweep_every: timedelta = Field(default=timedelta(minutes=5), gt=timedelta())
    """How often the worker looks for what crashes left behind."""
    stale_after: timedelta = Field(default=timedelta(hours=24), gt=timedelta())
    """Age at which an upload that nobody finished is given up."""
    embeddings: Literal["off", "local", "endpoint"] = "off"
    """How assets are searched beside their words: by a model in this process, or an endpoint."""
    embeddings_outside: bool = True
    """Whether the endpoint is outside of this deployment: it is shown no words that stayed here."""

    video_prefix: str = Field(default="", validation_alias="S3_VIDEO_PREFIX")
    """First folders of every object key; may be empty."""
    bucket: str = Field(default="", validation_alias="S3_BUCKET_NAME")
    """Bucket of the S3 back end."""
    s3_endpoint_url: str = Field(default="", validation_alias="AWS_ENDPOINT_URL_S3")
    """Address of an S3 server other than AWS."""
    s3_public_endpoint_url: str = ""
    """Address of the same server in signed URLs, where callers reach it by another name."""
    s3_region: str = Field(default="us-east-1", validation_alias="AWS_REGION")
    """Region of the bucket."""
    s3_access_key_id: str = Field(default="", validation_alias="AWS_ACCESS_KEY_ID")
    """Access key; "" leaves credentials to botocore (IRSA, instance role, profile)."""
    s3_secret_access_key: SecretStr = Field(
        default=SecretStr(""), validation_alias="AWS_SECRET_ACCESS_KEY"
    )
    """Secret of the access key."""
    s3_session_token: SecretStr = Field(default=SecretStr(""), validation_alias="AWS_SESSION_TOKEN")
    """Token of keys that are lent for a while (STS, single sign-on); "" for keys that last."""
    s3_credential_expiration: AwareDatetime | None = Field(
        default=None, validation_alias="AWS_CREDENTIAL_EXPIRATION"
    )
    """When such keys end (ISO 8601); no signed URL is said to outlive them."""
    s3_ca_bundle: str = Field(default="", validation_alias="AWS_CA_BUNDLE")
    """PEM file of the authority of the S3 server."""
    s3_addressing_style: Literal["auto", "path", "virtual"] = "auto"
    """Bucket in the path or in the host name; auto is path with an endpoint of your own."""
    s3_checksums: Literal["when_supported", "when_required"] = "when_supported"
    """when_required for old servers that do not know checksums."""
    s3_storage_class: str = ""
    """Storage class of new objects, such as INTELLIGENT_TIERING; "" leaves it to the bucket."""
    s3_conditional_writes: bool = True
    """Off only for servers that do not know If-None-Match."""

    @property
    def on_s3(self) -> bool:
        """Whether bytes are kept in S3."""
        return self.backend == "s3" or (self.backend == "auto" and bool(self.bucket))

    @property
    def shows_words(self) -> bool:
        """Whether whoever embeds is outside of this deployment."""
        return self.embeddings == "endpoint" and self.embeddings_outside

    @property
    def policies(self) -> Policies:
        """Quota and retention of every tenant."""
        default = Policy(self.quota_bytes, self.retention)
        own = {name: policy.over(default) for name, policy in self.tenants.items()}
        return Policies(default, own, self.preview_retention)

    @property
    def roles(self) -> tuple[str, ...]:
        """Roles of the files that are made of every film."""
        return tuple(part.strip() for part in self.derive.split(",") if part.strip())

    @property
    def asset_folder(self) -> Path:
        """Folder of the folder back end."""
        return self.folder or self.data_dir / "assets"

    @property
    def receiving_folder(self) -> Path:
        """Folder of files that are being received."""
        return self.staging_folder or self.data_dir / "staging"

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if self.backend == "s3" and not self.bucket:
            msg = "S3_BUCKET_NAME must be set where STORAGE_BACKEND is s3"
            raise ValueError(msg)
        for name, address in (
            ("AWS_ENDPOINT_URL_S3", self.s3_endpoint_url),
            ("STORAGE_S3_PUBLIC_ENDPOINT_URL", self.s3_public_endpoint_url),
        ):
            if address and not address.startswith(("http://", "https://")):
                msg = f"{name}: {address!r} must begin with https:// or http://"
                raise ValueError(msg)
        if unknown := set(self.roles) - set(ROLES):
            msg = f"STORAGE_DERIVE: {sorted(unknown)[0]!r} is not one of {', '.join(ROLES)}"
            raise ValueError(msg)
        return self
